/** Where our tables are, and which migrations and functions have been applied. Read-only. */
import { readMigrationFiles } from "drizzle-orm/migrator";
import type { TransactionSql } from "postgres";
import { OperatorError } from "../errors.ts";
import { packageRoot } from "../version.ts";
import type { Sql } from "./connections.ts";
import { areNewer, type Functions, type FunctionsVersion, readFunctions } from "./functions.ts";

export interface Schema {
  /** The schema of our tables, or the one to create them in, quoted. Null: search_path names none that exists. */
  name: string | null;
  searchPath: string;
  /** The journal of applied migrations, if any, one a schema; for `public` it is where drizzle looks for it. */
  journal: string;
  /** When each applied migration was written; undefined: there is no journal. */
  applied: number[] | undefined;
  /** Undefined: none were ever applied. */
  functions: FunctionsVersion | undefined;
}

export interface Migration {
  sql: string[];
  hash: string;
  folderMillis: number;
}

export async function readSchema(sql: Sql | TransactionSql<{ bigint: number }>): Promise<Schema> {
  const [row] = await sql<Array<{ name: string | null; search_path: string; homes: number }>>`
    SELECT coalesce((SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('service_state')),
                    quote_ident(current_schema())) AS name,
           current_setting('search_path') AS search_path,
           (SELECT count(*)::int FROM pg_class
            WHERE relname = 'service_state' AND relnamespace::regnamespace::text = ANY (
              SELECT quote_ident(s) FROM unnest(current_schemas(false)) s)) AS homes`;
  if (row && row.homes > 1) {
    // Functions of both would mix.
    throw new OperatorError(
      `search_path (${row.search_path}) shows the tables of two Keybeats: name one with schema= in DATABASE_URL`,
    );
  }
  const name = row?.name ?? null;
  const searchPath = row?.search_path ?? "";
  if (name === null) return { name, searchPath, journal: "", applied: undefined, functions: undefined };
  const journal = journalOf(name);
  const functions = `${name}.applied_functions`;
  const [there] = await sql`
    SELECT to_regclass(${journal}) IS NOT NULL AS journal, to_regclass(${functions}) IS NOT NULL AS functions`;
  const applied = there?.journal
    ? await sql.unsafe(`SELECT created_at FROM ${journal} ORDER BY created_at`)
    : undefined;
  const newest = there?.functions
    ? await sql.unsafe<FunctionsVersion[]>(`SELECT version, hash FROM ${functions} ORDER BY version DESC LIMIT 1`)
    : [];
  return {
    name,
    searchPath,
    journal,
    applied: applied?.map(({ created_at }) => Number(created_at)),
    functions: newest[0],
  };
}

/** (With quote_all_identifiers the name is quoted.) */
const journalOf = (schema: string) => `${/^"?public"?$/.test(schema) ? "drizzle" : schema}.__drizzle_migrations`;

/** This release's, in order. */
export function readMigrations(): Migration[] {
  return readMigrationFiles({ migrationsFolder: `${packageRoot()}/migrations` });
}

export interface Due {
  migrations: Migration[];
  /** Undefined: the database has them, or newer ones. */
  functions: Functions | undefined;
}

/**
 * What this release has and the database lacks: the migrations written after the last one applied, as drizzle counts,
 * and the functions. Throws an OperatorError for a database from before the first release.
 */
export function findDue({ applied = [], functions }: Pick<Schema, "applied" | "functions">): Due {
  const migrations = readMigrations();
  if (applied.some((when) => when < (migrations[0] as Migration).folderMillis)) {
    throw new OperatorError(
      "this database was made before the first release, which cannot go on with it: name an empty one",
    );
  }
  const ours = readFunctions();
  return {
    migrations: migrations.filter(({ folderMillis }) => folderMillis > Math.max(0, ...applied)),
    functions: areNewer(ours, functions) ? ours : undefined,
  };
}

export const isNothing = ({ migrations, functions }: Due): boolean => migrations.length === 0 && !functions;

/** Tables that belong to no kind of session. */
export const SHARED_TABLES = [
  "applied_functions",
  "audit_log",
  "ended_sign_ins",
  "key_words",
  "keys",
  "limit_counts",
  "service_state",
  "service_state_stand_ins",
];
