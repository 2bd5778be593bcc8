/** What is published: packed, installed into an empty project, and used there as its readers would. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "keybeat-package-"));
const run = (command: string, ...args: string[]) =>
  execFileSync(command, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

beforeAll(() => {
  execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder], { encoding: "utf8" });
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "an-app", private: true, type: "module" }));
  run("npm", "install", "--silent", "--prefer-offline", "--no-audit", "--no-fund", `./${tarball}`);
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

  it("gives types that an app compiles with", () => {
    writeFileSync(
      join(folder, "app.ts"),
      `import { type LostEvent, startSession } from "keybeat/client";
       import { startFakeServer } from "keybeat/testing";
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

  it("brings the command line, and a service that starts in an empty folder", async () => {
    expect(run("npx", "--no-install", "keybeat", "--version")).toMatch(/^\d+\.\d+\.\d+/);
    const child = spawn(join(folder, "node_modules/.bin/keybeat"), ["serve"], {
      cwd: folder,
      env: { PATH: process.env.PATH, PORT: "0" },
    });
    let output = "";
    for await (const chunk of child.stdout) {
      output += chunk;
      if (output.includes("listening on")) break;
    }
    expect(output).toContain("listening on http://127.0.0.1:");
    child.kill("SIGTERM");
    expect(await new Promise((done) => child.once("exit", done))).toBe(0);
  });

  it("holds what its README names, and no test, source map or data of ours", () => {
    const listed = run("tar", "-tzf", readdirSync(folder).find((name) => name.endsWith(".tgz")) as string);
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
