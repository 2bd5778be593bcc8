/** The forms in which a connection string comes, tried on a real server, in a shell whose PG* variables lead elsewhere. */
import { appendFileSync, chmodSync, chownSync, cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, connectTo, prepareCluster } from "../../src/database/embedded/cluster.ts";
import { startServer, stopServer } from "../../src/database/embedded/server.ts";
import { openLane } from "../../src/database/lane.ts";
import { keybeat, startServer as serve } from "../support/process.ts";

/** Each of them, were it read, would lead nowhere. */
const SHELL = {
  PGHOST: "nowhere.invalid",
  PGPORT: "1",
  PGUSER: "nobody",
  PGPASSWORD: "wrong",
  PGDATABASE: "none",
  PGSSL: "require",
  PGSSLMODE: "verify-full",
  PGSSLROOTCERT: "/no/such/file",
  PGSSLNEGOTIATION: "direct",
  PGTARGETSESSIONATTRS: "standby",
  PGAPPNAME: "somebody's",
  PGOPTIONS: "-c search_path=none",
  PGDATA: "/no/such/folder",
  PGCLIENTENCODING: "nonsense",
  PGDATESTYLE: "nonsense",
  PGTZ: "nowhere",
  PGMAX: "0",
  PGPREPARE: "false",
  PGCONNECT_TIMEOUT: "nonsense",
  PGIDLE_TIMEOUT: "1",
  PGSERVICE: "none",
  PGPASSFILE: "/no/such/file",
  PGDEBUG: "true",
  LC_ALL: "xx_YY.nonsense",
  LANG: "xx_YY.nonsense",
};
const PASSWORD = "p@ss/w#o?r%d:'\"\\ é";

let folder: string;
let cluster: Cluster;
let port: number;
/** The same data, as they were before anything was done with them, where nothing can be written. */
let standby: Cluster;
let standbyPort: number;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "keybeat-ways-"));
  chmodSync(folder, 0o777);
  cluster = await prepareCluster(folder);
  appendFileSync(join(cluster.dir, "pg_hba.conf"), "\nlocal all all scram-sha-256\n");
  // The options of the command line win over the file, and those later over those before.
  const launch = cluster.runAs.launch;
  const ours: Record<string, string> = {
    "unix_socket_directories=": `unix_socket_directories=${folder}`,
    "listen_addresses=127.0.0.1": "listen_addresses=127.0.0.1,::1",
  };
  cluster.runAs.launch = (where, program, args, output) =>
    launch(
      where,
      program,
      args.map((arg) => ours[arg] ?? arg),
      output,
    );
  port = await startServer(cluster);
  const sql = connectTo(cluster, port, "test");
  await sql.unsafe(`CREATE ROLE nasty LOGIN SUPERUSER PASSWORD '${PASSWORD.replaceAll("'", "''")}'`);
  await sql`CREATE DATABASE nasty`;
  await sql.end();

  await stopServer(cluster);
  standby = { ...cluster, dir: `${cluster.dir}-standby` };
  cpSync(cluster.dir, standby.dir, { recursive: true });
  writeFileSync(join(standby.dir, "standby.signal"), "");
  const { owner } = cluster.runAs;
  if (owner) for (const file of ["", ...filesIn(standby.dir)]) chownSync(join(standby.dir, file), owner.uid, owner.gid);
  chmodSync(standby.dir, 0o700);
  port = await startServer(cluster);
  standbyPort = await startServer(standby);
}, 180_000);

const filesIn = (folder: string) => readdirSync(folder, { recursive: true }) as string[];

afterAll(async () => {
  await Promise.all([stopServer(cluster), stopServer(standby)]);
  rmSync(folder, { recursive: true, force: true });
});

const encoded = encodeURIComponent(PASSWORD);
const quoted = `'${PASSWORD.replace(/['\\]/g, "\\$&")}'`;
const forms: Array<[string, () => string]> = [
  ["a URL", () => `postgres://nasty:${encoded}@127.0.0.1:${port}/nasty`],
  ["an IPv6 address", () => `postgres://nasty:${encoded}@[::1]:${port}/nasty`],
  ["a socket by host=", () => `postgres://nasty:${encoded}@/nasty?host=${folder}&port=${port}`],
  ["a socket by its encoded folder", () => `postgres://nasty:${encoded}@${encodeURIComponent(folder)}:${port}/nasty`],
  ["several hosts, the first of them away", () => `postgres://nasty:${encoded}@127.0.0.1:1,127.0.0.1:${port}/nasty`],
  ["names and values", () => `host=127.0.0.1 port=${port} user=nasty password=${quoted} dbname=nasty`],
  ["the user and password behind the ?", () => `postgres://127.0.0.1:${port}/nasty?user=nasty&password=${encoded}`],
  [
    "everything a provider adds",
    () => {
      const added = "channel_binding=prefer&sslmode=disable&pgbouncer=true&connection_limit=5&gssencmode=disable";
      return `postgres://nasty:${encoded}@localhost:${port}/nasty?${added}&target_session_attrs=read-write&connect_timeout=15`;
    },
  ],
];

