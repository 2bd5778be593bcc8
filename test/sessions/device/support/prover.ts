/** A process of a client that proves that it is the only one with its session (src/trust/README.md). */
import type { Proof } from "../../../../src/sessions/device/contract.ts";
import type { Reply, TestApp } from "../../../support/app.ts";
import { newProofWord } from "../../../support/secrets.ts";

export interface Prover {
  instance: string;
  /** The next beat. */
  next(): Proof;
  /** Sends the next beat; answers a challenge, if it gets one. */
  beat(): Promise<Reply>;
  /** Starts its session, and answers a challenge as well. */
  start(accessKey: string): Promise<Reply>;
  /** Asks for a lease of so many hours, and answers a challenge as well. */
  lease(hours: number): Promise<Reply>;
}

export function openProver(app: Pick<TestApp, "post">, sessionId: string): Prover {
  const instance = newProofWord();
  let number = 0;
  const next = (): Proof => ({ instance, number: number++, beat_id: newProofWord() });
  const prove = async (path: string, body: object): Promise<Reply> => {
    const proof = next();
    const reply = await app.post(path, { ...body, session_id: sessionId, proof });
    if (reply.body.code !== "proof_challenge") return reply;
    return app.post(path, { ...body, session_id: sessionId, proof: { ...proof, answer: reply.body.challenge } });
  };
  return {
    instance,
    next,
    beat: () => prove("/api/session/heartbeat", {}),
    start: (access_key) => prove("/api/session/start", { access_key }),
    lease: (hours) => prove("/api/session/lease", { hours }),
  };
}
