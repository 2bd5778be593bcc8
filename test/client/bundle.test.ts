/** What an app ships: how big it is, what it needs, and that it runs as it is. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { buildSync, transformSync } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FakeServer, startFakeServer } from "../../src/client/testing/index.ts";

const BYTES_MAX = 6_912;
/** Proof, signatures and leases: loaded by apps that ask for them. */
const TRUST_BYTES_MAX = 3_840;
const KEY = "an-access-key";

/**
 * For the web, so that an import of anything of Node's does not even build. `later`: what is loaded on demand stays outside, as
 * bundlers leave it, unless they are told to make one file of all.
 */
function bundle(entry: string, later: string[] = []): string {
  const options = { bundle: true, minify: true, write: false, format: "esm", platform: "browser" } as const;
  const { outputFiles } = buildSync({ ...options, target: "es2022", external: later, entryPoints: [entry] });
  return outputFiles[0]?.text ?? "";
}

const TRUST = ["./trust/index.ts"];

const folder = mkdtempSync(join(tmpdir(), "keybeat-client-"));
const core = bundle("src/client/index.ts");
const room = bundle("src/client/waiting-room/index.ts");
let server: FakeServer;

beforeAll(async () => {
  writeFileSync(join(folder, "client.mjs"), core);
  server = await startFakeServer();
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server.close();
});

/** Runs a script beside the bundle, by plain node. */
function run(script: string) {
  const file = join(folder, "app.mjs");
  const start = `await startSession({ url: ${JSON.stringify(server.url)}, accessKey: "${KEY}",`;
  const source = `import { startSession } from "./client.mjs";\n${script.replace("START", start)}`;
  // As an app's own build does it: Node 20 has no `await using` yet.
  writeFileSync(file, transformSync(source, { target: "node20", loader: "ts" }).code);
  const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  const closed = new Promise<{ code: number | null; signal: string | null; output: string }>((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal, output }));
  });
  return { child, closed, printed: () => new Promise<void>((resolve) => child.stdout.once("data", () => resolve())) };
}

const ends = () => server.requests.filter(({ path }) => path.endsWith("/end")).length;

describe("the client as an app ships it", () => {
  it(`has at most ${BYTES_MAX} bytes, bundled, minified and gzipped`, () => {
    const [bytes, withTabs, whole] = [
      bundle("src/client/index.ts", TRUST),
      bundle("src/client/tabs/index.ts", TRUST),
      core,
    ].map((text) => gzipSync(text, { level: 9 }));
    console.log(`keybeat/client: ${bytes?.length} bytes gzipped; with keybeat/client/tabs: ${withTabs?.length}`);
    console.log(`with proof, signatures and leases: ${whole?.length}`);
    expect(bytes?.length).toBeLessThanOrEqual(BYTES_MAX);
    expect(bytes?.length).toBeGreaterThan(1_000);
    expect(withTabs?.length).toBeLessThanOrEqual(BYTES_MAX + 1_536);
    expect(whole?.length).toBeLessThanOrEqual(BYTES_MAX + TRUST_BYTES_MAX);
  });

  it("is as small for the waiting room", () => {
    const bytes = gzipSync(room, { level: 9 }).length;
    console.log(`keybeat/waiting-room: ${bytes} bytes gzipped`);
    expect(bytes).toBeLessThanOrEqual(BYTES_MAX);
    expect(bytes).toBeGreaterThan(1_000);
  });

  it("imports nothing, and has no trace of the server's libraries", () => {
    expect(room).not.toMatch(/\bimport\b|\brequire\b|node:|\bzod\b|Buffer/);
    expect(core).not.toMatch(/\bimport\b|\brequire\b|node:|\bzod\b|\bBuffer\b/);
  });

  it("runs under plain node, starts, ends, and then lets the process go", async () => {
    const { code, output } = await run(`
      const session = START device: { name: "plain node" } });
      console.log(session.state, typeof session.generation);
      await session.end();
      console.log(session.state);
    `).closed;
    expect([code, output]).toEqual([0, "live number\nended\n"]);
    expect(ends()).toBe(1);
  });

  it("gives the key back at the end of an await using block", async () => {
    const before = ends();
    const { code, output } = await run(`
      {
        await using session = START });
        console.log(session.state);
      }
      console.log("behind the block");
    `).closed;
    expect([code, output]).toEqual([0, "live\nbehind the block\n"]);
    expect(ends()).toBe(before + 1);
  });

  it("ends its session on SIGTERM where asked to, and dies of the signal all the same", async () => {
    const before = ends();
    const app = run(`START endOnSignals: true });\nconsole.log("live");`);
    await app.printed();
    app.child.kill("SIGTERM");
    expect(await app.closed).toMatchObject({ code: null, signal: "SIGTERM" });
    expect(ends()).toBe(before + 1);
  });

  it("ends many sessions by one listener a signal, also those of another copy, and leaves none behind", async () => {
    const before = ends();
    const app = run(`
      import { startSession as another } from "./client.mjs?another copy";
      process.on("warning", (warning) => console.log(warning.name));
      const count = () => process.listenerCount("SIGTERM") + process.listenerCount("SIGINT");
      const start = (from, n) => from({ url: ${JSON.stringify(server.url)}, accessKey: "key-" + n, endOnSignals: true });
      const sessions = [];
      for (let n = 0; n < 13; n++) sessions.push(await start(n % 2 ? another : startSession, n));
      console.log(count());
      await Promise.all(sessions.map((session) => session.end()));
      console.log(count());
      for (let n = 0; n < 3; n++) await start(n % 2 ? another : startSession, n);
      console.log(count(), "live");
    `);
    let said = "";
    app.child.stdout.on("data", (chunk) => {
      said += chunk;
    });
    await expect.poll(() => said).toContain("live");
    app.child.kill("SIGTERM");
    expect(await app.closed).toMatchObject({ signal: "SIGTERM", output: "2\n0\n2 live\n" });
    expect(ends()).toBe(before + 16);
  });

  it("leaves the exit to an app that handles the signal itself, and dies at once where it was not asked", async () => {
    const before = ends();
    const own = run(
      `START endOnSignals: true });
       process.on("SIGTERM", () => setTimeout(() => process.exit(7), 300));
       console.log("live");`,
    );
    await own.printed();
    own.child.kill("SIGTERM");
    expect(await own.closed).toMatchObject({ code: 7 });
    expect(ends()).toBe(before + 1);

    const unasked = run(`START });\nconsole.log("live");`);
    await unasked.printed();
    unasked.child.kill("SIGTERM");
    expect(await unasked.closed).toMatchObject({ signal: "SIGTERM" });
    expect(ends()).toBe(before + 1);
  });
});
