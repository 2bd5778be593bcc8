/** Brings the schema up to date. Any number of processes may call it at once: one does the work, the others wait. */
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate } from "drizzle-orm/postgres-js/migrator";
import postgres from "postgres";
import { OperatorError } from "../errors.ts";
import { packageRoot } from "../version.ts";

const MIGRATION_LOCK = 1262834007;
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
    return await guard.begin(async (lock) => {
      await lock`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`;
      const before = await countApplied(worker);
      await migrate(drizzle(worker), { migrationsFolder: `${packageRoot()}/migrations` });
      return { applied: (await countApplied(worker)) - before, serverVersion: String(server?.version) };
    });
  } catch (error) {
    throw explain(url, error);
  } finally {
    await Promise.all([guard.end({ timeout: 2 }), worker.end({ timeout: 2 })]);
  }
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
  const target = url.replace(/^.*?\/\/([^@/]*@)?/, "").replace(/\?.*$/, "");
  if (/^(CONNECT|E[A-Z]{3}|28|3D|57P03|08)/.test(cause?.code ?? code ?? "")) {
    return new OperatorError(`the database at ${target} cannot be reached: ${why}`);
  }
  return new OperatorError(`the database at ${target} could not be migrated: ${why}`);
}
