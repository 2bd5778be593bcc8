/** A database with nothing in it, as a customer's first one is. */
import { randomBytes } from "node:crypto";
import postgres from "postgres";
import { afterEach, beforeEach, inject } from "vitest";
import { databaseUrl } from "./database-url.ts";

export interface EmptyDatabase {
  url: string;
  name: string;
  /** Straight to PostgreSQL, on at most two connections. */
  sql: postgres.Sql;
}

export async function createEmptyDatabase(): Promise<EmptyDatabase & { drop(): Promise<void> }> {
  const name = `keybeat_empty_${process.pid}_${randomBytes(4).toString("hex")}`;
  const url = databaseUrl(inject("serverUrl"), name);
  const admin = postgres(inject("serverUrl"), { max: 1, onnotice: () => {} });
  await admin.unsafe(`CREATE DATABASE ${name}`);
  const sql = postgres(url, { max: 2, onnotice: () => {} });
  return {
    url,
    name,
    sql,
    async drop() {
      await sql.end({ timeout: 1 });
      await admin.unsafe(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await admin.end();
    },
  };
}

/** For a test file: `const empty = useEmptyDatabase()`, another one in each test. */
export function useEmptyDatabase(): EmptyDatabase {
  const empty = {} as EmptyDatabase;
  let drop: () => Promise<void>;
  beforeEach(async () => {
    const created = await createEmptyDatabase();
    drop = created.drop;
    Object.assign(empty, created);
  });
  afterEach(() => drop());
  return empty;
}
