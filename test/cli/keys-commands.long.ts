import { userInfo } from "node:os";
import { describe, expect, it } from "vitest";
import { useApp } from "../support/app.ts";
import { cloneDatabase, type TestDatabase, useDatabase } from "../support/database.ts";
import { keybeat } from "../support/process.ts";
import { findSecrets, newAccessKey, newSessionId } from "../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);

const keys = (...args: string[]) => keybeat(["keys", ...args], { DATABASE_URL: db.url });
const start = (access_key: string, session_id = newSessionId()) =>
  app.post("/api/session/start", { access_key, session_id });
const codeOf = async (access_key: string) => (await start(access_key)).body.code as string | undefined;

/** For tests that need to know every key there is. */
async function inDatabaseOfItsOwn(
  run: (own: TestDatabase, keys: (...args: string[]) => ReturnType<typeof keybeat>) => Promise<void>,
): Promise<void> {
  const own = await cloneDatabase();
  try {
    await run(own, (...args) => keybeat(["keys", ...args], { DATABASE_URL: own.url }));
  } finally {
    await own.drop();
  }
}

describe("keybeat keys create", () => {
  it("prints a new key and nothing else, and the key starts a session", async () => {
    const { code, stdout, stderr } = await keys("create");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^[0-9a-hjkmnp-tv-z]{32}\n$/);
    expect((await start(stdout.trim())).status).toBe(200);
  });

  it("prints exactly the contract's fields with --json", async () => {
    const { stdout } = await keys("create", "--json", "--label", "ACME", "--expires", "2099-01-31");
    expect(JSON.parse(stdout)).toEqual({
      access_key: expect.stringMatching(/^[0-9a-z]{32}$/),
      id: expect.any(Number),
      label: "ACME",
      expires_at: "2099-01-31T23:59:59.999Z",
    });
    expect(JSON.parse((await keys("create", "--json")).stdout)).toMatchObject({ label: null, expires_at: null });
  });

  it("takes a span for --expires, counted from now", async () => {
    const { stdout } = await keys("create", "--json", "--expires", "30d");
    const days = (Date.parse(JSON.parse(stdout).expires_at) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(29);
    expect(days).toBeLessThan(31);
  });

  it("makes a key that starts nothing any more where --expires lies in the past", async () => {
    const { stdout } = await keys("create", "--expires", "2020-01-01");
    expect(await codeOf(stdout.trim())).toBe("key_expired");
  });

  it("takes the key of --key, keeps only its hash and its beginning, and refuses it a second time", async () => {
    const key = newAccessKey();
    expect((await keys("create", "--key", key)).stdout).toBe(`${key}\n`);
    expect((await start(key)).status).toBe(200);
    const rows = await db.sql`SELECT k::text AS kept FROM keys k WHERE key_prefix = ${key.slice(0, 8)}`;
    expect(rows).toHaveLength(1);
    expect(rows[0]?.kept).not.toContain(key);

    const again = await keys("create", "--key", key, "--label", "other");
    expect(again).toEqual({ code: 1, stdout: "", stderr: "keybeat: that key exists already\n" });
  });

  it.each([
    ["an --expires that is no date", ["--expires", "soon"]],
    ["a month that is none", ["--expires", "2027-13-01"]],
    ["a span without a unit", ["--expires", "30"]],
    ["an empty key", ["--key", ""]],
    ["a key of 513 characters", ["--key", "k".repeat(513)]],
  ])("makes no key and exits with 2 for %s", async (_what, args) => {
    const [before] = await db.sql`SELECT count(*) AS n FROM keys`;
    const { code, stdout, stderr } = await keys("create", ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^keybeat: .*\n$/);
    const [after] = await db.sql`SELECT count(*) AS n FROM keys`;
    expect(after?.n).toBe(before?.n);
  });
});

