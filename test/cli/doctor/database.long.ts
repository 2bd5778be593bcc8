import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { checkServer } from "../../../src/cli/doctor/server.ts";
import { examine, readFacts, type TableFacts } from "../../../src/cli/doctor/sql.ts";
import { checkTables } from "../../../src/cli/doctor/tables.ts";
import { openDatabase } from "../../../src/database/database.ts";
import { startServer } from "../../support/process.ts";
import { newSessionId } from "../../support/secrets.ts";
import { of, useDoctor } from "./support/doctor.ts";
import { makePooler } from "./support/pooler.ts";

const { db, undo, doctor, spoil, listen } = useDoctor();

describe("keybeat doctor in the database", () => {
  const database = (...settings: string[]) => [
    settings.map((setting) => `ALTER DATABASE ${db.name} SET ${setting}`).join("; "),
    `ALTER DATABASE ${db.name} RESET ALL`,
  ];
  const spoiled: Array<[what: string, check: string, state: "warn" | "fail", mend: RegExp, how: () => string[]]> = [
    [
      "starts that a crash can lose",
      "durability",
      "fail",
      /synchronous_commit to on/,
      () => database("synchronous_commit = off"),
    ],
    [
      "a stricter isolation",
      "server",
      "fail",
      /ALTER ROLE .* default_transaction_isolation/,
      () => database("default_transaction_isolation = 'serializable'"),
    ],
    [
      "a database that takes no writes",
      "server",
      "fail",
      /ALTER ROLE .* default_transaction_read_only = off/,
      () => database("default_transaction_read_only = on"),
    ],
    [
      "statements cut too early",
      "server",
      "warn",
      /ALTER ROLE .* statement_timeout = '30s'/,
      () => database("statement_timeout = '500ms'"),
    ],
    [
      "slow statements logged with their parameters",
      "log",
      "warn",
      /log_parameter_max_length to 0/,
      () => database("log_min_duration_statement = '1h'", "log_parameter_max_length = -1"),
    ],
    [
      "statements logged with the first of their parameters",
      "log",
      "warn",
      /log_parameter_max_length to 0/,
      () => database("log_statement = 'ddl'", "log_parameter_max_length = 8"),
    ],
    [
      "parameters logged with errors",
      "log",
      "warn",
      /log_parameter_max_length_on_error to 0/,
      () => database("log_parameter_max_length_on_error = 64"),
    ],
    [
      "plans logged with parameters",
      "log",
      "warn",
      /auto_explain\.log_parameter_max_length to 0/,
      () => database("session_preload_libraries = 'auto_explain'", "auto_explain.log_min_duration = '1h'"),
    ],
    [
      "an index on the heartbeat",
      "indexes",
      "fail",
      /DROP INDEX CONCURRENTLY slow/,
      () => ["CREATE INDEX slow ON active_sessions (last_heartbeat)", "DROP INDEX slow"],
    ],
    [
      "an index whose condition is the heartbeat",
      "indexes",
      "fail",
      /DROP INDEX CONCURRENTLY slow/,
      () => ["CREATE INDEX slow ON active_sessions (key_id) WHERE last_heartbeat > '2020-01-01'", "DROP INDEX slow"],
    ],
    [
      "a migration that is not applied",
      "migrations",
      "fail",
      /keybeat migrate/,
      () => [
        "CREATE TABLE kept AS SELECT * FROM drizzle.__drizzle_migrations; DELETE FROM drizzle.__drizzle_migrations",
        "INSERT INTO drizzle.__drizzle_migrations SELECT * FROM kept; DROP TABLE kept",
      ],
    ],
    [
      "functions of an older release",
      "migrations",
      "fail",
      /keybeat migrate/,
      () => [
        "CREATE TABLE kept AS SELECT * FROM applied_functions; UPDATE applied_functions SET version = 0",
        "DELETE FROM applied_functions; INSERT INTO applied_functions SELECT * FROM kept; DROP TABLE kept",
      ],
    ],
    [
      "a database of a newer release",
      "migrations",
      "warn",
      /during an upgrade/,
      () => [
        "INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('newer', 9999999999999)",
        "DELETE FROM drizzle.__drizzle_migrations WHERE hash = 'newer'",
      ],
    ],
    [
      "a session timeout that is not the one of this environment",
      "timeout",
      "warn",
      /set SESSION_TIMEOUT_SECONDS=45 here/,
      () => [
        "UPDATE service_state SET session_timeout_seconds = 45",
        "UPDATE service_state SET session_timeout_seconds = 60",
      ],
    ],
    [
      "that the database's clock went back",
      "jumps",
      "warn",
      /NTP client/,
      () => [
        "UPDATE service_state SET clock_steps = 2, clock_stepped_at = now() - interval '1 day', clock_stepped_seconds = -3600",
        "UPDATE service_state SET clock_steps = 0, clock_stepped_at = NULL, clock_stepped_seconds = NULL",
      ],
    ],
    [
      "nobody who serves",
      "service",
      "warn",
      /keybeat serve/,
      () => [
        "UPDATE service_state SET last_tick = now() - interval '1 hour'",
        "UPDATE service_state SET last_tick = NULL",
      ],
    ],
  ];
  it.each(spoiled)("finds %s, and says how to mend it", async (_what, check, state, mend, how) => {
    const [spoiling, mending] = how() as [string, string];
    await spoil(spoiling, mending);
    const found = of(await doctor(), check).filter((finding) => finding.state === state);
    expect(found.map((finding) => finding.mend).join()).toMatch(mend);
  });

  it("finds that no cleanup runs, by a session that has been silent for long", async () => {
    const { id } = await db.makeKey();
    await db.sql`
      INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat)
      VALUES (${id}, 'abcd1234…', ${newSessionId()}, 1, now() - interval '1 day', now() - interval '1 day')`;
    undo.push(() => db.sql`DELETE FROM active_sessions WHERE key_id = ${id}`);
    await spoil("UPDATE service_state SET last_tick = now()", "UPDATE service_state SET last_tick = NULL");
    expect(of(await doctor(), "cleanup")[0]).toMatchObject({ state: "warn", message: expect.stringContaining("24 h") });
  });

  it("finds a month of the history without a partition", async () => {
    const [row] = await db.sql`SELECT to_char(now() AT TIME ZONE 'UTC' + interval '1 month', 'YYYY_MM') AS month`;
    await spoil(`DROP TABLE session_history_${row?.month}`, "CALL tidy_history(36500, NULL, NULL)");
    const [finding] = of(await doctor(), "history");
    expect(finding).toMatchObject({ state: "warn", mend: expect.stringContaining("keybeat cleanup") });
  });

  it("finds a user who may look but neither make tables nor own ours", async () => {
    const role = `keybeat_reader_${process.pid}`;
    await spoil(`CREATE ROLE ${role} LOGIN PASSWORD 'reader'`, `DROP OWNED BY ${role}; DROP ROLE ${role}`);
    await db.sql.unsafe(`
      REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA drizzle TO ${role};
      GRANT SELECT ON ALL TABLES IN SCHEMA public, drizzle TO ${role}`);
    const url = new URL(db.url);
    url.username = role;
    url.password = "reader";
    const findings = of(await doctor({ DATABASE_URL: url.href }), "permissions");
    expect(findings.map(({ state }) => state)).toEqual(["fail", "fail"]);
    expect(findings.map(({ mend }) => mend).join()).toMatch(/GRANT CREATE.*OWNER TO/);
    expect(findings[1]?.message).toMatch(/\bkeys\b/);
    expect(findings[1]?.message).toMatch(/\bwaiting_room_moves\b/);
  });

  it("counts the connections of all WORKERS", async () => {
    const [finding] = of(await doctor({ WORKERS: "256" }), "connections");
    expect(finding).toMatchObject({ state: "fail", mend: expect.stringContaining("max_connections") });
  });

  it("knows that a service opens no more connections than it reckons with", async () => {
    const count = async () => {
      const [row] = await db.sql`
        SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE datname = ${db.name} AND application_name ~ '^keybeat (requests|heartbeats|operators|background)$'`;
      return row?.n as number;
    };
    const before = await count();
    const service = openDatabase(db.url);
    undo.push(() => service.close());
    const lanes = [service.requests, service.heartbeats, service.operators, service.background];
    await Promise.all(
      lanes.flatMap((lane) =>
        Array.from({ length: 11 }, () => lane.query((sql) => sql`SELECT pg_sleep(0.15)`)).map((call) =>
          call.catch(() => {}),
        ),
      ),
    );
    expect((await count()) - before).toBe(17); // and 1 that listens: 18
    const [finding] = of(await doctor({ WORKERS: "1" }), "connections");
    expect(finding?.message).toContain("needs up to 18");
    const server = await startServer({ DATABASE_URL: db.url });
    undo.push(() => server.stop());
    const listening = () => db.sql`
      SELECT FROM pg_stat_activity WHERE datname = ${db.name} AND application_name = 'keybeat listen'`;
    for (let tries = 0; tries < 100 && (await listening()).length < 1; tries++) await sleep(50);
    await sleep(500);
    expect(await listening()).toHaveLength(1);
  });

  it("finds a pooler in between, and one that swallows notifications", async () => {
    const pooled = async (swallows: boolean) =>
      (await doctor({ DATABASE_URL: await startPooler(swallows) })).find(({ check }) => check === "pooler");
    expect(await pooled(false)).toMatchObject({ state: "warn", mend: expect.stringContaining("prepare=false") });
    expect(await pooled(true)).toMatchObject({
      state: "warn",
      message: expect.stringContaining("LISTEN is not heard"),
    });
  });

  it("judges what only a whole server can have wrong, from what this one said", async () => {
    const examined = examine(db.url);
    undo.push(() => examined.close());
    const facts = await readFacts(examined, []);
    const judge = (server: object, settings: object = {}) =>
      checkServer(
        { ...facts, server: { ...facts.server, ...server, settings: { ...facts.server.settings, ...settings } } },
        { config: { workers: 1 }, embedded: true, url: db.url },
      )
        .filter(({ state }) => state !== "ok")
        .map(({ check, state }) => `${state} ${check}`);
    expect(judge({})).toEqual([]);
    expect(judge({}, { fsync: "off" })).toEqual(["fail durability"]);
    expect(judge({}, { full_page_writes: "off" })).toEqual(["warn durability"]);
    expect(judge({}, { autovacuum: "off" })).toEqual(["fail server"]);
    expect(judge({ version: 140_009 })).toEqual(["fail version"]);
    expect(judge({ version: 150_000 })).toEqual([]);
    expect(judge({ version: 190_000 })).toEqual(["warn version"]);
    expect(judge({ standby: true })).toEqual(["fail version"]);
    expect(judge({ connections_max: 17 })).toEqual(["fail connections"]);
    expect(judge({ connections_max: 18, connections: 17 })).toEqual(["warn connections"]);
    expect(judge({ clockAheadSeconds: -6 })).toEqual(["warn clock"]);
    expect(judge({ clockAheadSeconds: 6 })).toEqual(["warn clock"]);
    expect(judge({ clockAheadSeconds: 4 })).toEqual([]);
    const memory = (tables: object) =>
      checkTables({ ...facts, tables: { ...(facts.tables as TableFacts), ...tables } }, { sessionTimeoutSeconds: 60 })
        .filter(({ check }) => check === "memory")
        .map(({ state, mend }) => [state, mend]);
    expect(memory({})).toEqual([["ok", undefined]]);
    expect(memory({ bytes: 300 * 2 ** 20, memory_bytes: 128 * 2 ** 20 })).toEqual([
      ["warn", "set shared_buffers to 600MB"],
    ]);
  });
});

async function startPooler(swallows: boolean): Promise<string> {
  const url = new URL(db.url);
  const port = await listen(makePooler(new URL(db.url), swallows));
  url.hostname = "127.0.0.1";
  url.port = String(port);
  return url.href;
}
