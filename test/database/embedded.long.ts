/** The embedded PostgreSQL in real data folders, under everything that happens to processes. */
import { execFile, execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { chmod, mkdir, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import postgres from "postgres";
import { afterEach, describe, expect, it } from "vitest";
import { prepareCluster, superuserUrlOf } from "../../src/database/embedded-cluster.ts";
import { startServer as startPostgres, stopServer as stopPostgres } from "../../src/database/embedded-server.ts";
import { migrateDatabase } from "../../src/database/migrate.ts";
import { keybeat, type RunningServer, startServer } from "../support/process.ts";
import { newAccessKey, newSessionId } from "../support/secrets.ts";

const run = promisify(execFile);
const folders: string[] = [];

/** An empty folder that everybody may walk into. */
async function emptyFolder(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "keybeat-embedded-"));
  await chmod(folder, 0o755);
  folders.push(folder);
  return folder;
}

const newDataDir = async () => join(await emptyFolder(), "data");
const serve = (dataDir: string, env: Record<string, string> = {}) => startServer({ DATA_DIR: dataDir, ...env });
const readIn = (dataDir: string, file: string) => readFileSync(join(dataDir, file), "utf8");
const markOf = (dataDir: string) => join(dataDir, "postgres", "postmaster.pid");
const superuser = (dataDir: string, database: string) => {
  const url = new URL(readIn(dataDir, "database-url").trim());
  Object.assign(url, { username: "keybeat", password: readIn(dataDir, "postgres-password"), pathname: `/${database}` });
  return postgres(url.href, { max: 1, fetch_types: false });
};
const postmasterOf = (dataDir: string) => Number(readFileSync(markOf(dataDir), "utf8").split("\n")[0]);

/** Ends what a test has started and left: the processes that are children of this one, and servers in its folders. */
afterEach(async () => {
  for (const pid of childrenOf(process.pid)) signal(pid, "SIGKILL");
  for (const folder of folders.splice(0)) {
    const args = execFileSync("ps", ["-A", "-o", "pid=,args="], { encoding: "utf8" }).split("\n");
    for (const line of args.filter((text) => text.includes(`=${folder}`))) signal(Number.parseInt(line, 10), "SIGQUIT");
    await sleep(100);
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
});

function childrenOf(pid: number): number[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  const rows = table
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  return rows.filter(([, parent]) => parent === pid).map(([child]) => child as number);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone already.
  }
}

/** Gives up before the test's own time is over, so that the reason is seen. */
async function waitUntil(condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 40_000;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`still not so: ${condition}`);
    await sleep(50);
  }
}

async function killHard(server: RunningServer): Promise<void> {
  const gone = new Promise((resolve) => server.child.once("close", resolve));
  server.child.kill("SIGKILL");
  await gone;
}

const printed = (server: RunningServer, what: string) =>
  new RegExp(`^${what} +(\\S+)`, "m").exec(server.output())?.[1] as string;

/** Takes in keys of which the tests know that they appear in no log. */
async function importKeys(dataDir: string, count: number): Promise<string[]> {
  const keys = Array.from({ length: count }, newAccessKey);
  const file = join(dataDir, "..", "keys.txt");
  writeFileSync(file, keys.join("\n"));
  expect(await keybeat(["keys", "import", file], { DATA_DIR: dataDir })).toMatchObject({ code: 0, stderr: "" });
  return keys;
}

async function start(server: RunningServer, access_key: string) {
  const session_id = newSessionId();
  const { status, body } = await server.post("/api/session/start", { access_key, session_id });
  return { status, session_id, generation: body.generation };
}

type Started = Pick<Awaited<ReturnType<typeof start>>, "session_id" | "generation">;

async function beat(server: RunningServer, { session_id }: Started) {
  const { status, body } = await server.post("/api/session/heartbeat", { session_id });
  return [status, body.generation];
}

async function expectLive(server: RunningServer, session: Started) {
  expect(await beat(server, session)).toEqual([200, session.generation]);
}

/** As a device asks: "not now" (503) is asked again, any other answer is the answer. */
async function expectLiveSoon(server: RunningServer, session: Started) {
  let answer: unknown[] = [];
  await waitUntil(async () => {
    answer = await beat(server, session);
    return answer[0] !== 503;
  });
  expect(answer).toEqual([200, session.generation]);
}

