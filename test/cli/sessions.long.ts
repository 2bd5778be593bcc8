import { userInfo } from "node:os";
import { describe, expect, it } from "vitest";
import { useApp } from "../support/app.ts";
import { cloneDatabase, useDatabase } from "../support/database.ts";
import { keybeat } from "../support/process.ts";
import { findSecrets, newProofWord, newSessionId } from "../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);

async function sessions(...args: string[]) {
  const result = await keybeat(["sessions", ...args], { DATABASE_URL: db.url });
  expect(findSecrets(result.stdout + result.stderr)).toEqual([]);
  return result;
}

/** Starts a session on a new key. */
async function newSession(options: { session_id?: string; device?: Record<string, string>; proof?: object } = {}) {
  const made = await db.makeKey();
  const session_id = options.session_id ?? newSessionId();
  const { status } = await app.post("/api/session/start", { access_key: made.key, ...options, session_id });
  expect(status).toBe(200);
  return { ...made, session_id };
}

const beat = async (session_id: string) => {
  const { status, body } = await app.post("/api/session/heartbeat", { session_id });
  return status === 200 ? 200 : (body.code as string);
};

describe("keybeat sessions list", () => {
  it("says so where nobody is on", async () => {
    const own = await cloneDatabase();
    try {
      const env = { DATABASE_URL: own.url };
      expect(await keybeat(["sessions", "list"], env)).toEqual({ code: 0, stdout: "nobody is on\n", stderr: "" });
      expect(await keybeat(["sessions", "list", "--json"], env)).toEqual({ code: 0, stdout: "", stderr: "" });
    } finally {
      await own.drop();
    }
  });

  it("shows who is on by masked ids, with the device; silent and ended sessions are not there", async () => {
    const on = await newSession({ device: { name: "Office PC", platform: "windows", app_version: "2.1" } });
    const bare = await newSession();
    const silent = await newSession();
    const ended = await newSession();
    await db.age(silent.id, 61);
    await app.post("/api/session/end", { session_id: ended.session_id });

    const { code, stdout, stderr } = await sessions("list");
    expect([code, stderr]).toEqual([0, ""]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^SESSION +KEY +DEVICE +STARTED +LAST HEARTBEAT$/);
    const lineOf = (session: { session_id: string }) =>
      lines.find((line) => line.startsWith(session.session_id.slice(0, 8)));
    expect(lineOf(on)).toMatch(
      new RegExp(`^\\w{8}… +${on.key.slice(0, 8)}… +Office PC, windows, 2.1 +\\d+ s ago +\\d+ s ago$`),
    );
    expect(lineOf(bare)).toMatch(/… +- +\d+ s ago/);
    expect([lineOf(silent), lineOf(ended)]).toEqual([undefined, undefined]);
  });

  it("prints a session a line with --json", async () => {
    const on = await newSession({ device: { name: "Laptop" } });
    const { stdout } = await sessions("list", "--json");
    const rows = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(rows.find(({ key_id }) => key_id === on.id)).toMatchObject({
      session_id: `${on.session_id.slice(0, 8)}…`,
      access_key: `${on.key.slice(0, 8)}…`,
      device: { name: "Laptop" },
      generation: expect.any(Number),
      started_at: expect.any(String),
      last_heartbeat: expect.any(String),
      seconds_since_heartbeat: expect.any(Number),
      with_proof: false,
      may_be_copied: false,
    });
  });

  it("says which may be copied, and which have proof", async () => {
    const proven = await newSession({
      proof: { instance: newProofWord(), number: 0, beat_id: newProofWord() },
    });
    const on = await newSession();
    await db.sql`
      INSERT INTO suspected_copies (key_id, generation, times_asked, seen_at)
      SELECT key_id, generation, 2, now() FROM active_sessions WHERE key_id = ${on.id}`;
    const { stdout } = await sessions("list");
    const line = stdout.split("\n").find((one) => one.startsWith(on.session_id.slice(0, 8)));
    expect(line).toContain(" s ago, may be copied");
    expect(stdout).toMatch(new RegExp(`^${proven.session_id.slice(0, 8)}.* s ago, with proof$`, "m"));
  });

  it("shows with --offline who holds a key by a lease, and until when; a kick frees the key", async () => {
    expect((await sessions("list", "--offline")).stdout).toBe("no key is held offline\n");
    const [away, over] = [await newSession({ device: { name: "Laptop" } }), await newSession()];
    for (const [{ id }, until] of [
      [away, "2099-01-31 12:30Z"],
      [over, "now"],
    ] as const) {
      await db.sql`
        INSERT INTO leases (key_id, lease_id, session_id, generation, device, issued_at, until)
        SELECT key_id, 'lease-' || key_id, session_id, generation, device, now() - interval '1 hour', ${until}::text::timestamptz
        FROM active_sessions WHERE key_id = ${id}`;
      await db.age(id, 61);
    }
    const { stdout } = await sessions("list", "--offline");
    const [head, line, ...more] = stdout.trimEnd().split("\n");
    expect(head).toMatch(/^SESSION +KEY +DEVICE +GIVEN +UNTIL$/);
    const shown = [away.session_id, away.key].map((secret) => `${secret.slice(0, 8)}…`).join(" +");
    expect(line).toMatch(new RegExp(`^${shown} +Laptop +60 min ago +2099-01-31 12:30 UTC$`));
    expect(more).toEqual([]);
    const json = JSON.parse((await sessions("list", "--offline", "--json")).stdout);
    expect(json).toMatchObject({ key_id: away.id, until: "2099-01-31T12:30:00.000Z", device: { name: "Laptop" } });
    expect(await sessions("kick", away.session_id.slice(0, 8))).toEqual({
      code: 0,
      stdout: `freed the lease of key ${away.key.slice(0, 8)}…; nobody was live\n`,
      stderr: "",
    });
    expect((await sessions("list", "--offline")).stdout).toBe("no key is held offline\n");
  });

  it("lets no control character of a device's name reach the terminal", async () => {
    await newSession({ device: { name: "evil\u001b[2J\u009b\r\nname" } });
    const { stdout } = await sessions("list");
    expect(stdout).toMatch(/evil.*name/);
    expect(stdout.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
  });
});

describe("keybeat sessions kick", () => {
  it.each([
    ["by its first characters", (id: string) => id.slice(0, 8)],
    ["as the list shows it", (id: string) => `${id.slice(0, 8)}…`],
    ["by its whole id", (id: string) => id],
  ])("ends one live session %s, as revoked; the key stays good", async (_how, say) => {
    const [kicked, other] = [await newSession(), await newSession()];
    const { code, stdout, stderr } = await sessions("kick", say(kicked.session_id));
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stderr: "",
      stdout: `kicked the session of key ${kicked.key.slice(0, 8)}…\n`,
    });
    expect(await beat(kicked.session_id)).toBe("session_revoked");
    expect(await beat(other.session_id)).toBe(200);
    expect((await app.post("/api/session/start", { access_key: kicked.key })).status).toBe(200);
    const entries = await db.sql`SELECT who FROM audit_log WHERE action = 'session_kicked' ORDER BY id DESC LIMIT 1`;
    expect(entries[0]?.who).toBe(`command line (${userInfo().username})`);
  });

  it("says with --json what it did", async () => {
    const { session_id, key } = await newSession();
    const { stdout } = await sessions("kick", session_id.slice(0, 8), "--json");
    expect(JSON.parse(stdout)).toEqual({
      kicked: true,
      lease_freed: false,
      session_id: `${session_id.slice(0, 8)}…`,
      access_key: `${key.slice(0, 8)}…`,
    });
  });

  it("says that it freed the lease as well", async () => {
    const { id, key, session_id } = await newSession();
    await db.sql`
      INSERT INTO leases (key_id, lease_id, session_id, generation, issued_at, until)
      SELECT key_id, 'lease-' || key_id, session_id, generation, now(), now() + interval '1 hour'
      FROM active_sessions WHERE key_id = ${id}`;
    expect((await sessions("kick", session_id.slice(0, 8))).stdout).toBe(
      `kicked the session of key ${key.slice(0, 8)}…, and freed its lease\n`,
    );
    expect(await beat(session_id)).toBe("session_revoked");
  });

  it("refuses a beginning that fits several sessions, lists them, and kicks none", async () => {
    const ids = ["one", "two"].map((name) => `samesame-${name}-${newSessionId()}`);
    for (const session_id of ids) await newSession({ session_id, device: { name: "Laptop" } });
    const { code, stdout, stderr } = await sessions("kick", "samesame-");
    expect(stdout.match(/^samesame-… .*Laptop$/gm)).toHaveLength(2);
    expect([code, stderr]).toEqual([1, "keybeat: several sessions fit, none was kicked: say more characters\n"]);
    const { matches } = JSON.parse((await sessions("kick", "samesame-", "--json")).stdout);
    expect(matches).toHaveLength(2);
    for (const id of ids) expect(await beat(id)).toBe(200);
    expect((await sessions("kick", "samesame-o")).code).toBe(0);
    expect(await Promise.all(ids.map(beat))).toEqual(["session_revoked", 200]);
  });

  it.each(["nothing-like-that", "", "…", "%", "________"])(
    "kicks nobody where no id begins so: «%s»",
    async (prefix) => {
      const { session_id } = await newSession();
      const { code, stdout, stderr } = await sessions("kick", prefix);
      expect({ code, stdout, stderr }).toEqual({
        code: 1,
        stdout: "",
        stderr: "keybeat: no live session's id begins so, nor that of a lease\n",
      });
      expect(await beat(session_id)).toBe(200);
    },
  );

  it("does not find a session that has ended already", async () => {
    const { session_id } = await newSession();
    await app.post("/api/session/end", { session_id });
    expect((await sessions("kick", session_id)).code).toBe(1);
    expect(await beat(session_id)).toBe("session_ended");
  });
});
