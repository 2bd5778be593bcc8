/** A process that proves that it runs: its beats, numbered, each sent unchanged until it is answered. */
import { newProofWord } from "../../support/secrets.ts";
import type { Answer, ProofSent } from "./call.ts";

/** How often one beat is challenged before its process waits for its next turn. */
const TRIES_MAX = 5;

export interface Prover {
  /** Sends the beat that is not yet answered, or else the next one; a challenge is answered at once. */
  prove(send: (proof: ProofSent, body: object) => Promise<Answer>): Promise<Answer>;
  /** One that has copied all of its memory. */
  twin(): Prover;
}

interface Beat {
  number: number;
  beatId: string;
  answer?: string;
}

export function createProver(instance: string = newProofWord(), number = -1, pending?: Beat): Prover {
  let last = number;
  let unanswered = pending;
  return {
    async prove(send) {
      for (let tries = 1; ; tries++) {
        unanswered ??= { number: ++last, beatId: newProofWord() };
        const { number, beatId, answer } = unanswered;
        const told = await send(
          { instance, number, beatId, answers: answer !== undefined },
          { instance, number, beat_id: beatId, ...(answer !== undefined && { answer }) },
        );
        if (told.is === "unknown") return told;
        if (told.is !== "challenged") {
          unanswered = undefined;
          return told;
        }
        unanswered.answer = told.challenge;
        if (tries === TRIES_MAX) return told;
      }
    },
    twin: () => createProver(instance, last, unanswered && { ...unanswered }),
  };
}
