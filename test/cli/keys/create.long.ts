import { describe, expect, it } from "vitest";
import { newAccessKey } from "../../support/secrets.ts";
import { useKeys } from "./support/keys.ts";

const { db, keys, start, codeOf } = useKeys();

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
