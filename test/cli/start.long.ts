/** A start waits for what is coming, says for what, gives up in the end, and can be stopped at any moment. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { afterEach, describe, expect, it } from "vitest";
import { useDatabase } from "../support/database.ts";
import { databaseUrl } from "../support/database-url.ts";
import { createEmptyDatabase } from "../support/empty-database.ts";
import { keybeat } from "../support/process.ts";
import { startProxy } from "../support/proxy.ts";

const db = useDatabase();
const undo: Array<() => unknown> = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

interface Started {
  child: ChildProcess;
  output(): string;
  /** Waits until it has said so. */
  says(what: RegExp): Promise<void>;
  exit: Promise<number | null>;
}

function start(args: string[], env: Record<string, string>): Started {
  const { PATH = "", HOME = "", TMPDIR = tmpdir() } = process.env;
  const child = spawn(process.execPath, ["dist/src/cli/keybeat.js", ...args], {
    env: { PATH, HOME, TMPDIR, PORT: "0", ...env },
  });
  undo.push(() => child.kill("SIGKILL"));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  return {
    child,
    output: () => output,
    async says(what) {
      while (!what.test(output)) {
        if (child.exitCode !== null) throw new Error(`it ended: ${output}`);
        await sleep(10);
      }
    },
    exit: new Promise((resolve) => child.once("close", resolve)),
  };
}

/** By a signal, and not by time: the process sees to it itself that it is over in 2 s, on a busy machine later. */
async function stops({ child, exit }: Started, signal: NodeJS.Signals): Promise<number | null> {
  child.kill(signal);
  const late = sleep(10_000).then(() => {
    throw new Error("it goes on");
  });
  return Promise.race([exit, late]);
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  undo.push(() => server.close());
  return (server.address() as { port: number }).port;
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "keybeat-start-"));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const AWAY = "postgres://u:p@127.0.0.1:1/none";
const TWO_AWAY = "postgres://u:p@127.0.0.1:1,127.0.0.1:2/none";
const EXIT = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

