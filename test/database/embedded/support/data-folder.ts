/** What the tests of the embedded PostgreSQL need: data folders, and the program in them. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { afterEach, expect } from "vitest";
import { childrenOf, signal } from "../../../support/children.ts";
import { keybeat, type RunningServer, startServer } from "../../../support/process.ts";
import { newAccessKey, newSessionId } from "../../../support/secrets.ts";
import { waitUntil } from "../../../support/wait-until.ts";

const folders: string[] = [];

/** For a test file: these tools. After each test, child processes of this one and servers in its folders are killed. */
export function useDataFolders() {
  afterEach(async () => {
    for (const pid of childrenOf(process.pid)) signal(pid, "SIGKILL");
    for (const folder of folders.splice(0)) {
      const args = execFileSync("ps", ["-A", "-o", "pid=,args="], { encoding: "utf8" }).split("\n");
      for (const line of args.filter((text) => text.includes(`=${folder}`))) {
        signal(Number.parseInt(line, 10), "SIGQUIT");
      }
      await sleep(100);
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    }
  });
  return {
    beat,
    begin,
    emptyFolder,
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
  };
}

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

export type Started = Pick<Awaited<ReturnType<typeof start>>, "session_id" | "generation">;

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
