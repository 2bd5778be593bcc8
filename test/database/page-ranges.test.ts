/** A large table in pieces. */
import { describe, expect, it } from "vitest";
import { pageRanges } from "../../src/database/page-ranges.ts";
import { useDatabase } from "../support/database.ts";

const db = useDatabase();

/** A row fills a page of 8 KiB. */
async function makeTable(name: string, rows: number): Promise<void> {
  await db.sql.unsafe(`
    CREATE TABLE ${name} (n integer, filling text);
    ALTER TABLE ${name} ALTER filling SET STORAGE PLAIN;
    INSERT INTO ${name} SELECT n, repeat('x', 7000) FROM generate_series(1, ${rows}) n`);
}

async function read(table: string, between = async () => {}) {
  const seen: number[] = [];
  let pieces = 0;
  for await (const { first, past } of pageRanges(db.database, table)) {
    const rows = await db.sql`
      SELECT n FROM ${db.sql(table)} WHERE ctid >= ${first}::tid AND ctid < ${past}::tid ORDER BY n`;
    for (const { n } of rows) seen.push(n);
    pieces++;
    await between();
  }
  return { seen, pieces };
}

const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1);

describe("the pieces of a table", () => {
  it("are one for an empty table, and for a small one", async () => {
    await makeTable("none", 0);
    await makeTable("small", 100);
    expect(await read("none")).toEqual({ seen: [], pieces: 1 });
    expect(await read("small")).toEqual({ seen: upTo(100), pieces: 1 });
  });

  it("have every row of a large one once, and what is added at its end while it is read", async () => {
    await makeTable("large", 3000);
    expect(await read("large")).toEqual({ seen: upTo(3000), pieces: 3 });
    let added = 0;
    const grow = async () => {
      if (added++ === 0) await db.sql`INSERT INTO large SELECT n, repeat('x', 7000) FROM generate_series(3001, 4000) n`;
    };
    expect((await read("large", grow)).seen).toEqual(upTo(4000));
  });

  it("are all that the cleanup and the count read of the table", async () => {
    await db.sql`
      WITH fresh AS (
        INSERT INTO keys (key_hash, key_prefix)
        SELECT sha256(n::text::bytea), 'seeded00' FROM generate_series(1, 30000) n RETURNING id
      )
      INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat)
      SELECT id, 'seeded00…', md5(id::text), id, at, at FROM fresh, clock_timestamp() AS at`;
    await db.sql`ANALYZE active_sessions`;
    const [table] = await db.sql`
      SELECT pg_relation_size('active_sessions') / current_setting('block_size')::int AS pages`;
    expect(table?.pages).toBeGreaterThan(600);
    for (const read of [
      "SELECT * FROM expire_sessions('(0,0)', '(50,0)', 1000)",
      "SELECT count(*) FROM active_sessions WHERE ctid >= '(0,0)'::tid AND ctid < '(50,0)'::tid",
    ]) {
      for (let first = 0; first < 2; first++) await db.sql.unsafe(read); // read in order to plan it
      const [row] = await db.sql.unsafe<Array<{ "QUERY PLAN": Array<{ Plan: Record<string, number> }> }>>(
        `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${read}`,
      );
      const plan = row?.["QUERY PLAN"][0]?.Plan;
      const pages = Number(plan?.["Shared Hit Blocks"]) + Number(plan?.["Shared Read Blocks"]);
      expect(pages).toBeGreaterThanOrEqual(50);
      expect(pages).toBeLessThan(300);
    }
  });
});
