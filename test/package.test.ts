/** What is published: packed, installed into an empty project, and used there as its readers would. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
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

  it("gives types that an app compiles with", () => {
    writeFileSync(
      join(folder, "app.ts"),
      `import { type LostEvent, startSession } from "keybeat/client";
       import { startFakeServer } from "keybeat/testing";
       import { createWaitingRoom, type PlaceEvent } from "keybeat/waiting-room";
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

/** As a newcomer types it: npx installs the package first. Its cache is a new one, but for what npm has downloaded. */
function serveByNpx(cwd: string) {
  const cache = join(folder, "cache");
  const npmCache = execFileSync("npm", ["config", "get", "cache"], { encoding: "utf8" }).trim();
  mkdirSync(cache);
  symlinkSync(join(npmCache, "_cacache"), join(cache, "_cacache"));
  const child = spawn("npx", ["--yes", "--prefer-offline", "--package", tarball(), "keybeat", "serve"], {
    ...{ cwd, detached: true, stdio: ["ignore", "pipe", "pipe"] as const },
    env: { PATH: process.env.PATH, HOME: process.env.HOME, npm_config_cache: cache, PORT: "0" },
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
