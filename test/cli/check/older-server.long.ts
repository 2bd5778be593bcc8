/** `keybeat check` against servers that we did not write, which speak only the older subset of the contract. */
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { type CommandResult, keybeat } from "../../support/process.ts";
import { findSecrets, newAccessKey } from "../../support/secrets.ts";

type Fields = { access_key: string; session_id: string };
type Answer = [status: number, body: Record<string, unknown>] | "hangs up";
type Verb = (fields: Fields) => Answer;

interface OlderServer {
  /** key -> its session and the moment of its last heartbeat */
  holders: Map<string, [sessionId: string, beatAtMs: number]>;
  start: Verb;
  heartbeat: Verb;
  status: Verb;
  end: Verb;
}

/** A faithful one, of which the broken ones change a verb. */
function olderServer(timeoutMs = 60_000): OlderServer {
  const holders: OlderServer["holders"] = new Map();
  const live = (key: string) => {
    const [id, beatAtMs] = holders.get(key) ?? ["", 0];
    return performance.now() - beatAtMs < timeoutMs ? id : "";
  };
  const keyOf = (id: string) => [...holders.keys()].find((key) => live(key) === id);
  return {
    holders,
    start({ access_key, session_id }) {
      const previous_session_terminated = live(access_key) !== "";
      holders.set(access_key, [session_id, performance.now()]);
      return [200, { success: true, session_id, previous_session_terminated }];
    },
    heartbeat({ session_id }) {
      const key = keyOf(session_id);
      if (key === undefined) return [404, { error: "Session not found or expired" }];
      holders.set(key, [session_id, performance.now()]);
      return [200, { success: true }];
    },
    status({ access_key }) {
      const session_id = live(access_key);
      return [200, session_id === "" ? { active: false } : { active: true, session: { session_id } }];
    },
    end({ session_id }) {
      return [200, { success: holders.delete(keyOf(session_id) ?? "") }];
    },
  };
}

/** As some of them do: they tell the timeout, and nothing else of the newer contract. */
function withExpiresIn(expires_in: number, start: Verb): Verb {
  return (fields) => [200, { ...(start(fields)[1] as object), expires_in }];
}

