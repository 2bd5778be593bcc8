/** The search of every log for secrets finds a planted one, whoever made it, and takes nothing else for one. */
import { describe, expect, it } from "vitest";
import { Proof } from "../../src/client/trust/proof.ts";
import { createLog } from "../../src/log.ts";
import { readLeaseId } from "../../src/trust/lease-token.ts";
import { createSeed } from "../../src/trust/signing-keys.ts";
import { openProver } from "../sessions/device/support/prover.ts";
import { useApp } from "./app.ts";
import { useDatabase } from "./database.ts";
import { startServer } from "./process.ts";
import { findSecrets, newAccessKey, newLeaseId, newProofWord, newSessionId } from "./secrets.ts";

const db = useDatabase();
const LEASING = { SIGNING_KEY: createSeed(), OFFLINE_HOURS_MAX: "1" };
const app = useApp(db, { env: LEASING });

/** Whether it is found in a line of a log, among others. */
function isFound(leaked: string, name = "value"): boolean {
  const lines: string[] = [];
  const log = createLog("info", { write: (line: string) => lines.push(line) });
  log.info({ request_id: "5a2b7c8e-7f4e-4f3e-9d27-0c4a2c3f7f11" }, "before");
  log.info({ [name]: leaked }, "a leak");
  return findSecrets(lines.join("\n")).length === 1;
}

describe("a leak is found", () => {
  it.each([
    ["an access key", newAccessKey()],
    ["a session's id", newSessionId()],
    ["an instance or a beat's id", newProofWord()],
    ["a lease's id", newLeaseId()],
  ])("of %s that a test made", (_, secret) => expect(isFound(secret)).toBe(true));

  it("of a challenge and a lease that the service gave, whole or its id alone", async () => {
    const { key } = await db.makeKey();
    const session_id = newSessionId();
    const prover = openProver(app, session_id);
    await prover.start(key);
    const { body } = await app.post("/api/session/heartbeat", {
      session_id,
      proof: openProver(app, session_id).next(),
    });
    expect(isFound(body.challenge)).toBe(true);
    const { lease } = (await prover.lease(1)).body;
    expect(isFound(lease)).toBe(true);
    expect(isFound(readLeaseId(lease) as string)).toBe(true);
  });

  it("of a lease's id that a server of its own gave, by the time it has ended", async () => {
    const server = await startServer({ DATABASE_URL: db.url, ...LEASING });
    const { body } = await server.post("/api/session/start", {
      access_key: (await db.makeKey()).key,
      session_id: newSessionId(),
    });
    const { lease } = (await server.post("/api/session/lease", { session_id: body.session_id, hours: 1 })).body;
    expect(await server.stop()).toBe(0);
    expect(isFound(readLeaseId(lease) as string)).toBe(true);
  });

  it("of what a client draws for its proof", async () => {
    const sent: string[] = [];
    await new Proof().send(
      {},
      async (body) => {
        const { proof } = body as { proof: { instance: string; beat_id: string } };
        sent.push(proof.instance, proof.beat_id);
        return { kind: "failed", error: "planted", retryAfterSeconds: 0 };
      },
      new AbortController().signal,
    );
    expect(sent.map((one) => isFound(one))).toEqual([true, true]);
  });

  it("of whatever else is called so, as in a detail of PostgreSQL", () => {
    const drawn = "0123456789abcdef0123456789abcdef"; // as keybeat.py draws it
    for (const name of ["lease_id", "leaseId", "instance", "proof_instance", "proof_beat", "beat_id", "challenge"]) {
      expect([name, isFound(drawn, name)]).toEqual([name, true]);
      expect(findSecrets(`DETAIL:  Key (${name})=(${drawn}) already exists.`)).toHaveLength(1);
    }
  });
});

it("nothing is found where there is no secret", () => {
  for (const line of [
    'keybeat_sessions{instance="127.0.0.1:3000"} 1',
    "SELECT proof_instance, proof_displaced, proof_beat FROM beat_with_proof($1, $2, $3, $4, $5)",
    '{"access_key":"abc12345…","session_id":"3f2a91c0…","challenge":"given"}',
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  ]) {
    expect(findSecrets(line)).toEqual([]);
  }
});
