/** The migration of the administration, on a database that the version before has filled and goes on serving from. */
import { randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate } from "drizzle-orm/postgres-js/migrator";
import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { selectKeysWithHolder } from "../../src/admin/keys/sql.ts";
import { openDatabase } from "../../src/database/database.ts";
import { migrateDatabase } from "../../src/database/migrate.ts";
import { databaseUrl } from "../support/database-url.ts";

const BEFORE = 3;
const STARTERS = 4;
const LABELLED = 20_000;

let name: string;
let url: string;
let admin: postgres.Sql;
let sql: postgres.Sql;

/** As the version before left it: its migrations, keys with labels, and endings of this month and of earlier ones. */
beforeEach(async () => {
  name = `keybeat_upgrade_${process.pid}_${randomBytes(4).toString("hex")}`;
  url = databaseUrl(inject("serverUrl"), name);
  admin = postgres(inject("serverUrl"), { max: 1, onnotice: () => {} });
  await admin.unsafe(`CREATE DATABASE ${name}`);
  const folder = mkdtempSync(join(tmpdir(), "keybeat-migrations-"));
  cpSync("migrations", folder, { recursive: true });
  const journal = JSON.parse(readFileSync(join(folder, "meta/_journal.json"), "utf8"));
  journal.entries = journal.entries.slice(0, BEFORE);
  writeFileSync(join(folder, "meta/_journal.json"), JSON.stringify(journal));
  const migrator = postgres(url, { max: 1, onnotice: () => {} });
  await migrate(drizzle(migrator), { migrationsFolder: folder });
  await migrator.end();
  rmSync(folder, { recursive: true });
  sql = postgres(url, { max: STARTERS + 1, onnotice: () => {} });
  await sql`
    INSERT INTO keys (key_hash, key_prefix, label)
    SELECT sha256(convert_to('key ' || n, 'UTF8')), 'prefix', 'customer ' || n FROM generate_series(1, ${LABELLED}::int) n`;
  await sql`
    INSERT INTO session_history (key_id, access_key, session_id, generation, started_at, last_heartbeat, ended_at, reason)
    SELECT n, 'x…', 'past-session-' || n, n, t, t, t, 'ended'
    FROM generate_series(1, 1000) n, LATERAL (SELECT clock_timestamp() - make_interval(hours => n) AS t) x`;
});

afterEach(async () => {
  await sql.end({ timeout: 1 });
  await admin.unsafe(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await admin.end();
});

/** What the version before calls, from its first call to its last while the migration goes on beside it. */
async function serveAsBefore(until: Promise<unknown>): Promise<{ starts: number; refused: string[] }> {
  let over = false;
  void until.finally(() => {
    over = true;
  });
  const refused: string[] = [];
  let starts = 0;
  const serve = async (starter: number) => {
    for (let n = 0; !over; n++) {
      const id = `session-of-starter-${starter}-${n}`;
      try {
        await sql`SELECT * FROM start_session(sha256(convert_to(${`key ${(n % 3) + 1}`}, 'UTF8')), 'x…', ${id}, NULL, false, NULL)`;
        await sql`SELECT * FROM beat_sessions(${id})`;
        await sql`SELECT * FROM look_at_sessions(${id}, true)`;
        if (n % 5 === 0) await sql`SELECT end_session(${id})`;
        if (n % 7 === 0)
          await sql`INSERT INTO keys (key_hash, key_prefix, label) VALUES (${randomBytes(8)}, 'late', 'latecomer')`;
        starts++;
      } catch (error) {
        refused.push(String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: STARTERS }, (_, at) => serve(at)));
  return { starts, refused };
}

describe("the migration of the administration", () => {
  it("refuses no call of the version before, and finds every label, also of keys made meanwhile", async () => {
    const migrating = migrateDatabase(url);
    const served = await serveAsBefore(migrating);
    expect((await migrating).applied).toBeGreaterThan(0);
    expect(served.refused).toEqual([]);
    expect(served.starts).toBeGreaterThan(0);

    const late = await sql`SELECT id FROM keys WHERE label = 'latecomer' ORDER BY id DESC`;
    expect(late.length).toBeGreaterThan(0);
    const database = openDatabase(url);
    try {
      const found = await selectKeysWithHolder(database, { label: "latecomer", limit: 100_000 });
      expect(found.map((row) => row.id)).toEqual(late.map((row) => Number(row.id)));
      const [one] = await selectKeysWithHolder(database, { label: `customer ${LABELLED}`, limit: 2 });
      expect(one?.label).toBe(`customer ${LABELLED}`);
    } finally {
      await database.close();
    }
    const [words] = await sql`SELECT count(*)::int AS n FROM key_words`;
    expect(words?.n).toBe(LABELLED + late.length);
  });

  it("leaves a database that the version before can go on with", async () => {
    await migrateDatabase(url);
    const { starts, refused } = await serveAsBefore(new Promise((resolve) => setTimeout(resolve, 1000)));
    expect([starts > 0, refused]).toEqual([true, []]);
    const [row] = await sql`SELECT revoke_session(2) AS session, revoke_key(3) AS key`;
    expect(Object.keys(row ?? {})).toEqual(["session", "key"]);
    const [words] = await sql`
      SELECT count(*)::int AS n FROM keys k LEFT JOIN key_words w ON w.key_id = k.id
      WHERE (w.words IS NULL) <> (k.label IS NULL)`;
    expect(words?.n).toBe(0);
  });
});
