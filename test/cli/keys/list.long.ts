import { describe, expect, it } from "vitest";
import { findSecrets } from "../../support/secrets.ts";
import { inDatabaseOfItsOwn, useKeys } from "./support/keys.ts";

const { db, keys, start } = useKeys();

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
      leased_until: null,
    });
    expect(findSecrets(stdout)).toEqual([]);
    expect((await keys("list")).stdout).toMatch(/used +in use +\d+ s ago/);
  });

  it("says until when a device holds a key offline", async () => {
    const lent = await db.makeKey({ label: "lent" });
    await db.sql`
      INSERT INTO leases (key_id, lease_id, session_id, generation, issued_at, until)
      VALUES (${lent.id}, 'a-lease', 'a-session-that-ended', 1, '2026-01-01T00:00Z', '2099-03-02T09:15:59Z')`;
    expect((await keys("list")).stdout).toMatch(/lent +offline until 2099-03-02 09:15 UTC +-/);
    const { stdout } = await keys("list", "--json");
    expect(stdout).toContain('"leased_until":"2099-03-02T09:15:59.000Z"');
  });

  it("lets no control character of a label reach the terminal", async () => {
    await db.makeKey({ label: "evil\u001b[2J\u0007\u009b\r\nlabel" });
    const { stdout } = await keys("list");
    expect(stdout).toMatch(/evil.*label/);
    expect(stdout.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    expect((await keys("list", "--json")).stdout).not.toContain("\u001b");
  });
});
