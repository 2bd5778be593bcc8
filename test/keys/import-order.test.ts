import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Database, openDatabase } from "../../src/database/database.ts";
import { insertKeys } from "../../src/keys/sql.ts";
import { useDatabase } from "../support/database.ts";

const ROUNDS = 10;
const KEYS = 1500;

const db = useDatabase();
let other: Database;
beforeAll(() => {
  other = openDatabase(db.url);
});
afterAll(() => other.close());

it("two imports of the same keys in opposite order take each key in once, and neither waits for ever", async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const keys = Array.from({ length: KEYS }, () => ({
      hash: randomBytes(32),
      alias: null,
      prefix: "imported",
      label: null,
      expiresAt: null,
    }));
    const by = { who: "a test", from: null };
    const imported = await Promise.all([insertKeys(db.database, keys, by), insertKeys(other, [...keys].reverse(), by)]);
    expect(imported[0] + imported[1]).toBe(KEYS);
  }
});
