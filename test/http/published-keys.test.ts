/** JWKS_URL, with a set of keys that a real server publishes. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useDatabase } from "../support/database.ts";
import { type RunningServer, startServer } from "../support/process.ts";
import { publishKeys } from "./support/key-provider.ts";
import { call, inSeconds, outcome, sign, utf8 } from "./support/tokens.ts";

const db = useDatabase();

describe("with JWKS_URL", () => {
  let server: RunningServer;
  let keys: Awaited<ReturnType<typeof publishKeys>>;
  beforeAll(async () => {
    keys = await publishKeys();
    server = await startServer({ DATABASE_URL: db.url, QUEUE_AUTH: "jwt", JWKS_URL: keys.url });
  });
  afterAll(async () => {
    await server.stop();
    await keys.close();
  });
  const ask = async (token: string) => outcome(await call(server, "GET", "/position/alice", token));
  /** The token is good: alice is known, and has no place. */
  const GOOD = "404 user_not_found";

  it("while the keys cannot be had is 503 unavailable, which is nobody's fault; afterwards all is well", async () => {
    keys.answerWith(500);
    const token = await sign(keys.rsa, { alg: "RS256", kid: "rsa" });
    const refused = await call(server, "GET", "/position/alice", token);
    expect(outcome(refused)).toBe("503 unavailable");
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    keys.answerWith(200);
    // A busy machine may fetch them later than a caller waits.
    await expect.poll(() => ask(token)).toBe(GOOD);
  });

  it("takes tokens of every published key, and asks for the set once", async () => {
    const before = keys.asked();
    for (let n = 0; n < 5; n++) {
      expect(await ask(await sign(keys.rsa, { alg: "RS256", kid: "rsa" }))).toBe(GOOD);
      expect(await ask(await sign(keys.ec, { alg: "ES256", kid: "ec" }))).toBe(GOOD);
    }
    expect(keys.asked()).toBe(before);
    expect(await ask(await sign(keys.rsa, { alg: "RS256", kid: "rsa" }, { sub: "bob" }))).toBe("403 forbidden");
  });

  it("takes a token that names no key, though several keys of its kind are published", async () => {
    expect(await ask(await sign(keys.rsa, { alg: "RS256" }))).toBe(GOOD);
    expect(await ask(await sign(keys.otherRsa, { alg: "RS256" }))).toBe(GOOD);
    expect(await ask(await sign(keys.ec, { alg: "ES256" }))).toBe(GOOD);
  });

  it.each<[string, () => Promise<string>]>([
    ["of a key that is not published", () => sign(keys.stranger, { alg: "RS256", kid: "stranger" })],
    ["of such a key under a published name", () => sign(keys.stranger, { alg: "RS256", kid: "rsa" })],
    ["of such a key, unnamed", () => sign(keys.stranger, { alg: "RS256" })],
    ["signed with the public key as a shared secret", () => sign(utf8(keys.rsaPem), { alg: "HS256", kid: "rsa" })],
    ["that has ended", () => sign(keys.ec, { alg: "ES256", kid: "ec" }, { exp: inSeconds(-31) })],
    ["that has ended, unnamed", () => sign(keys.otherRsa, { alg: "RS256" }, { exp: inSeconds(-31) })],
  ])("refuses a token %s", async (_, make) => {
    expect(await ask(await make())).toBe("401 unauthorized");
  });

  it("asks for the set no more often, however many unknown keys tokens name", async () => {
    const before = keys.asked();
    const tokens = Array.from({ length: 60 }, (_, n) => sign(keys.stranger, { alg: "RS256", kid: `unknown-${n}` }));
    for (const token of tokens) expect(await ask(await token)).toBe("401 unauthorized");
    expect(keys.asked() - before).toBeLessThanOrEqual(1);
  });

  it("is 503 and not 401 while the provider fails, sends nonsense or never ends, and does not hammer it", async () => {
    for (const trouble of [500, "nonsense", "endless"] as const) {
      const provider = await publishKeys();
      provider.answerWith(trouble);
      const fresh = await startServer({ DATABASE_URL: db.url, QUEUE_AUTH: "jwt", JWKS_URL: provider.url });
      const token = await sign(provider.rsa, { alg: "RS256", kid: "rsa" });
      const asked = Array.from({ length: 100 }, () => call(fresh, "GET", "/position/alice", token));
      for (const reply of await Promise.all(asked))
        expect([trouble, outcome(reply)]).toEqual([trouble, "503 unavailable"]);
      for (let n = 0; n < 20; n++) await call(fresh, "GET", "/position/alice", token);
      expect(provider.asked()).toBeLessThan(15);
      await fresh.stop();
      await provider.close();
    }
  });

  it("goes on with the keys it has when their server is gone", async () => {
    await keys.close();
    expect(await ask(await sign(keys.rsa, { alg: "RS256", kid: "rsa" }))).toBe(GOOD);
  });
});