/** Starts `keybeat …` and leaves it to itself. */
function begin(args: string[], dataDir: string) {
  const env = { PATH: process.env.PATH, PORT: "0", DATA_DIR: dataDir };
  const child = spawn(process.execPath, ["dist/src/cli/keybeat.js", ...args], { env });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const code = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { child, code, stdout: () => stdout, stderr: () => stderr };
}

/** A refusal is one line for a person, and nothing else. */
function expectRefused(result: { code: number | null; stdout: string; stderr: string }, why: RegExp) {
  expect(result).toMatchObject({ code: 1, stdout: "" });
  expect(result.stderr).toMatch(/^keybeat: [^\n]+\n$/);
  expect(result.stderr).toMatch(why);
  expect(result.stderr).not.toContain("unexpected");
}

describe("the first run", () => {
  it("prints where the database is, an admin token, a demo key and a curl that works when pasted; the second finds them", async () => {
    const dataDir = await newDataDir();
    const first = await serve(dataDir);
    expect(first.output()).toMatch(/^database +embedded PostgreSQL 18 in /m);
    expect(first.output().trimEnd().split("\n").at(-1)).toBe(`listening on ${first.url}`);
    expect(first.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const [token, key] = [printed(first, "admin token"), printed(first, "demo key")];

    const command = /^try it +(curl .*)$/m.exec(first.output())?.[1] as string;
    const pasted = JSON.parse((await run("sh", ["-c", command])).stdout);
    expect(pasted).toMatchObject({ success: true, previous_session_terminated: false });
    const admin = (server: RunningServer) =>
      server.post("/api/admin/cleanup-sessions", {}, { Authorization: `Bearer ${token}` });
    expect((await admin(first)).status).toBe(200);
    expect(await first.stop()).toBe(0);

    const second = await serve(dataDir);
    expect(second.output()).not.toMatch(/demo key|try it/);
    expect(second.output()).not.toContain(token);
    expect(second.output()).toMatch(/^admin token +in .*admin-token$/m);
    expect((await admin(second)).status).toBe(200);
    const status = await second.post("/api/session/status", { access_key: key });
    expect(status.body).toMatchObject({ active: true, session: { device: { name: "Device A" } } });
    expect(await second.stop()).toBe(0);
  });

  it("keeps every file to the owner of the folder, whatever the umask, those that a release before left open, too", async () => {
    const dataDir = await newDataDir();
    const umask = process.umask(0);
    const server = await serve(dataDir).finally(() => process.umask(umask));
    const open = () =>
      [".", ...readdirSync(dataDir, { recursive: true, encoding: "utf8" })].filter(
        (path) => (statSync(join(dataDir, path)).mode & 0o077) !== 0,
      );
    expect(open()).toEqual([]);
    expect(readIn(dataDir, "database-url")).toMatch(/^postgres:\/\/keybeat_service:\w+@127\.0\.0\.1:\d+\/keybeat\n$/);
    expect(await server.stop()).toBe(0);

    writeFileSync(join(dataDir, "postgres.log"), "x".repeat(10_000_001));
    for (const file of ["postgres.log", "postgres-password", "database-url", "admin-token"])
      await chmod(join(dataDir, file), 0o644);
    const second = await serve(dataDir);
    expect(statSync(join(dataDir, "postgres.log.old")).size).toBe(10_000_001);
    expect(open()).toEqual([]);
    expect(await second.stop()).toBe(0);
  });

  it("makes up no token where one is given", async () => {
    const dataDir = await newDataDir();
    const server = await serve(dataDir, { ADMIN_TOKEN: "given-by-the-operator" });
    expect(server.output()).not.toContain("given-by-the-operator");
    expect(existsSync(join(dataDir, "admin-token"))).toBe(false);
    expect(await server.stop()).toBe(0);
  });
});

describe("what the database may do", () => {
  it("the service, and psql by its address, reach no file, no program and no other role", async () => {
    const dataDir = await newDataDir();
    const server = await serve(dataDir);
    const sql = postgres(readIn(dataDir, "database-url").trim(), { max: 1, fetch_types: false });
    for (const statement of [
      "COPY (SELECT 1) TO PROGRAM 'id'",
      "COPY keys TO '/tmp/keys'",
      "SELECT pg_read_file('/etc/passwd')",
      "SELECT lo_import('/etc/passwd')",
      "CREATE ROLE another SUPERUSER",
      "ALTER SYSTEM SET log_parameter_max_length = -1",
      "SET ROLE keybeat",
    ]) {
      await expect(sql.unsafe(statement), statement).rejects.toMatchObject({ code: "42501" });
    }
    // What operators ask for works, and the tables are theirs.
    expect(
      (await sql`SELECT count(*)::int AS n FROM pg_stat_activity WHERE query = '<insufficient privilege>'`)[0]?.n,
    ).toBe(0);
    await sql`ALTER TABLE keys SET (fillfactor = 90)`;
    await sql.end();
    expect(await server.stop()).toBe(0);
  });

  it("has no capability and cannot gain one, also in a folder that only root may enter, and none of our secrets", async () => {
    const locked = join(await emptyFolder(), "private");
    await mkdir(locked, { mode: 0o700 });
    const dataDir = join(locked, "data");
    const nonsense = join(locked, "lib");
    await mkdir(nonsense);
    writeFileSync(join(nonsense, "libxml2.so.2"), "no library");
    const server = await serve(dataDir, {
      KEY_PEPPER: "a-pepper-of-the-operator",
      ADMIN_TOKEN: "a-token-of-the-operator",
      LD_LIBRARY_PATH: nonsense,
      PGDATA: "/nowhere",
      PGOPTIONS: "-c nonsense=1",
      LC_ALL: "xx_XX",
      LANG: "xx_XX",
    });
    const proc = (file: string) => readFileSync(`/proc/${postmasterOf(dataDir)}/${file}`, "utf8");
    const status = Object.fromEntries(
      proc("status")
        .split("\n")
        .map((line) => line.split(/:\s+/)),
    );
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"])
      expect([set, status[set]]).toEqual([set, "0".repeat(16)]);
    if (process.getuid?.() === 0) {
      expect(status).toMatchObject({ NoNewPrivs: "1", CapBnd: "0".repeat(16) });
      expect(status.Uid.split("\t")).not.toContain("0");
    }
    const names = proc("environ")
      .split("\0")
      .filter(Boolean)
      .map((setting) => setting.split("=")[0] as string);
    expect(names.filter((name) => !["PATH", "TZ", "TMPDIR", "LC_ALL"].includes(name))).toEqual([]);
    expect(await server.stop()).toBe(0);
  });

  it("its log shows no session id, though it is told to log every statement and one fails", async () => {
    const dataDir = await newDataDir();
    const server = await serve(dataDir);
    const sql = superuser(dataDir, "keybeat");
    await sql`ALTER SYSTEM SET log_min_duration_statement = 0`;
    await sql`ALTER SYSTEM SET log_statement = 'all'`;
    await sql`SELECT pg_reload_conf()`;
    await waitUntil(async () => (await sql`SHOW log_statement`)[0]?.log_statement === "all");
    const { session_id } = await start(server, printed(server, "demo key"));
    const again = sql`INSERT INTO active_sessions SELECT * FROM active_sessions WHERE session_id = ${session_id}`;
    await expect(again).rejects.toMatchObject({ code: "23505" });
    await sql.end();
    expect(await server.stop()).toBe(0);
    expect(readIn(dataDir, "postgres.log")).toMatch(/duration: [\s\S]*duplicate key/);
    expect(readIn(dataDir, "postgres.log")).not.toContain(session_id);
  });
});

describe("data of a release whose service was the superuser", () => {
  const leftByIt = async () => {
    const dataDir = await newDataDir();
    const cluster = await prepareCluster(dataDir);
    const port = await startPostgres(cluster);
    const url = superuserUrlOf(cluster, port);
    const sql = postgres(url.replace(/keybeat$/, "postgres"), { max: 1, fetch_types: false });
    await sql`CREATE DATABASE keybeat`;
    await sql.end();
    await migrateDatabase(url);
    await stopPostgres(cluster);
    return { dataDir, cluster, port };
  };

  const expectHandedOver = async (dataDir: string) => {
    const sql = superuser(dataDir, "keybeat");
    const left = await sql`
      SELECT relname AS name FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
      WHERE relowner = 'keybeat'::regrole AND nspname IN ('public', 'drizzle')
      UNION ALL SELECT proname FROM pg_proc WHERE proowner = 'keybeat'::regrole AND pronamespace = 'public'::regnamespace
      UNION ALL SELECT nspname FROM pg_namespace WHERE nspowner = 'keybeat'::regrole AND nspname = 'drizzle'`;
    expect(left.map(({ name }) => name)).toEqual([]);
    expect((await sql`SELECT rolsuper FROM pg_roles WHERE rolname = 'keybeat_service'`)[0]?.rolsuper).toBe(false);
    await sql.end();
  };

  it("is the service's after the next start, with everything in it, though several come at once", async () => {
    const { dataDir } = await leftByIt();
    const [made, , server] = await Promise.all([
      keybeat(["keys", "create"], { DATA_DIR: dataDir }),
      keybeat(["keys", "list"], { DATA_DIR: dataDir }),
      serve(dataDir),
    ]);
    await expectHandedOver(dataDir);
    expect((await start(server, made.stdout.trim())).status).toBe(200);
    const sql = postgres(readIn(dataDir, "database-url").trim(), { max: 1, fetch_types: false });
    await sql`CALL tidy_history(90, NULL, NULL)`;
    await sql.end();
    expect(await server.stop()).toBe(0);
  });

  it("and its server, which it was killed under, is started anew with what it may do now", async () => {
    const { dataDir, cluster, port } = await leftByIt();
    await chmod(dataDir, 0o755); // as that release made it
    const log = await open(cluster.logFile, "a");
    const args = ["-D", cluster.dir, "-p", String(port), "-c", "unix_socket_directories="];
    const old = cluster.runAs.launch("/", cluster.programs.postgres, args, log.fd);
    await log.close();
    await waitUntil(() => existsSync(markOf(dataDir)) && readFileSync(markOf(dataDir), "utf8").includes("ready"));
    const server = await serve(dataDir);
    expect(old.exitCode).toBe(0);
    expect(postmasterOf(dataDir)).not.toBe(old.pid);
    await expectHandedOver(dataDir);
    expect(await server.stop()).toBe(0);
  });
});

describe("an orderly end", () => {
  it.each(["SIGINT", "SIGTERM"] as const)(
    "%s stops both processes: exit 0, PostgreSQL shut down, nothing left",
    async (name) => {
      const dataDir = await newDataDir();
      const server = await serve(dataDir);
      const postmaster = postmasterOf(dataDir);
      // A Ctrl-C goes to everything in the terminal's group; PostgreSQL must not hear it before we have answered.
      const groups = await run("ps", ["-o", "pgid=", "-p", `${postmaster},${server.child.pid}`]);
      expect(new Set(groups.stdout.trim().split(/\s+/)).size).toBe(2);
      expect(await server.stop(name)).toBe(0);
      expect(existsSync(markOf(dataDir))).toBe(false);
      expect(readIn(dataDir, "postgres.log").trimEnd()).toMatch(/database system is shut down$/);
      expect(server.output()).not.toContain('"level":50');
    },
  );

  it("a signal while it still starts is obeyed", async () => {
    const dataDir = await newDataDir();
    const { child, code } = begin(["serve"], dataDir);
    await waitUntil(() => existsSync(markOf(dataDir)));
    child.kill("SIGTERM");
    expect(await code).toBe(143);
    await waitUntil(() => !existsSync(markOf(dataDir)));
  });
});

describe("what was acknowledged survives", () => {
  it("kill -9 of Keybeat: the next start takes the same PostgreSQL over, with everything in it", async () => {
    const dataDir = await newDataDir();
    const first = await serve(dataDir);
    const session = await start(first, printed(first, "demo key"));
    const postmaster = postmasterOf(dataDir);
    await killHard(first);
    const second = await serve(dataDir);
    expect(postmasterOf(dataDir)).toBe(postmaster);
    await expectLive(second, session);
    expect(await second.stop()).toBe(0);
    expect(existsSync(markOf(dataDir))).toBe(false);
  });

  it("kill -9 of PostgreSQL: the service recovers by itself, and every start it had answered is still there", async () => {
    const dataDir = await newDataDir();
    const keys = await importKeys(dataDir, 60);
    const server = await serve(dataDir);
    const postmaster = postmasterOf(dataDir);
    const acknowledged: Array<Awaited<ReturnType<typeof start>>> = [];
    const statuses = new Set<number>();
    let killed = false;
    await waitUntil(async () => {
      const reply = await start(server, keys[acknowledged.length] as string);
      statuses.add(reply.status);
      if (reply.status === 200) acknowledged.push(reply);
      if (acknowledged.length === 20 && !killed) {
        killed = true;
        process.kill(postmaster, "SIGKILL");
      }
      return acknowledged.length >= 40;
    });
    expect(postmasterOf(dataDir)).not.toBe(postmaster);
    expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([]);
    for (const session of acknowledged) await expectLive(server, session);
    expect((await server.get("/health")).body).toMatchObject({ status: "ok", database: "ok" });
    expect(await server.stop()).toBe(0);
    expect(existsSync(markOf(dataDir))).toBe(false);
  });

  it("kill -9 of one backend of PostgreSQL, which resets all of them: the service recovers by itself", async () => {
    const dataDir = await newDataDir();
    const server = await serve(dataDir);
    const session = await start(server, printed(server, "demo key"));
    for (const backend of childrenOf(postmasterOf(dataDir))) signal(backend, "SIGKILL");
    // Until PostgreSQL has learned of their death it may still answer with a new one, which it then ends with the rest.
    await waitUntil(() => readIn(dataDir, "postgres.log").includes("all server processes terminated; reinitializing"));
    await expectLiveSoon(server, session);
    expect((await server.get("/health")).body).toMatchObject({ status: "ok", database: "ok" });
    // It has its hold on the folder again: a command is its guest, and does not stop the server when it is done.
    expect((await keybeat(["keys", "list"], { DATA_DIR: dataDir })).code).toBe(0);
    await expectLive(server, session);
    expect(await server.stop()).toBe(0);
  });

  it("a command that comes before the server to the hold on the folder, after such a reset, leaves PostgreSQL running", async () => {
    const dataDir = await newDataDir();
    const server = await serve(dataDir);
    const session = await start(server, printed(server, "demo key"));
    const postmaster = postmasterOf(dataDir);
    const sql = superuser(dataDir, "postgres"); // where the hold is
    const holder = async () => {
      const rows = await sql`SELECT a.application_name AS name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = 'postgres')`;
      return String(rows[0]?.name);
    };
    // The command stays at its first step, as if another process migrated, and the server does not look meanwhile.
    const migrating = superuser(dataDir, "keybeat");
    await migrating`SELECT pg_advisory_lock(1262834007)`;
    server.child.kill("SIGSTOP");
    await sql`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database IN (SELECT oid FROM pg_database WHERE datname = 'postgres')`;
    const command = keybeat(["keys", "list"], { DATA_DIR: dataDir });
    await waitUntil(async () => /owner, command/.test(await holder()));
    server.child.kill("SIGCONT");
    const isBack = async () =>
      (await sql`SELECT FROM pg_stat_activity WHERE application_name LIKE 'keybeat owner, serve,%'`).length > 0;
    await waitUntil(isBack);
    await migrating.end();
    expect((await command).code).toBe(0);
    await expectLive(server, session);
    expect(postmasterOf(dataDir)).toBe(postmaster);
    await waitUntil(async () => /owner, serve/.test(await holder()));
    await sql.end();
    expect(await server.stop()).toBe(0);
    expect(existsSync(markOf(dataDir))).toBe(false);
  });

  it("kill -9 of both: the next start recovers the folder, with everything in it", async () => {
    const dataDir = await newDataDir();
    const first = await serve(dataDir);
    const session = await start(first, printed(first, "demo key"));
    process.kill(postmasterOf(dataDir), "SIGKILL");
    await killHard(first);
    const second = await serve(dataDir);
    await expectLive(second, session);
    expect(await second.stop()).toBe(0);
  });

  it("a recovery may take as long as it takes: it is waited for, with a line every ten seconds", async () => {
    const dataDir = await newDataDir();
    const first = await serve(dataDir);
    const session = await start(first, printed(first, "demo key"));
    await killHard(first);
    const mark = readFileSync(markOf(dataDir), "utf8");
    writeFileSync(markOf(dataDir), mark.replace("ready   ", "starting")); // as it reads until it has recovered
    const [second, command] = [begin(["serve"], dataDir), begin(["keys", "list"], dataDir)];
    const said = "the embedded PostgreSQL is starting, recovering or stopping, for 10 s now";
    await waitUntil(() => second.stdout().includes(said) && command.stderr().includes(said));
    writeFileSync(markOf(dataDir), mark);
    await waitUntil(() => second.stdout().includes("listening on"));
    expect([await command.code, command.stdout().split("\n").length]).toEqual([0, 3]);
    second.child.kill("SIGTERM");
    expect(await second.code).toBe(0);
    const third = await serve(dataDir);
    await expectLive(third, session);
    expect(await third.stop()).toBe(0);
  });

  it("kill -9 of a first run in its middle: the next one makes it whole", async () => {
    const dataDir = await newDataDir();
    const { child, code } = begin(["serve"], dataDir);
    await waitUntil(() => existsSync(markOf(dataDir)));
    child.kill("SIGKILL");
    await code;
    const server = await serve(dataDir);
    expect((await start(server, printed(server, "demo key"))).status).toBe(200);
    expect(await server.stop()).toBe(0);
  });

  it("a process id in PostgreSQL's mark that was given out again: it starts, or says in one line what to do", async () => {
    const dataDir = await newDataDir();
    const first = await serve(dataDir);
    const session = await start(first, printed(first, "demo key"));
    const mark = readIn(dataDir, "postgres/postmaster.pid");
    expect(await first.stop()).toBe(0);
    // As after a power cut: the mark is there, and its id belongs to a process of the same user that is no PostgreSQL.
    const owner = process.getuid?.() === 0 ? await userOf(join(dataDir, "postgres")) : {};
    const stranger = spawn("sleep", ["600"], { ...owner, stdio: "ignore" });
    writeFileSync(markOf(dataDir), mark.replace(/^\d+/, String(stranger.pid)));

    const { child, stdout, stderr } = begin(["serve"], dataDir);
    await waitUntil(() => stdout().includes("listening on") || child.exitCode !== null);
    if (child.exitCode !== null) {
      expectRefused({ code: child.exitCode, stdout: stdout(), stderr: stderr() }, /postmaster\.pid/);
      rmSync(markOf(dataDir));
    } else {
      child.kill("SIGTERM");
      await waitUntil(() => child.exitCode !== null);
    }
    const second = await serve(dataDir);
    await expectLive(second, session);
    expect(await second.stop()).toBe(0);
  });
});

async function userOf(path: string): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = (await run("stat", ["-c", "%u %g", path])).stdout.split(" ").map(Number);
  return { uid: uid as number, gid: gid as number };
}

