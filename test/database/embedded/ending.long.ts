/** The embedded PostgreSQL when Keybeat, it, or both come to their end: in order, by kill -9, amid a first run. */
import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { childrenOf, signal } from "../../support/children.ts";
import { keybeat } from "../../support/process.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { useDataFolders } from "./support/data-folder.ts";

const run = promisify(execFile);

const {
  begin,
  expectLive,
  expectLiveSoon,
  expectRefused,
  importKeys,
  killHard,
  markOf,
  newDataDir,
  postmasterOf,
  printed,
  readIn,
  serve,
  start,
  superuser,
} = useDataFolders();

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
