/** The commands of "Backup and restore", run as they stand: what was backed up is there again, and holds its promises. */
import { execFile, execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { chooseRunAs } from "../../src/database/embedded/run-as.ts";
import { databaseUrl } from "../support/database-url.ts";
import { keybeat, type RunningServer, startServer } from "../support/process.ts";
import { newSessionId } from "../support/secrets.ts";

const guide = readFileSync("scripts/deploy/README.md", "utf8");
const folder = mkdtempSync(join(tmpdir(), "keybeat-backup-"));
const undo: Array<() => unknown> = [];
const VERSIONS = "/usr/lib/postgresql";

beforeAll(() => {
  writeFileSync(
    join(folder, "keybeat"),
    `#!/bin/sh\nexec ${process.execPath} ${resolve("dist/src/cli/keybeat.js")} "$@"\n`,
  );
  chmodSync(join(folder, "keybeat"), 0o755);
});
afterAll(async () => {
  for (const step of undo.splice(0).reverse()) await step();
  rmSync(folder, { recursive: true, force: true });
});

function commandsTo(what: string): string {
  const marked = guide.split(`<!-- run by test/scripts/backup.host.ts: ${what} -->\n\`\`\`sh\n`)[1];
  expect(marked).toBeDefined();
  return (marked as string).split("```")[0] as string;
}

async function run(script: string, env: Record<string, string> = {}, tools = ""): Promise<string> {
  const { PATH = "", HOME = "" } = process.env;
  const options = { cwd: folder, env: { HOME, PATH: [folder, tools, PATH].join(":"), PORT: "0", ...env } };
  return (await promisify(execFile)("sh", ["-ec", script], options)).stdout;
}

const start = async (server: RunningServer, access_key: string, session_id = newSessionId()) => {
  const { status, body } = await server.post("/api/session/start", { access_key, session_id });
  expect(status).toBe(200);
  return { session_id, generation: body.generation as number };
};
const beat = async (server: RunningServer, { session_id }: { session_id: string }) =>
  (await server.post("/api/session/heartbeat", { session_id })).status;

async function makeKey(env: Record<string, string>): Promise<string> {
  const { code, stdout } = await keybeat(["keys", "create", "--json"], env);
  expect(code).toBe(0);
  return JSON.parse(stdout).access_key;
}

describe("backup and restore by pg_dump", () => {
  it("bring every key, session and ending back, and never a generation that was handed out since", async () => {
    const cluster = await findServer();
    const { url: DATABASE_URL, tools } = cluster;
    const server = await startServer({ DATABASE_URL });
    const [held, contested] = [await makeKey({ DATABASE_URL }), await makeKey({ DATABASE_URL })];
    const holder = await start(server, held);
    const replaced = await start(server, contested);
    const replacing = await start(server, contested);

    await run(commandsTo("back up"), { DATABASE_URL }, tools);

    expect(await beat(server, holder)).toBe(200); // it was served all the while
    const since = await start(server, contested);
    await server.stop();
    const RESTORED_URL = await cluster.create("restored");
    const report = await run(commandsTo("restore"), { DATABASE_URL, RESTORED_URL }, tools);
    expect(report).toMatch(/OK +migrations/);

    const restored = await startServer({ DATABASE_URL: RESTORED_URL });
    expect(await beat(restored, holder)).toBe(200);
    expect(await beat(restored, replaced)).toBe(410);
    expect(await beat(restored, replacing)).toBe(200);
    expect(await beat(restored, since)).toBe(404);
    expect((await start(restored, contested)).generation).toBeGreaterThan(since.generation);
    await restored.stop();
  });
});

describe("backup and restore of the embedded database", () => {
  it("bring the data folder back as it was, and never a generation that was handed out since", async () => {
    const env = { DATA_DIR: join(folder, ".keybeat") };
    const first = await startServer(env);
    const key = /^demo key\s+(\S+)/m.exec(first.output())?.[1] as string;
    const holder = await start(first, key);
    await first.stop();
    await run(commandsTo("back up the embedded one"));

    const second = await startServer(env);
    expect(await beat(second, holder)).toBe(200);
    const since = await start(second, key);
    await second.stop();
    await run(commandsTo("restore the embedded one"));

    const third = await startServer(env);
    expect(await beat(third, holder)).toBe(200);
    expect(await beat(third, since)).toBe(404);
    expect((await start(third, key)).generation).toBeGreaterThan(since.generation);
    await third.stop();
  });
});

interface FoundServer {
  url: string;
  tools: string;
  create(name: string): Promise<string>;
}

/**
 * pg_dump reads servers of its own major version and older. Where the suite's server is newer than the tools that are
 * installed, theirs is started: Debian's postgresql has both.
 */
async function findServer(): Promise<FoundServer> {
  const suite = inject("serverUrl");
  const sql = postgres(suite, { max: 1 });
  const [row] = await sql`SELECT current_setting('server_version_num')::int / 10000 AS major`;
  await sql.end();
  const major = Number(/\) (\d+)/.exec(execFileSync("pg_dump", ["--version"], { encoding: "utf8" }))?.[1]);
  if (major >= row?.major) return onServer(suite, "");
  const found = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a)) : [];
  const tools = found.map((version) => join(VERSIONS, version, "bin")).find((bin) => existsSync(join(bin, "initdb")));
  if (tools === undefined)
    throw new Error(`pg_dump ${major} is older than the server and brings none: install postgresql`);
  return startOwn(tools);
}

async function startOwn(tools: string): Promise<FoundServer> {
  const data = mkdtempSync(join(tmpdir(), "keybeat-cluster-"));
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, "a-password-for-a-test");
  const { owner, exec } = await chooseRunAs();
  chmodSync(folder, 0o755);
  if (owner) execFileSync("chown", [`${owner.uid}:${owner.gid}`, data]);
  const port = await freePort();
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''`;
  await exec(data, join(tools, "initdb"), [
    "-D",
    data,
    "-U",
    "keybeat",
    "-A",
    "scram-sha-256",
    "--pwfile",
    passwordFile,
  ]);
  await exec(data, join(tools, "pg_ctl"), ["start", "-D", data, "-w", "-s", "-l", join(data, "log"), "-o", options]);
  undo.push(async () => {
    await exec(data, join(tools, "pg_ctl"), ["stop", "-D", data, "-m", "fast", "-s"]);
    rmSync(data, { recursive: true, force: true });
  });
  return onServer(`postgres://keybeat:a-password-for-a-test@127.0.0.1:${port}/postgres`, tools);
}

async function onServer(serverUrl: string, tools: string): Promise<FoundServer> {
  const admin = postgres(serverUrl, { max: 1, onnotice: () => {} });
  undo.push(() => admin.end());
  const create = async (name: string) => {
    const database = `keybeat_${name}_${process.pid}`;
    await admin.unsafe(`CREATE DATABASE ${database}`);
    undo.push(() => admin.unsafe(`DROP DATABASE ${database} WITH (FORCE)`));
    return databaseUrl(serverUrl, database);
  };
  return { url: await create("saved"), tools, create };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}