describe.each(forms)("%s", (_what, url) => {
  it("lets the lanes in", async () => {
    const lane = openLane(url(), { name: "test", connectionsMax: 1, waitingMax: 1, deadlineMs: 5000 });
    const [row] = await lane.query((sql) => sql`SELECT current_user || current_database() AS who`);
    await lane.close();
    expect(row?.who).toBe("nastynasty");
  });

  it("lets migrate and doctor in, whatever the shell says, and none of them tells the password", async () => {
    const env = { ...SHELL, DATABASE_URL: url() };
    const migrated = await keybeat(["migrate"], env);
    expect(migrated).toMatchObject({ code: 0, stderr: "" });
    const looked = await keybeat(["doctor"], { ...env, PORT: "0" });
    expect(looked.stderr).toBe("");
    expect(looked.stdout).toMatch(/OK {3}database +PostgreSQL .* answers at /);
    for (const piece of ["p@ss", "w#o", "r%d", encoded]) expect(migrated.stdout + looked.stdout).not.toContain(piece);
  });
});

describe("the variables of whoever's shell", () => {
  it("do not lead a service away from its DATABASE_URL, nor change its connections", async () => {
    const server = await serve({ ...SHELL, DATABASE_URL: forms[0]?.[1]() as string, CLEANUP_CRON: "" });
    const sql = postgres(forms[0]?.[1]() as string, { max: 1 });
    const names =
      await sql`SELECT DISTINCT application_name AS name FROM pg_stat_activity WHERE datname = 'nasty' AND pid <> pg_backend_pid()`;
    await sql.end();
    expect(names.length).toBeGreaterThan(0);
    for (const { name } of names) expect(name).toMatch(/^keybeat /);
    expect(await server.stop()).toBe(0);
  });

  it("do not keep the embedded PostgreSQL from being made, started, found and stopped", async () => {
    const env = { ...SHELL, DATA_DIR: join(folder, "embedded") };
    const server = await serve(env);
    expect((await keybeat(["keys", "list", "--json"], env)).code).toBe(0);
    expect(await server.stop()).toBe(0);
    expect(await keybeat(["migrate"], env)).toMatchObject({
      code: 0,
      stdout: "the schema is up to date\n",
      stderr: "",
    });
  });
});

describe("of several hosts the primary is used", () => {
  const through = (...ports: number[]) =>
    `postgres://nasty:${encoded}@${ports.map((each) => `127.0.0.1:${each}`).join()}/nasty?target_session_attrs=read-write`;

  it.each([
    ["behind a standby", () => through(standbyPort, port)],
    ["before a standby", () => through(port, standbyPort)],
    ["among one that is away and a standby", () => through(1, standbyPort, port)],
  ])(
    "%s",
    async (_what, url) => {
      const lane = openLane(url(), { name: "test", connectionsMax: 3, waitingMax: 9, deadlineMs: 5000 });
      const asked = Array.from({ length: 9 }, () =>
        lane.query((sql) => sql`SELECT pg_is_in_recovery() AS standby, pg_sleep(0.1)`),
      );
      for (const [row] of await Promise.all(asked)) expect(row?.standby).toBe(false);
      await lane.close();
      expect((await keybeat(["migrate"], { DATABASE_URL: url() })).code).toBe(0);
    },
    120_000,
  );

  it("and where there is none, it is said of each why", async () => {
    const result = await keybeat(["keys", "list"], { DATABASE_URL: through(standbyPort, 1) });
    expect(result).toMatchObject({ code: 1, stdout: "" });
    expect(result.stderr).toMatch(
      /127\.0\.0\.1:\d+ it takes no writes \(a standby\); 127\.0\.0\.1:1 connect ECONNREFUSED/,
    );
  });
});

it("a name of one's own is what PostgreSQL shows", async () => {
  const url = `${forms[0]?.[1]()}?application_name=shop&options=-c%20work_mem%3D7MB`;
  const lane = openLane(url, { name: "test", connectionsMax: 1, waitingMax: 1, deadlineMs: 5000 });
  const [row] = await lane.query(
    (sql) => sql`
    SELECT current_setting('application_name') || ' ' || current_setting('work_mem') AS shown`,
  );
  await lane.close();
  expect(row?.shown).toBe("shop 7MB");
});

describe("a piece of a password is told by no command, whatever stands in it, nor taken for the host", () => {
  const tell = async (url: string, commands: string[][], expected: RegExp) => {
    const env = { DATABASE_URL: url, PORT: "0", LOG_LEVEL: "trace" };
    for (const { code, stdout, stderr } of await Promise.all(commands.map((args) => keybeat(args, env)))) {
      expect(code).not.toBe(0);
      expect(stdout + stderr).not.toMatch(/hunter|unexpected/);
      expect(stdout + stderr).toMatch(expected);
    }
  };

  it.each([
    ["127.0.0.1:1/db", "postgres://user:hunter@hunter@127.0.0.1:1/db?connect_timeout=1"],
    ["127.0.0.1:1,127.0.0.1:2/db", "postgres://user:hunter%2Fhunter%40@127.0.0.1:1,127.0.0.1:2/db?connect_timeout=1"],
  ])(
    "%s, which is away",
    async (name, url) => {
      const commands = [["serve"], ["migrate"], ["cleanup"], ["keys", "list"], ["sessions", "list"], ["doctor"]];
      await tell(url, commands, new RegExp(name));
      await tell(url, [["top", "--once"]], /database is away/);
    },
    180_000,
  );

  it.each([
    "postgres://user:hunter/hunter@127.0.0.1:1/db",
    "postgres://user:1/hunter@127.0.0.1:1/db",
    "postgres://user:hunter?hunter@127.0.0.1:1/db",
    "postgres://user:hunter%@127.0.0.1:1/db",
  ])("%s", (url) => tell(url, [["serve"], ["doctor"]], /DATABASE_URL must/));
});
