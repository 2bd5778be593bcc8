/** Migrations under what happens at a rollout: several at once, one killed, one refused. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { readFunctions } from "../../src/database/functions.ts";
import { migrateDatabase } from "../../src/database/migrate.ts";
import { databaseUrl } from "../support/database-url.ts";
import { keybeat, startServer } from "../support/process.ts";
import { newAccessKey } from "../support/secrets.ts";

const ALL = JSON.parse(readFileSync("migrations/meta/_journal.json", "utf8")).entries.length as number;

let name: string;
let url: string;
let admin: postgres.Sql;
let sql: postgres.Sql;

/** A database with nothing in it. */
beforeEach(async () => {
  name = `keybeat_empty_${process.pid}_${randomBytes(4).toString("hex")}`;
  url = databaseUrl(inject("serverUrl"), name);
  admin = postgres(inject("serverUrl"), { max: 1, onnotice: () => {} });
  await admin.unsafe(`CREATE DATABASE ${name}`);
  sql = postgres(url, { max: 2, onnotice: () => {} });
});

afterEach(async () => {
  await sql.end({ timeout: 1 });
  await admin.unsafe(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await admin.end();
});

const migrate = () => keybeat(["migrate", "--json"], { DATABASE_URL: url });

async function countTables(): Promise<number> {
  const [row] = await sql`
    SELECT count(*)::int AS n FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition`;
  return row?.n;
}

/** The schema is whole if a key can be made and its session started and ended. */
async function expectUsable(): Promise<void> {
  expect((await keybeat(["keys", "create", "--json"], { DATABASE_URL: url })).code).toBe(0);
  const [started] = await sql`
    SELECT outcome FROM start_session((SELECT key_hash FROM keys LIMIT 1), 'x…', 'session-of-a-test', NULL, false, NULL, 0)`;
  expect(started?.outcome).toBe("started");
  const [row] = await sql`SELECT end_session('session-of-a-test') AS ended`;
  expect(row?.ended).toBe(true);
}

describe("keybeat migrate", () => {
  it("by five processes at once on an empty database: all succeed, and each migration was applied once", async () => {
    const results = await Promise.all(Array.from({ length: 5 }, migrate));
    const waited = /^(keybeat: waiting for another process's migration, .*\n)*$/;
    expect(results).toEqual(Array(5).fill(expect.objectContaining({ code: 0, stderr: expect.stringMatching(waited) })));
    const applied = results.map(({ stdout }) => JSON.parse(stdout).applied as number);
    expect(applied.sort()).toEqual([0, 0, 0, 0, ALL]);
    const [row] = await sql`SELECT count(*)::int AS n FROM drizzle.__drizzle_migrations`;
    expect(row?.n).toBe(ALL);
    await expectUsable();
  });

  it("again changes nothing and says so", async () => {
    expect(await keybeat(["migrate"], { DATABASE_URL: url })).toMatchObject({
      code: 0,
      stdout: `applied ${ALL} migration(s)\n`,
    });
    expect(await keybeat(["migrate"], { DATABASE_URL: url })).toMatchObject({
      code: 0,
      stdout: "the schema is up to date\n",
    });
    const [server] = await sql`SELECT current_setting('server_version') AS version`;
    expect(JSON.parse((await migrate()).stdout)).toEqual({
      applied: 0,
      functions: false,
      server_version: server?.version,
    });
  });

  it("that fails in its middle leaves nothing behind, says why in one line, and succeeds once the cause is gone", async () => {
    await sql`CREATE TABLE session_history (somebody text)`;
    const { code, stdout, stderr } = await migrate();
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^keybeat: [^\n]*"session_history" already exists\n$/);
    expect(await countTables()).toBe(1);
    await sql`DROP TABLE session_history`;
    expect(JSON.parse((await migrate()).stdout).applied).toBe(ALL);
    await expectUsable();
  });

  it("lets go of all that it has while it waits for a lock, says so, and goes on when it can be had", async () => {
    await sql`CREATE SCHEMA drizzle`;
    await sql`CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)`;
    const { running } = await sql.begin(async (holder) => {
      await holder`LOCK TABLE drizzle.__drizzle_migrations IN SHARE MODE`;
      const running = migrate();
      const [own] = await holder`SELECT pg_backend_pid() AS pid`;
      await waitUntilBlockedBy(own?.pid);
      // A table that it has made is there, and locked, for as long as it holds on to it.
      for (let held = true; held; ) {
        const [row] = await sql`
          SELECT count(*)::int AS n FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation IS NOT NULL
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
        held = row?.n > 0;
      }
      return { running };
    });
    const { code, stdout, stderr } = await running;
    expect([code, JSON.parse(stdout).applied]).toEqual([0, ALL]);
    expect(stderr).toMatch(/^keybeat: waiting for a table that somebody else has locked, for up to 15 minutes\n$/);
    await expectUsable();
  });

  it("that is killed in its middle leaves nothing behind, and the next one does the work", async () => {
    // The migrator's own table, made as it makes it and locked by us: it gets stuck with its work done and not committed.
    await sql`CREATE SCHEMA drizzle`;
    await sql`CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)`;
    const env = { PATH: process.env.PATH, DATABASE_URL: url };
    const child = spawn(process.execPath, ["dist/src/cli/keybeat.js", "migrate"], { env, stdio: "ignore" });
    const gone = once(child, "exit");
    try {
      await sql.begin(async (holder) => {
        await holder`LOCK TABLE drizzle.__drizzle_migrations IN SHARE MODE`;
        const [own] = await holder`SELECT pg_backend_pid() AS pid`;
        await waitUntilBlockedBy(own?.pid);
        child.kill("SIGKILL");
        await gone;
      });
    } finally {
      child.kill("SIGKILL");
    }
    expect(JSON.parse((await migrate()).stdout).applied).toBe(ALL);
    await expectUsable();
  });

  it("refuses a database of the time before the first release in one line, and leaves it as it is", async () => {
    await sql`CREATE SCHEMA drizzle`;
    await sql`CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)`;
    await sql`INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('of then', 1795867800000)`;
    const { code, stdout, stderr } = await migrate();
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^keybeat: this database was made before the first release, [^\n]*: name an empty one\n$/);
    expect(await countTables()).toBe(0);
  });

  it("without the right to create tables is refused in one line without the password", async () => {
    const role = `${name}_reader`;
    await admin.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'a-secret-password'`);
    try {
      const readers = new URL(url);
      readers.username = role;
      readers.password = "a-secret-password";
      const { code, stdout, stderr } = await keybeat(["migrate"], { DATABASE_URL: readers.href });
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(/^keybeat: [^\n]*permission denied[^\n]*\n$/);
      expect(stderr).not.toContain("a-secret-password");
    } finally {
      await admin.unsafe(`DROP ROLE ${role}`);
    }
  });
});

describe("the functions of the database", () => {
  const bodyOf = async (name: string) => (await sql`SELECT prosrc FROM pg_proc WHERE proname = ${name}`)[0]?.prosrc;
  const spoil = () =>
    sql.unsafe(
      "CREATE OR REPLACE FUNCTION mask_session_id(session_id text) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$",
    );

  it("are given to a database that has older ones, while the migrations stay as they are", async () => {
    await migrate();
    const body = await bodyOf("mask_session_id");
    await spoil();
    await sql`UPDATE applied_functions SET version = 0, hash = 'of an older release'`;
    expect(await keybeat(["migrate"], { DATABASE_URL: url })).toMatchObject({
      code: 0,
      stdout: "applied the functions\n",
    });
    expect(await bodyOf("mask_session_id")).toBe(body);
    const versions = await sql`SELECT version FROM applied_functions ORDER BY version`;
    expect(versions.map(({ version }) => version)).toEqual([0, readFunctions().version]);
    await expectUsable();
  });

  it("are left as they are where a newer release has been, whose migrations are unknown too", async () => {
    await migrate();
    await spoil();
    await sql`INSERT INTO applied_functions VALUES (1000, 'of a newer release', now())`;
    await sql`INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('of a newer release', ${Date.now() + 1e9})`;
    expect(JSON.parse((await migrate()).stdout)).toMatchObject({ applied: 0, functions: false });
    const server = await startServer({ DATABASE_URL: url });
    expect((await server.post("/api/session/start", { access_key: newAccessKey() })).status).toBe(403);
    expect(await server.stop()).toBe(0);
    expect(await bodyOf("mask_session_id")).toBe(" SELECT 'x' ");
  });
});

describe("starting up", () => {
  it("waits for a migration that is under way elsewhere, and goes on when it is done", async () => {
    let migrated = false;
    let waiting: Promise<unknown> | undefined;
    await sql.begin(async (elsewhere) => {
      await elsewhere`SELECT pg_advisory_xact_lock(1262834007)`;
      waiting = migrateDatabase(url).then((result) => {
        migrated = true;
        expect(result.applied).toBe(ALL);
      });
      await waitUntilAskedAgain();
      expect(migrated).toBe(false);
    });
    await waiting;
    expect(migrated).toBe(true);
  });
});

/** It asks for the lock again and again, and holds nothing meanwhile. */
async function waitUntilAskedAgain(): Promise<void> {
  const asked = new Set<string>();
  for (let tries = 0; tries < 1000 && asked.size < 3; tries++) {
    const backends = await sql`
      SELECT xact_start::text AS at FROM pg_stat_activity
      WHERE application_name = 'keybeat migrate' AND datname = current_database() AND xact_start IS NOT NULL`;
    for (const { at } of backends) asked.add(at);
    await sleep(5);
  }
  expect(asked.size).toBeGreaterThanOrEqual(3);
}

async function waitUntilBlockedBy(holder: number): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    const waiting = await sql`SELECT FROM pg_stat_activity WHERE ${holder}::int = ANY (pg_blocking_pids(pid))`;
    if (waiting.length > 0) return;
    await sleep(20);
  }
  throw new Error("nobody waited for the lock");
}