describe("one folder, several programs", () => {
  it("a second serve is refused with one line and exit 1, and the first goes on", async () => {
    const dataDir = await newDataDir();
    const first = await serve(dataDir);
    const result = await keybeat(["serve"], { DATA_DIR: dataDir, PORT: "0" });
    expectRefused(result, new RegExp(`in use by another Keybeat process.*${first.child.pid}`));
    expect((await first.get("/health")).status).toBe(200);
    expect(await first.stop()).toBe(0);
  });

  it("keys create works while it is served, and the key is good at once; and when it is not, and leaves nothing running", async () => {
    const dataDir = await newDataDir();
    const create = async () => {
      const { code, stdout, stderr } = await keybeat(["keys", "create", "--key", newAccessKey()], {
        DATA_DIR: dataDir,
      });
      expect([code, stderr]).toEqual([0, ""]);
      return stdout.trim();
    };
    const before = await create();
    expect(existsSync(markOf(dataDir))).toBe(false);
    const first = await serve(dataDir);
    expect(first.output()).not.toContain("demo key");
    const during = await create();
    for (const key of [before, during]) expect((await start(first, key)).status).toBe(200);
    expect(await first.stop()).toBe(0);
    const after = await create();
    expect(existsSync(markOf(dataDir))).toBe(false);
    const second = await serve(dataDir);
    for (const key of [before, during, after]) expect((await start(second, key)).status).toBe(200);
    expect(await second.stop()).toBe(0);
  });

  it.each(["a fresh", "an existing"])(
    "two keys create at once on %s folder both succeed, and a serve that comes with them",
    async (kind) => {
      const dataDir = await newDataDir();
      if (kind === "an existing") await importKeys(dataDir, 1);
      const [a, b, server] = await Promise.all([
        keybeat(["keys", "create"], { DATA_DIR: dataDir }),
        keybeat(["keys", "create"], { DATA_DIR: dataDir }),
        serve(dataDir),
      ]);
      for (const result of [a, b]) {
        expect(result).toMatchObject({ code: 0, stderr: expect.stringMatching(/^(keybeat: waiting for .*\n)*$/) });
        expect((await start(server, result.stdout.trim())).status).toBe(200);
      }
      expect(await server.stop()).toBe(0);
      expect(existsSync(markOf(dataDir))).toBe(false);
    },
  );

  it("two workers share the embedded default: one welcome, and the made-up token is good in both", async () => {
    const dataDir = await newDataDir();
    const server = await serve(dataDir, { WORKERS: "2" });
    const token = printed(server, "admin token");
    for (let call = 0; call < 4; call++) {
      const headers = { Authorization: `Bearer ${token}`, Connection: "close" };
      expect((await server.post("/api/admin/cleanup-sessions", {}, headers)).status).toBe(200);
    }
    expect(server.output().match(/^demo key/gm)).toHaveLength(1);
    expect(await server.stop()).toBe(0);
    expect(existsSync(markOf(dataDir))).toBe(false);
  });
});

