import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { parseExpiry } from "../../src/keys/expiry.ts";
import { createHashKey, keyPrefix, maskKey, mintKey } from "../../src/keys/secret.ts";
import { useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";

const db = useDatabase();
const app = useApp(db);

describe("a minted key", () => {
  it("has 32 characters of an alphabet without look-alikes, 160 bits, each as likely as another", () => {
    const seen = new Map<string, number>();
    const keys = new Set(Array.from({ length: 5000 }, mintKey));
    expect(keys.size).toBe(5000);
    for (const key of keys) {
      expect(key).toMatch(/^[0-9a-hjkmnp-tv-z]{32}$/);
      for (const character of key) seen.set(character, (seen.get(character) ?? 0) + 1);
    }
    expect(seen.size).toBe(32);
    // 5,000 expected of each, standard deviation 70: seven of them apart is no chance.
    for (const count of seen.values()) expect(Math.abs(count - 5000)).toBeLessThan(490);
  });
});

describe("what is kept of a key", () => {
  it("is a SHA-256, or an HMAC with the pepper, and the key stands nowhere in the database", async () => {
    const { key } = await db.makeKey({ label: "kept" });
    await app.post("/api/session/start", { access_key: key });
    await app.post("/api/session/start", { access_key: key });
    for (const table of ["keys", "active_sessions", "session_history"]) {
      const rows = await db.sql`SELECT to_jsonb(t) AS row FROM ${db.sql(table)} t`;
      expect(rows.length).toBeGreaterThan(0);
      expect(JSON.stringify(rows)).not.toContain(key);
    }
    const peppered = Buffer.from(createHashKey("pepper")(key)).toString("hex");
    expect(peppered).toBe(createHmac("sha256", "pepper").update(key).digest("hex"));
    expect(peppered).not.toBe(Buffer.from(createHashKey(undefined)(key)).toString("hex"));
  });

  it("shows the first 8 characters, and of a short key never the whole", () => {
    expect(maskKey("abc12345-and-more")).toBe("abc12345…");
    expect([keyPrefix("12345678"), keyPrefix("a"), keyPrefix("ab"), keyPrefix("🔑🔑🔑🔑")]).toEqual([
      "1234",
      "",
      "a",
      "🔑🔑",
    ]);
  });
});

/** Years that RFC 3339 does not have, or that come back as others. The zero of Go's and C#'s clocks is one. */
const OUT_OF_YEARS = [
  ...["0000-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "0000-12-31", "99999999w"],
  ...["0001-01-01T00:00:00Z", "0099-12-31"],
];

describe("an expiry", () => {
  it("is a date (through its end), a moment (UTC where no zone is said) or a span from now", () => {
    const now = Date.parse("2026-01-01T00:00:00Z");
    expect(parseExpiry("2027-01-31")).toBe("2027-01-31T23:59:59.999Z");
    expect(parseExpiry("2027-01-31T12:00:00")).toBe("2027-01-31T12:00:00.000Z");
    expect(parseExpiry("2027-01-31T12:00:00+02:00")).toBe("2027-01-31T10:00:00.000Z");
    expect(parseExpiry("30d", now)).toBe("2026-01-31T00:00:00.000Z");
    expect(parseExpiry("90m", now)).toBe("2026-01-01T01:30:00.000Z");
  });

  it("is refused without its text, which may be a key in the wrong column", () => {
    for (const text of [
      "2027-02-30",
      "999999w",
      "soon",
      "THE-WHOLE-KEY-IN-THE-WRONG-COLUMN",
      "-1d",
      "2027-1-1",
      ...OUT_OF_YEARS,
    ]) {
      let said = "";
      try {
        parseExpiry(text);
      } catch (error) {
        said = (error as Error).message;
      }
      expect(said).toContain("no date");
      expect(said).not.toContain(text);
    }
  });
});
