/** A database of its own for a test file, cloned from the migrated template. */

import { randomBytes } from "node:crypto";
import postgres from "postgres";
import { afterAll, beforeAll, inject } from "vitest";
import { type Database, openDatabase } from "../../src/database/database.ts";
import type { AppError } from "../../src/errors.ts";
import { createHashKey, createKey, type HashKey } from "../../src/keys/index.ts";
import { databaseUrl } from "./database-url.ts";
import { BY } from "./operator.ts";
import { newAccessKey } from "./secrets.ts";

export interface TestDatabase {
  url: string;
  name: string;
  /** As the program uses it. */
  database: Database;
  /** Straight to PostgreSQL, for looking at rows and moving time. */
  sql: postgres.Sql;
  hashKey: HashKey;
  /** A fresh key; returns the whole key and its id. */
  makeKey(options?: { expires?: string; label?: string }): Promise<{ key: string; id: number }>;
  /** Locks rows as another client's open transaction does: `SELECT … FOR UPDATE`. Call what it returns to let go. */
  holdRow(table: "keys" | "active_sessions", keyId: number): Promise<() => Promise<void>>;
  /** Locks a table in that mode, as an operator's work on it does. Call what it returns to let go. */
  lockTable(table: string, mode: string): Promise<() => Promise<void>>;
  /** Runs a statement in a transaction that stays open, as a forgotten psql's does. Call what it returns to end it; twice is harmless. */
  hold(statement: string): Promise<() => Promise<void>>;
  /** Lets so many seconds pass for a key's session, by dating it back. */
  age(keyId: number, seconds: number): Promise<void>;
}

export async function cloneDatabase(): Promise<TestDatabase & { drop(): Promise<void> }> {
  const serverUrl = inject("serverUrl");
  const name = `keybeat_${process.pid}_${randomBytes(4).toString("hex")}`;
  const admin = postgres(serverUrl, { max: 1, onnotice: () => {} });
  await admin.unsafe(`CREATE DATABASE ${name} TEMPLATE ${inject("template")}`);
  const url = databaseUrl(serverUrl, name);
  const database = openDatabase(url);
  const sql = postgres(url, {
    max: 4,
    fetch_types: false,
    onnotice: () => {},
    types: NUMBERS,
  }) as unknown as postgres.Sql;
  const hashKey = createHashKey(undefined);
  return {
    url,
    name,
    database,
    sql,
    hashKey,
    async makeKey(options = {}) {
      const create = () => createKey(database, hashKey, { key: newAccessKey(), ...options }, BY);
      // On a busy machine a connection may have been given up for dark at that moment.
      const created = await create().catch((error) => {
        if ((error as AppError).code !== "unavailable") throw error;
        return create();
      });
      return { key: created.access_key, id: created.id };
    },
    holdRow: (table, keyId) =>
      hold(url, `SELECT FROM ${table} WHERE ${table === "keys" ? "id" : "key_id"} = ${keyId} FOR UPDATE`),
    lockTable: (table, mode) => hold(url, `LOCK TABLE ${table} IN ${mode} MODE`),
    hold: (statement) => hold(url, statement),
    async age(keyId, seconds) {
      await sql`
        UPDATE active_sessions SET last_heartbeat = last_heartbeat - make_interval(secs => ${seconds}),
                                   started_at = started_at - make_interval(secs => ${seconds})
        WHERE key_id = ${keyId}`;
    },
    async drop() {
      await Promise.all([database.close(), sql.end({ timeout: 1 })]);
      await admin.unsafe(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await admin.end();
    },
  };
}

async function hold(url: string, statement: string): Promise<() => Promise<void>> {
  const client = postgres(url, { max: 1, fetch_types: false });
  await client`BEGIN`;
  await client.unsafe(statement);
  let released = false;
  return async () => {
    if (released) return;
    released = true;
    await client`ROLLBACK`;
    await client.end();
  };
}

/** For a test file: `const db = useDatabase()`, ready inside tests and hooks. */
export function useDatabase(): TestDatabase {
  const db = {} as TestDatabase;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    const cloned = await cloneDatabase();
    drop = cloned.drop;
    Object.assign(db, cloned);
  });
  afterAll(() => drop());
  return db;
}

const NUMBERS = { bigint: { to: 20, from: [20], parse: Number, serialize: String } };