describe("the folder", () => {
  it("may lie below one that only its owner may enter, which for root's PostgreSQL is another user", async () => {
    const folder = await emptyFolder();
    const locked = join(folder, "private");
    await mkdir(locked, { mode: process.getuid?.() === 0 ? 0o700 : 0o755 });
    const server = await serve(join(locked, "data"));
    expect((await start(server, printed(server, "demo key"))).status).toBe(200);
    expect(await server.stop()).toBe(0);
    expect((await keybeat(["keys", "list"], { DATA_DIR: join(locked, "data") })).code).toBe(0);
  });

  it("may have spaces, an apostrophe and accents in its name", async () => {
    const dataDir = join(await emptyFolder(), "Büro – it's data");
    const result = await keybeat(["keys", "create"], { DATA_DIR: dataDir });
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const server = await serve(dataDir);
    expect((await start(server, result.stdout.trim())).status).toBe(200);
    expect(await server.stop()).toBe(0);
  });

  it("may have a name that a shell would misread", async () => {
    const dataDir = join(await emptyFolder(), '$HOME `id` "\\');
    expect(await keybeat(["keys", "create"], { DATA_DIR: dataDir })).toMatchObject({ code: 0, stderr: "" });
  });

  it("of another major version is refused in one line, and left as it is", async () => {
    const dataDir = await newDataDir();
    const [key] = await importKeys(dataDir, 1);
    const version = join(dataDir, "postgres", "PG_VERSION");
    writeFileSync(version, "17\n");
    expectRefused(await keybeat(["serve"], { DATA_DIR: dataDir, PORT: "0" }), /PostgreSQL 17.* 18/);
    expectRefused(await keybeat(["keys", "list"], { DATA_DIR: dataDir }), /PostgreSQL 17.* 18/);
    writeFileSync(version, "18\n");
    const server = await serve(dataDir);
    expect((await start(server, key as string)).status).toBe(200);
    expect(await server.stop()).toBe(0);
  });

  it.each(["postgres.log", "postgres-password", "database-url", "postgres.log.old"])(
    "a link in place of its file %s leads nowhere: what it names is neither read nor written",
    async (name) => {
      const dataDir = await newDataDir();
      await mkdir(dataDir);
      const victim = join(dataDir, "..", "victim");
      writeFileSync(victim, "as it was", { mode: 0o644 });
      symlinkSync(victim, join(dataDir, name));
      const result = await keybeat(["keys", "list"], { DATA_DIR: dataDir });
      if (result.code !== 0) expectRefused(result, new RegExp(`${name}'|${name} is a link`));
      expect([readFileSync(victim, "utf8"), statSync(victim).mode & 0o777]).toEqual(["as it was", 0o644]);
      expect(existsSync(join(dataDir, "postgres"))).toBe(result.code === 0);
    },
  );

  it("with something else where the data should be is refused in one line, and left as it is", async () => {
    const dataDir = await newDataDir();
    await mkdir(join(dataDir, "postgres"), { recursive: true });
    writeFileSync(join(dataDir, "postgres", "notes"), "mine");
    expectRefused(await keybeat(["keys", "list"], { DATA_DIR: dataDir }), /in the way/);
    expect(readdirSync(dataDir).filter((name) => name.startsWith("postgres."))).toEqual([]);
  });

  it("may have a path longer than a socket's", async () => {
    const dataDir = join(await emptyFolder(), "long ".repeat(30), "folder ".repeat(30), "data");
    expect(await keybeat(["keys", "create"], { DATA_DIR: dataDir })).toMatchObject({ code: 0, stderr: "" });
  });

  it("that is a file is refused in one line", async () => {
    const file = join(await emptyFolder(), "file");
    writeFileSync(file, "");
    expectRefused(await keybeat(["serve"], { DATA_DIR: file, PORT: "0" }), /file/);
  });
});
