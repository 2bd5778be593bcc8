/**
 * During an upgrade processes of two releases share one database, whose schema is the newer one's. So every statement
 * that an older release sends (recorded from PostgreSQL's log while it answered the recorded story and its commands
 * ran) must still be understood, take what it took and give what it gave.
 */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { useDatabase } from "../support/database.ts";
import { keybeat, startServer } from "../support/process.ts";
import { newAccessKey, newSessionId } from "../support/secrets.ts";

interface Statement {
  text: string;
  /** Types as PostgreSQL numbers them. */
  parameters: number[];
  columns: Array<{ name: string; type: number }>;
}

const records = readdirSync("test/recorded")
  .filter((file) => file.endsWith(".statements.json"))
  .map((file) => JSON.parse(readFileSync(`test/recorded/${file}`, "utf8")) as Record)
  .map((record) => ({ ...record, find: (begin: string) => textOf(record, begin) }));

interface Record {
  recorded_from: string;
  statements: Statement[];
}

const db = useDatabase();

function textOf(record: Record, begin: string): string {
  const found = record.statements.filter(({ text }) => text.startsWith(begin));
  expect(found).toHaveLength(1);
  return found[0]?.text as string;
}

it("there is a record of at least one release", () => expect(records.length).toBeGreaterThan(0));

describe.each(records)("beside a newer one, $recorded_from", ({ statements, find }) => {
  it.each(statements)("is understood: $text", async ({ text, parameters, columns }) => {
    const now = await db.sql.unsafe(text).describe();
    expect(now.types).toEqual(parameters);
    expect(now.columns.map(({ name, type }) => ({ name, type }))).toEqual(expect.arrayContaining(columns));
  });

  it("starts, keeps and takes over sessions by its own statements, also one that the newer release began", async () => {
    const { key, id } = await db.makeKey();
    const server = await startServer({ DATABASE_URL: db.url, CLEANUP_CRON: "" });
    const [ours, theirs] = [newSessionId(), newSessionId()];
    const hash = Buffer.from(db.hashKey(key));
    const run = async (begin: string, parameters: unknown[]) => (await db.sql.unsafe(find(begin), parameters as []))[0];
    try {
      await server.post("/api/session/start", { access_key: key, session_id: ours });
      expect((await run("SELECT * FROM beat_sessions", [ours]))?.beaten).toContain(ours);
      const taken = await run("SELECT * FROM start_session", [hash, `${key.slice(0, 8)}…`, theirs, null, false, null]);
      expect(taken).toMatchObject({ outcome: "started", holder: { session_id: `${ours.slice(0, 8)}…` } });
      const told = await server.post("/api/session/heartbeat", { session_id: ours });
      expect(told).toMatchObject({ status: 410, body: { code: "session_replaced" } });
      expect((await server.post("/api/session/heartbeat", { session_id: theirs })).status).toBe(200);
      expect(await run("SELECT *, clock_timestamp() AS at FROM look_at_sessions", [ours, false])).toMatchObject({
        outcome: "replaced",
      });
      expect((await run("SELECT end_session", [theirs]))?.ended).toBe(true);
      expect((await run("SELECT revoke_key", [id]))?.session_revoked).toBe(false);
    } finally {
      await server.stop();
    }
  });
});

it("a release starts on a database that a newer one has migrated already", async () => {
  const ahead = Date.now() + 1e9;
  await db.sql`INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('of a newer release', ${ahead})`;
  try {
    expect(await keybeat(["migrate"], { DATABASE_URL: db.url })).toMatchObject({
      code: 0,
      stdout: "the schema is up to date\n",
    });
    const server = await startServer({ DATABASE_URL: db.url });
    expect((await server.post("/api/session/start", { access_key: newAccessKey() })).status).toBe(403);
    expect(await server.stop()).toBe(0);
  } finally {
    await db.sql`DELETE FROM drizzle.__drizzle_migrations WHERE created_at = ${ahead}`;
  }
});