describe("keybeat keys list", () => {
  it("says how to make the first key where there is none", async () => {
    await inDatabaseOfItsOwn(async (_own, keys) => {
      expect(await keys("list")).toEqual({
        code: 0,
        stdout: 'no keys yet: "keybeat keys create" makes one\n',
        stderr: "",
      });
      expect(await keys("list", "--json")).toEqual({ code: 0, stdout: "", stderr: "" });
    });
  });

  it("shows each key by its beginning, with label, state and expiry", async () => {
    await inDatabaseOfItsOwn(async (own, keys) => {
      const free = await own.makeKey({ label: "ACME", expires: "2099-01-31" });
      const revoked = await own.makeKey();
      const expired = await own.makeKey({ expires: "2020-01-01" });
      await own.sql`SELECT revoke_key(${revoked.id}, NULL)`;
      const { code, stdout } = await keys("list");
      const lines = stdout.trimEnd().split("\n");
      expect(lines[0]).toMatch(/^ID +KEY +LABEL +STATE +LAST USED +EXPIRES$/);
      expect(lines[1]).toMatch(new RegExp(`^ *${free.id} +${free.key.slice(0, 8)}… +ACME +free +- +2099-01-31$`));
      expect(lines[2]).toMatch(/ revoked +- +-$/);
      expect(lines[3]).toMatch(/ expired +- +2020-01-01$/);
      expect(lines).toHaveLength(4);
      expect(stdout).not.toContain(expired.key);
      expect(findSecrets(stdout)).toEqual([]);
      expect(code).toBe(0);
    });
  });

  it("prints a key a line with --json, and says which one is in use", async () => {
    const used = await db.makeKey({ label: "used" });
    await start(used.key);
    const { stdout } = await keys("list", "--json");
    const rows = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const row = rows.find(({ id }) => id === used.id);
    expect(row).toEqual({
      id: used.id,
      access_key: `${used.key.slice(0, 8)}…`,
      label: "used",
      live: true,
      created_at: expect.any(String),
      last_used_at: expect.any(String),
      expires_at: null,
      revoked_at: null,
    });
    expect(findSecrets(stdout)).toEqual([]);
    expect((await keys("list")).stdout).toMatch(/used +in use +\d+ s ago/);
  });

  it("lets no control character of a label reach the terminal", async () => {
    await db.makeKey({ label: "evil\u001b[2J\u0007\u009b\r\nlabel" });
    const { stdout } = await keys("list");
    expect(stdout).toMatch(/evil.*label/);
    expect(stdout.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    expect((await keys("list", "--json")).stdout).not.toContain("\u001b");
  });
});

describe("keybeat keys revoke", () => {
  const waysToSay: Array<[string, (made: { key: string; id: number }) => string]> = [
    ["its first characters", ({ key }) => key.slice(0, 8)],
    ["id:<id>", ({ id }) => `id:${id}`],
    ["the whole key", ({ key }) => key],
  ];
  it.each(waysToSay)("revokes one key by %s, and no other", async (_how, say) => {
    const [made, other] = [await db.makeKey(), await db.makeKey()];
    const { code, stdout, stderr } = await keys("revoke", say(made));
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(`revoked key ${made.id} (${made.key.slice(0, 8)}…)\n`);
    expect(await codeOf(made.key)).toBe("key_revoked");
    expect((await start(other.key)).status).toBe(200);
  });

  it("takes plain digits for an id, unless a key begins with them too", async () => {
    await inDatabaseOfItsOwn(async (own, keys) => {
      await keys("create", "--key", "x-first-key");
      expect((await keys("revoke", "1")).stdout).toBe("revoked key 1 (x-fir…)\n");
      await keys("create", "--key", "1-second-key");
      const { code, stderr } = await keys("revoke", "1");
      expect([code, stderr]).toEqual([
        1,
        "keybeat: several keys fit, none was revoked: say more characters, or id:<id>\n",
      ]);
      const [second] = await own.sql`SELECT revoked_at FROM keys WHERE id = 2`;
      expect(second?.revoked_at).toBeNull();
    });
  });

  it("ends the key's live session as revoked, and says so", async () => {
    const { key, id } = await db.makeKey();
    const session_id = newSessionId();
    await start(key, session_id);
    const { stdout } = await keys("revoke", `id:${id}`);
    expect(stdout).toBe(`revoked key ${id} (${key.slice(0, 8)}…), its live session has ended\n`);
    const { status, body } = await app.post("/api/session/heartbeat", { session_id });
    expect([status, body.code]).toEqual([410, "session_revoked"]);
    const [entry] = await db.sql`SELECT who FROM audit_log WHERE action = 'key_revoked' AND key_id = ${id}`;
    expect(entry?.who).toBe(`command line (${userInfo().username})`);
  });

  it("says with --json what it did", async () => {
    const { key, id } = await db.makeKey();
    await start(key);
    const { stdout } = await keys("revoke", key.slice(0, 8), "--json");
    expect(JSON.parse(stdout)).toEqual({ id, revoked: true, session_ended: true });
  });

  it("refuses a beginning that fits several keys, lists them, and revokes none", async () => {
    const made = ["one", "two"].map((name) => `samesame-${name}${newAccessKey()}`);
    for (const key of made) await keys("create", "--key", key);
    const { code, stdout, stderr } = await keys("revoke", "samesame");
    expect(stdout.match(/samesame…/g)).toHaveLength(2);
    expect(stderr).toBe("keybeat: several keys fit, none was revoked: say more characters, or id:<id>\n");
    expect(code).toBe(1);
    const listed = JSON.parse((await keys("revoke", "samesame", "--json")).stdout);
    expect(listed.matches).toHaveLength(2);
    for (const key of made) expect((await start(key)).status).toBe(200);
  });

  it.each(["nothing-like-that", "id:999999999", "", "%", "________"])(
    "revokes nothing where no key fits: «%s»",
    async (which) => {
      const { key } = await db.makeKey();
      const { code, stdout, stderr } = await keys("revoke", which);
      expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: "", stderr: "keybeat: no key fits\n" });
      expect((await start(key)).status).toBe(200);
    },
  );
});