async function checkAgainst(older: OlderServer, ...options: string[]): Promise<CommandResult> {
  const server = createServer(async (request, response) => {
    const verb = /^\/api\/session\/(start|heartbeat|status|end)$/.exec(request.url ?? "")?.[1] as "start" | undefined;
    const answer: Answer = verb ? older[verb](JSON.parse(await text(request))) : [200, {}];
    if (answer === "hangs up") return response.destroy();
    return response.writeHead(answer[0]).end(JSON.stringify(answer[1]));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const result = await keybeat(["check", `http://127.0.0.1:${port}`, "--key", newAccessKey(), ...options]);
  server.closeAllConnections();
  server.close();
  expect(findSecrets(result.stdout + result.stderr)).toEqual([]);
  expect(result.stdout + result.stderr).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/);
  return result;
}

const failures = ({ stdout }: CommandResult) =>
  [...stdout.matchAll(/^FAIL (.*?): expected/gm)].map((match) => match[1]);

describe("keybeat check against a server of the older subset", () => {
  it("passes a faithful one, says that the rest is left out, and leaves its key free", async () => {
    const faithful = olderServer();
    const result = await checkAgainst(faithful);
    expect(result.stdout).not.toMatch(/^FAIL/m);
    expect(result.stdout).toMatch(/^this server speaks the older subset/m);
    expect(result.stdout).toMatch(/^14\/14 passed$/m);
    expect(result.stdout).not.toMatch(/generation rises|masked|resumed/);
    expect([result.code, result.stderr]).toEqual([0, ""]);
    expect(faithful.holders.size).toBe(0);
  });

  it("prints JSON alone with --json", async () => {
    const report = JSON.parse((await checkAgainst(olderServer(), "--json")).stdout);
    expect(report).toMatchObject({ passed: 14, failed: 0 });
  });

  it("learns the timeout from expires_in where there is one, and sees the session expired", async () => {
    const hasty = olderServer(2000);
    const result = await checkAgainst({ ...hasty, start: withExpiresIn(2, hasty.start) }, "--expiry");
    expect(result.stderr).toBe("waiting 3 s for the session to expire\n");
    expect(result.stdout).toMatch(/^15\/15 passed$/m);
  });

  it("catches one whose sessions never expire", async () => {
    const endless = olderServer(Number.POSITIVE_INFINITY);
    const result = await checkAgainst({ ...endless, start: withExpiresIn(1, endless.start) }, "--expiry");
    expect(failures(result)).toEqual(["expiry: a session without a heartbeat is over after the timeout"]);
    expect(result.code).toBe(1);
  });
});

describe("keybeat check against a broken server", () => {
  const A_IS_TOLD = "takeover: A is told at its next heartbeat";
  const NO_HARM = "a late end of A does not end B's session";

  it("catches one that lets both devices live", async () => {
    const older = olderServer();
    const living = new Set<string>();
    const start: Verb = (fields) => {
      living.add(fields.session_id);
      return older.start(fields);
    };
    const end: Verb = (fields) => {
      living.delete(fields.session_id);
      return older.end(fields);
    };
    const heartbeat: Verb = (fields) =>
      living.has(fields.session_id) ? [200, { success: true }] : older.heartbeat(fields);
    const result = await checkAgainst({ ...older, start, end, heartbeat });
    expect(failures(result)).toEqual([A_IS_TOLD]);
    expect(result.stdout).toMatch(/expected 404 {"error":"Session not found or expired"}, came 200 {"success":true}$/m);
    expect(result.stdout).toMatch(/^13\/14 passed$/m);
    expect([result.code, result.stderr]).toEqual([1, "keybeat: 1 of 14 checks failed\n"]);
  });

  it("catches one where a late end ends the successor's session", async () => {
    const older = olderServer();
    const end: Verb = () => {
      older.holders.clear();
      return [200, { success: true }];
    };
    const result = await checkAgainst({ ...older, end });
    expect(failures(result)).toEqual([NO_HARM]);
    expect(result.code).toBe(1);
  });

  it("catches one that answers 200 to heartbeats of sessions that it never saw", async () => {
    const result = await checkAgainst({ ...olderServer(), heartbeat: () => [200, { success: true }] }, "--json");
    const report: { passed: number; failed: number; steps: Array<{ name: string; passed: boolean; detail?: string }> } =
      JSON.parse(result.stdout);
    const failed = report.steps.filter((step) => !step.passed);
    expect(failed.map((step) => step.name)).toEqual([
      "heartbeat of an unknown session: not found",
      A_IS_TOLD,
      "end: B's heartbeat is refused from then on",
    ]);
    expect(failed[0]?.detail).toMatch(/^expected 404 .*came 200/);
    expect([report.passed, report.failed, result.code]).toEqual([11, 3, 1]);
  });

  it("catches one that refuses the second device, and goes on to the end", async () => {
    const older = olderServer();
    const start: Verb = (fields) =>
      older.holders.has(fields.access_key) ? [409, { error: "in use" }] : older.start(fields);
    expect(failures(await checkAgainst({ ...older, start }))).toEqual([
      "takeover: device B gets the key, and learns that it ended another session",
      A_IS_TOLD,
      "takeover: B's session is live",
      NO_HARM,
      "end: B ends its session",
    ]);
  });

  it("catches one whose key stays in use after the end", async () => {
    const result = await checkAgainst({ ...olderServer(), end: () => [200, { success: true }] });
    expect(failures(result)).toContain("the key is free at the end");
  });

  it("masks the session id of a stranger whom the server names whole", async () => {
    const start: Verb = () => [500, { error: "held by 2b1d0c9e-1111-4222-8333-444455556666" }];
    const result = await checkAgainst({ ...olderServer(), start });
    expect(result.stdout).toContain("held by 2b1d0c9e…");
    expect(result.code).toBe(1);
  });

  it("stops when the server goes away midway, and says that the key may stay in use", async () => {
    const hangsUp: Verb = () => "hangs up";
    const result = await checkAgainst({ ...olderServer(), heartbeat: hangsUp, status: hangsUp, end: hangsUp });
    expect(result.stdout).toMatch(/^FAIL heartbeat: .*came none: \S+\nFAIL status: .*came none: \S+\n2\/4 passed$/m);
    expect(result.stderr).toMatch(/^the key may be in use until its last session expires$/m);
    expect(result.code).toBe(1);
  });
});
