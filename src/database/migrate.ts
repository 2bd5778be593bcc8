/** Brings the schema up to date. Any number of processes may call it at once: one does the work, the others wait. */
import type { TransactionSql } from "postgres";
import { OperatorError } from "../errors.ts";
import { findWay, openConnections, type Sql } from "./connections.ts";
import { nameServers } from "./destination.ts";
import type { Functions } from "./functions.ts";
import { NO_PATIENCE, type Patience, pause, sayNowAndThen, untilStopped } from "./patience.ts";
import { type Reached, reachDatabase } from "./reach.ts";
import { findDue, isNothing, readSchema, type Schema } from "./schema.ts";

const MIGRATION_LOCK = 1262834007;
const LOCK_AGAIN_MS = 200;
/** Another process's migration may take long. */
const LOCK_WAIT_MINUTES = 15;
/**
 * Requests queue behind a migration that waits for a lock, and a deadlock (detected after a second) may fail them
 * instead. So it gives up all its locks soon, and retries.
 */
const LOCK_MS_MAX = 300;

export interface MigrationReport extends Reached {
  /** The number of migrations applied. */
  applied: number;
  /** Whether the functions were re-applied. */
  functions: boolean;
}

type Applied = Pick<MigrationReport, "applied" | "functions">;

/**
 * Only reads if nothing is due, so a role without any right to change the schema can serve. Throws an OperatorError if
 * the database cannot be reached, is too old, or refuses.
 */
export async function migrateDatabase(url: string, patience = NO_PATIENCE): Promise<MigrationReport> {
  const way = findWay(url);
  const reached = await reachDatabase(way, patience);
  const sql = openConnections(way, { name: "migrate", prepare: false });
  try {
    const schema = await untilStopped(readSchema(sql), patience.stop);
    const done = isNothing(findDue(schema))
      ? { applied: 0, functions: false }
      : await untilStopped(migrateInTurn(sql, patience), patience.stop);
    return { ...done, ...reached };
  } catch (error) {
    if (error instanceof OperatorError || patience.stop.aborted) throw error;
    const { message } = error as { message?: string };
    throw new OperatorError(
      `the database at ${nameServers(way.destination)} could not be migrated: ${message ?? String(error)}`,
    );
  } finally {
    await sql.end({ timeout: patience.stop.aborted ? 0 : 2 });
  }
}

async function migrateInTurn(sql: Sql, { stop, say }: Patience): Promise<Applied> {
  const giveUpAt = performance.now() + LOCK_WAIT_MINUTES * 60_000;
  const tell = sayNowAndThen(say);
  for (;;) {
    const applied = await sql
      // Whatever the role's default: it must see what the process before it has committed.
      .begin("isolation level read committed read write", async (transaction) => {
        // Tried instead of waited for: a waiter holds a connection, and a pooler's small pool would have none left for
        // the process that migrates.
        const [row] = await transaction`SELECT pg_try_advisory_xact_lock(${MIGRATION_LOCK}) AS ours`;
        return row?.ours ? applyMigrations(transaction) : undefined;
      })
      .catch(unlessHeld);
    if (typeof applied === "object") return applied;
    const what = applied === "held" ? "a table that somebody else has locked" : "another process's migration";
    if (performance.now() > giveUpAt) throw new OperatorError(`waited for ${what} for ${LOCK_WAIT_MINUTES} minutes`);
    tell(`waiting for ${what}`, `, for up to ${LOCK_WAIT_MINUTES} minutes`);
    await pause(LOCK_AGAIN_MS, stop);
  }
}

/** A lock that is not to be had, or only by a deadlock: nothing has changed. */
function unlessHeld(error: { code?: string }): "held" {
  if (error.code === "40P01" || error.code === "55P03") return "held";
  throw error;
}

async function applyMigrations(sql: TransactionSql<{ bigint: number }>): Promise<Applied> {
  const found = await readSchema(sql);
  if (found.name === null) await makeSchema(sql, found);
  const schema = found.name === null ? await readSchema(sql) : found;
  const { name, journal, applied } = schema;
  // SET LOCAL, so that it also ends with this transaction behind a pooler.
  await sql.unsafe(
    `SET LOCAL search_path TO ${name}; SET LOCAL statement_timeout TO 0; SET LOCAL lock_timeout TO ${LOCK_MS_MAX}`,
  );
  if (applied === undefined) await makeJournal(sql, journal);
  const due = findDue(schema);
  for (const { sql: statements, hash, folderMillis } of due.migrations) {
    // drizzle-kit qualifies foreign keys with the schema name it knows.
    for (const statement of statements) await sql.unsafe(statement.replaceAll('"public".', `${name}.`));
    await sql.unsafe(`INSERT INTO ${journal} (hash, created_at) VALUES ($1, $2)`, [hash, folderMillis]);
  }
  if (due.functions) await applyFunctions(sql, due.functions);
  return { applied: due.migrations.length, functions: due.functions !== undefined };
}

async function applyFunctions(
  sql: TransactionSql<{ bigint: number }>,
  { files, version, hash }: Functions,
): Promise<void> {
  await sql`SET LOCAL check_function_bodies TO off`; // a file may call functions of a later one
  for (const file of files) await sql.unsafe(file);
  await sql`
    INSERT INTO applied_functions AS f (version, hash, applied_at) VALUES (${version}, ${hash}, clock_timestamp())
    ON CONFLICT (version) DO UPDATE SET hash = excluded.hash, applied_at = excluded.applied_at`;
}

/** Creates a schema that the connection string names alone, as other tools do. */
async function makeSchema(sql: TransactionSql<{ bigint: number }>, { searchPath }: Schema): Promise<void> {
  if (!/^("(?:[^"$]|"")+"|[\w]+)$/.test(searchPath)) {
    throw new OperatorError(`no schema of search_path (${searchPath}) exists in the database: make one, or change it`);
  }
  await sql.unsafe(`CREATE SCHEMA IF NOT EXISTS ${searchPath}`);
}

/** As drizzle does. */
async function makeJournal(sql: TransactionSql<{ bigint: number }>, journal: string): Promise<void> {
  const schema = journal.slice(0, journal.lastIndexOf("."));
  const [there] = await sql`SELECT to_regnamespace(${schema}) IS NOT NULL AS yes`;
  if (!there?.yes) await sql.unsafe(`CREATE SCHEMA ${schema}`);
  await sql.unsafe(
    `CREATE TABLE IF NOT EXISTS ${journal} (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)`,
  );
}