describe("a start before the database", () => {
  it("says what it waits for, and serves when it is there", async () => {
    const proxy = await startProxy(db.url);
    undo.push(() => proxy.close());
    await proxy.set("refuse");
    const started = start(["serve"], { DATABASE_URL: proxy.url });
    await started.says(
      /waiting for the database at 127\.0\.0\.1:\d+\/\w+: connect ECONNREFUSED [^"]*; trying again for \d+ s/,
    );
    await proxy.set("pass");
    await started.says(/listening on/);
    expect(started.output().match(/waiting for/g)).toHaveLength(1);
    started.child.kill("SIGTERM");
    expect(await started.exit).toBe(0);
  });

  it.each([
    ["one host", AWAY, /127\.0\.0\.1:1\/none cannot be reached: connect ECONNREFUSED 127\.0\.0\.1:1 \(tried for 3 s\)/],
    [
      "two hosts",
      TWO_AWAY,
      /127\.0\.0\.1:1,127\.0\.0\.1:2\/none cannot be reached: .*:1 .*ECONNREFUSED.*:2 .*ECONNREFUSED/,
    ],
  ])("gives up with the reason: %s", async (_what, url, said) => {
    const env = { DATABASE_URL: `${url}?connect_timeout=3` };
    for (const command of ["serve", "migrate"]) {
      const started = start([command], env);
      expect(await started.exit).toBe(1);
      expect(started.output()).toMatch(/waiting for the database/);
      expect(started.output()).toMatch(said);
    }
  });

  it.each([["keys", "list"], ["sessions", "list"], ["cleanup"], ["doctor"], ["top", "--once"]])(
    "with two hosts away `%s` ends by itself, without waiting",
    async (...args) => {
      const { code, stdout, stderr } = await keybeat(args, { DATABASE_URL: TWO_AWAY, PORT: "0" });
      expect(code).toBe(1);
      expect(stdout + stderr).toMatch(/cannot be reached|none of the servers|database is away/);
    },
  );
});

/** The processes of that program that run in a folder below. */
function findIn(folder: string, program: string): number[] {
  return readdirSync("/proc")
    .filter((pid) => {
      try {
        if (readFileSync(`/proc/${pid}/comm`, "utf8").trim() !== program) return false;
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(`${folder}/`);
      } catch {
        return false; // it is none, or gone
      }
    })
    .map(Number);
}

describe("a start that waits is stopped by a signal", () => {
  const dark = async (): Promise<string> => {
    const port: number = await listen(createServer(() => {}));
    return `postgres://u:p@127.0.0.1:${port}/none`;
  };
  it.each([
    ["SIGINT", "one host that is away", async () => AWAY],
    ["SIGTERM", "two hosts that are away", async () => TWO_AWAY],
    ["SIGHUP", "one that never answers", dark],
    ["SIGTERM", "one that never answers", dark],
  ] as Array<[keyof typeof EXIT, string, () => Promise<string>]>)("%s: %s", async (signal, _what, url) => {
    const started = start(["serve"], { DATABASE_URL: await url() });
    await started.says(/waiting for the database/);
    expect(await stops(started, signal)).toBe(EXIT[signal]);
    expect(started.output()).toContain(`keybeat: stopped by ${signal}\n`);
  });

  it.each(["serve", "migrate", "cleanup"])("%s, which waits for another process's migration", async (command) => {
    const { url, drop } = await createEmptyDatabase();
    undo.push(drop);
    const other = postgres(url, { max: 1 });
    undo.push(() => other.end({ timeout: 0 }));
    await other`SELECT pg_advisory_lock(1262834007)`;
    const started = start([command], { DATABASE_URL: url });
    await started.says(/waiting for another process's migration, for up to 15 minutes/);
    expect(await stops(started, "SIGTERM")).toBe(143);
  });

  it("with a lock on what it writes", async () => {
    const other = postgres(db.url, { max: 1 });
    undo.push(() => other.end({ timeout: 0 }));
    await other`BEGIN`;
    await other`SELECT FROM service_state FOR UPDATE`;
    const started = start(["serve"], { DATABASE_URL: db.url, SESSION_TIMEOUT_SECONDS: "61" });
    await started.says(/another transaction holds a lock that this start needs/);
    expect(await stops(started, "SIGINT")).toBe(130);
  });

  it("with the data folder held by a command", async () => {
    const DATA_DIR = newFolder();
    const first = start(["serve"], { DATA_DIR, CLEANUP_CRON: "" });
    await first.says(/listening on/);
    const url = readFileSync(join(DATA_DIR, "database-url"), "utf8").trim();
    // The hold as a command has it: the lock exists, and its owner identifies as a command.
    await stops(first, "SIGKILL");
    const holder = postgres(databaseUrl(url, "postgres"), {
      max: 1,
      connection: { application_name: "keybeat owner, command, process 1" },
    });
    await holder`SELECT pg_advisory_lock(1262834006)`;
    const second = start(["serve"], { DATA_DIR });
    await second.says(/waiting for the hold on .* \(process 1\)/);
    expect(await stops(second, "SIGTERM")).toBe(143);
    await holder.end();
    // The next process takes over what was left, and cleans it up.
    expect(await keybeat(["migrate"], { DATA_DIR })).toMatchObject({ code: 0 });
    expect(serverRuns(DATA_DIR)).toBe(false);
  }, 120_000);

  it("with an initdb that hears nothing, as when it syncs its files to a slow disk", async () => {
    const DATA_DIR = join(newFolder(), "data");
    const started = start(["serve"], { DATA_DIR });
    let [initdb] = findIn(DATA_DIR, "initdb");
    for (; initdb === undefined; [initdb] = findIn(DATA_DIR, "initdb")) await sleep(5);
    process.kill(initdb, "SIGSTOP");
    expect(await stops(started, "SIGTERM")).toBe(143);
    expect(findIn(DATA_DIR, "initdb")).toEqual([]);
    expect(readdirSync(DATA_DIR).filter((name) => name.includes(".new-"))).toEqual([]);
  });

  it.each([0, 300, 1000, 2500])(
    "an embedded PostgreSQL begun %i ms ago is not left behind",
    async (ms) => {
      const DATA_DIR = join(newFolder(), "data");
      const started = start(["serve"], { DATA_DIR });
      while (!existsSync(DATA_DIR)) await sleep(5);
      await sleep(ms);
      const code = await stops(started, "SIGTERM");
      expect([0, 143]).toContain(code); // it may have come to serve
      for (let tries = 0; tries < 100 && serverRuns(DATA_DIR); tries++) await sleep(50);
      expect(serverRuns(DATA_DIR)).toBe(false);
      expect(readdirSync(DATA_DIR).filter((name) => name.startsWith("postgres.new"))).toEqual([]);
      expect(await keybeat(["migrate"], { DATA_DIR })).toMatchObject({ code: 0 });
    },
    120_000,
  );
});

/** By its mark: the process that it names is there. */
function serverRuns(dataDir: string): boolean {
  const mark = join(dataDir, "postgres", "postmaster.pid");
  if (!existsSync(mark)) return false;
  try {
    process.kill(Number(readFileSync(mark, "utf8").split("\n")[0]), 0);
    return true;
  } catch {
    return false;
  }
}
