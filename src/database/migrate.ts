/** Brings the schema up to date. Any number of processes may call it at once: one does the work, the others wait. */
import { setTimeout as sleep } from "node:timers/promises";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate } from "drizzle-orm/postgres-js/migrator";
import postgres from "postgres";
import { OperatorError } from "../errors.ts";
import { packageRoot } from "../version.ts";

const MIGRATION_LOCK = 1262834007;
const LOCK_AGAIN_MS = 200;
const DEADLOCKS_MAX = 5;
const OLDEST_VERSION = 150_000;

/** Throws an OperatorError if the database cannot be reached, is too old, or refuses. */
export async function migrateDatabase(url: string): Promise<{ applied: number; serverVersion: string }> {
  // Two connections: the lock is held by a transaction that outlives the migrator's own, and as it is a transaction's
  // lock, a pooler that hands connections from one transaction to the next cannot lose it.
  const guard = connectOnce(url);
  const worker = connectOnce(url);
  try {
    const [server] = await guard`
      SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number`;
    if (server?.number < OLDEST_VERSION) {
      throw new OperatorError(`PostgreSQL ${server?.version} is too old: Keybeat needs 15 or later`);
    }
    let attempts = DEADLOCKS_MAX;
    for (;;) {
      const applied = await guard.begin(async (lock) => {
        // Tried, not waited for: whoever waits holds a connection, and a small pool of a pooler would have none left
        // for the one ahead.
        const [row] = await lock`SELECT pg_try_advisory_xact_lock(${MIGRATION_LOCK}) AS ours`;
        return row?.ours ? applyMigrations(worker).catch((error) => giveWay(error, --attempts)) : undefined;
      });
      if (applied !== undefined) return { applied, serverVersion: String(server?.version) };
      await sleep(LOCK_AGAIN_MS);
    }
  } catch (error) {
    throw explain(url, error);
  } finally {
    await Promise.all([guard.end({ timeout: 2 }), worker.end({ timeout: 2 })]);
  }
}

/** A deadlock with the version that serves meanwhile has changed nothing, so it is tried again. */
function giveWay(error: unknown, attemptsLeft: number): undefined {
  const { code, cause } = error as { code?: string; cause?: { code?: string } };
  if ((cause?.code ?? code) !== "40P01" || attemptsLeft === 0) throw error;
}

async function applyMigrations(sql: postgres.Sql): Promise<number> {
  const before = await countApplied(sql);
  await migrate(drizzle(sql), { migrationsFolder: `${packageRoot()}/migrations` });
  return (await countApplied(sql)) - before;
}

async function countApplied(sql: postgres.Sql): Promise<number> {
  const [there] = await sql`SELECT to_regclass('drizzle.__drizzle_migrations') IS NOT NULL AS yes`;
  if (!there?.yes) return 0;
  const [row] = await sql`SELECT count(*)::int AS n FROM drizzle.__drizzle_migrations`;
  return row?.n;
}

function connectOnce(url: string): postgres.Sql {
  return postgres(url, {
    max: 1,
    prepare: false,
    fetch_types: false,
    connect_timeout: 5,
    connection: { application_name: "keybeat migrate" },
    onnotice: () => {},
  });
}

/** One line for a person; the password in the URL stays out of it. */
function explain(url: string, error: unknown): unknown {
  if (error instanceof OperatorError) return error;
  const { code, message, cause } = error as {
    code?: string;
    message?: string;
    cause?: { code?: string; message?: string };
  };
  const why = cause?.message ?? message ?? String(error);
  const target = url.replace(/^.*?\/\/([^@/]*@)?/, "").replace(/\?.*/, "");
  if (/^(CONNECT|E[A-Z]{3}|28|3D|57P03|08)/.test(cause?.code ?? code ?? "")) {
    return new OperatorError(`the database at ${target} cannot be reached: ${why}`);
  }
  return new OperatorError(`the database at ${target} could not be migrated: ${why}`);
}
