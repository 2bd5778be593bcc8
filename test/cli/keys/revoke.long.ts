import { userInfo } from "node:os";
import { describe, expect, it } from "vitest";
import { newAccessKey, newSessionId } from "../../support/secrets.ts";
import { inDatabaseOfItsOwn, useKeys } from "./support/keys.ts";

const { db, app, keys, start, codeOf } = useKeys();

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
