import { spawn } from "node:child_process";
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSeed, readSigningKeys } from "../../../src/trust/signing-keys.ts";
import { cloneDatabase, useDatabase } from "../../support/database.ts";
import { type CommandResult, keybeat, type RunningServer, startServer } from "../../support/process.ts";
import { findSecrets, newAccessKey, newSessionId } from "../../support/secrets.ts";

const db = useDatabase();
let server: RunningServer;

beforeAll(async () => {
  server = await startServer({ DATABASE_URL: db.url });
});
afterAll(() => server.stop());

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/;

function expectNoSecret({ stdout, stderr }: CommandResult): void {
  expect(findSecrets(stdout + stderr)).toEqual([]);
  expect(stdout + stderr).not.toMatch(UUID);
}

const isActive = async (access_key: string) =>
  (await server.post("/api/session/status", { access_key })).body.active as boolean;

describe("keybeat check against our own server", () => {
  it("passes every step, prints a line each and the sum, and leaves the key free", async () => {
    const { key } = await db.makeKey();
    const result = await keybeat(["check", server.url, "--key", key]);
    expect(result.stderr).toBe("");
    const lines = result.stdout.trimEnd().split("\n");
    const sum = lines.pop();
    for (const line of lines) expect(line).toMatch(/^PASS \S/);
    expect(sum).toBe(`${lines.length}/${lines.length} passed`);
    expect(lines.length).toBeGreaterThan(25);
    expect(result.code).toBe(0);
    expect(await isActive(key)).toBe(false);
    expectNoSecret(result);
  });

  it("prints one JSON object with --json, and takes a URL that ends in a slash", async () => {
    const { key } = await db.makeKey();
    const result = await keybeat(["check", `${server.url}/`, "--key", key, "--json"]);
    const report = JSON.parse(result.stdout);
    expect(report.failed).toBe(0);
    expect(report.steps).toHaveLength(report.passed);
    expect(report.steps[0]).toEqual({ name: "health: the server answers", passed: true });
    expect(result.code).toBe(0);
  });

  it("says that it has thrown out whoever used the key", async () => {
    const { key } = await db.makeKey();
    const session_id = newSessionId();
    await server.post("/api/session/start", { access_key: key, session_id });
    const result = await keybeat(["check", server.url, "--key", key]);
    expect(result.stdout).toMatch(/^note: the key was in use/m);
    expect(result.code).toBe(0);
    expect((await server.post("/api/session/heartbeat", { session_id })).body.code).toBe("session_replaced");
    expectNoSecret(result);
  });

  it("stops at the first start where the key is refused, and says why without the key", async () => {
    const result = await keybeat(["check", server.url, "--key", newAccessKey()]);
    expect(result.stdout).toMatch(/^FAIL start: .*expected 200 .*came 403 .*invalid_key/m);
    expect(result.stdout).toMatch(/^1\/2 passed$/m);
    expect(result.stderr).toBe("keybeat: 1 of 2 checks failed\n");
    expect(result.code).toBe(1);
    expectNoSecret(result);
  });
});

describe("keybeat check --public-key", () => {
  it("passes where every answer is signed by one of the keys, and fails at the first that is not", async () => {
    const seed = createSeed();
    const [ours, other] = [seed, createSeed()].map((one) => readSigningKeys(one)[0]?.publicKey as string);
    const signing = await startServer({ DATABASE_URL: db.url, SIGNING_KEY: seed });
    try {
      const { key } = await db.makeKey();
      const check = (url: string, publicKey: string) =>
        keybeat(["check", url, "--key", key, "--public-key", publicKey]);
      const trusted = await check(signing.url, `${other},${ours}`);
      expect(trusted.stdout).toMatch(/^(\d+)\/\1 passed$/m);
      expect(trusted.code).toBe(0);
      const foreign = await check(signing.url, other as string);
      const unsigned = await check(server.url, ours as string);
      for (const { code, stdout } of [foreign, unsigned]) {
        expect(stdout).toMatch(/^PASS health/m);
        expect(stdout).toMatch(/^FAIL start: .*an answer that no trusted key signed \(HTTP 200\)$/m);
        expect(code).toBe(1);
      }
      expect(await isActive(key)).toBe(false);
      const wrong = await check(signing.url, "a-key");
      expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("--public-key must be 32 bytes")]);
    } finally {
      await signing.stop();
    }
  });
});

describe("keybeat check --expiry", () => {
  it("waits for the server's own timeout, says so, and sees the session expired", async () => {
    const hastyDb = await cloneDatabase();
    const hasty = await startServer({ DATABASE_URL: hastyDb.url, SESSION_TIMEOUT_SECONDS: "2" });
    try {
      const { key } = await hastyDb.makeKey();
      const result = await keybeat(["check", hasty.url, "--key", key, "--expiry"]);
      expect(result.stdout).not.toMatch(/^FAIL/m);
      expect(result.stdout).toMatch(/^PASS expiry: /m);
      expect(result.stderr).toBe("waiting 3 s for the session to expire\n");
      expect(result.code).toBe(0);
      expectNoSecret(result);
    } finally {
      await hasty.stop();
      await hastyDb.drop();
    }
  });

  it.each(["SIGINT", "SIGTERM"] as const)("leaves the key free when it is stopped midway by %s", async (signal) => {
    const { key } = await db.makeKey();
    const result = await stopWhileWaiting(["check", server.url, "--key", key, "--expiry"], signal);
    expect(result.stderr).toMatch(/^keybeat: interrupted$/m);
    expect(result.code).toBe(1);
    expect(await isActive(key)).toBe(false);
  });
});

describe("keybeat check whose reader has seen enough", () => {
  it("leaves the key free, and says no more than a line", async () => {
    const { key } = await db.makeKey();
    const child = spawn(process.execPath, ["dist/src/cli/keybeat.js", "check", server.url, "--key", key]);
    child.stdout.once("data", () => child.stdout.destroy());
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    await new Promise((resolve) => child.once("close", resolve));
    expect(stderr).toMatch(/^(keybeat: interrupted\n)?$/);
    expect(await isActive(key)).toBe(false);
  });
});

describe("keybeat check where nothing useful answers", () => {
  it("gives one clear failure for a server that is not there, and stops", async () => {
    const result = await keybeat(["check", "http://127.0.0.1:1", "--key", newAccessKey()]);
    expect(result.stdout).toMatch(
      /^FAIL health: the server answers: expected an answer, came none: \S.*\n0\/1 passed\n$/,
    );
    expect(result.stderr).toBe("keybeat: 1 of 1 checks failed\n");
    expect(result.code).toBe(1);
  });

  it("gives up on a server that never answers", async () => {
    const result = await checkAgainst(createServer(() => {}));
    expect(result.stdout).toMatch(/^FAIL health: .*came none within 5 s\n0\/1 passed\n$/);
    expect(result.code).toBe(1);
  });

  it("gives up on a server that begins an answer and never ends it", async () => {
    const result = await checkAgainst(
      createServer((_request, response) => {
        response.writeHead(200, { "Content-Length": 100 });
        response.write("{");
      }),
    );
    expect(result.stdout).toMatch(/^FAIL health: .*came none within 5 s\n/);
    expect(result.code).toBe(1);
  });

  it("shows where a redirect leads instead of following it", async () => {
    const result = await checkAgainst(
      createServer((_request, response) => response.writeHead(301, { Location: "https://example.com/" }).end()),
    );
    expect(result.stdout).toMatch(/^FAIL health: .*came 301 to https:\/\/example\.com\/$/m);
    expect(result.code).toBe(1);
  });

  it("lets no control character of a foreign server reach the terminal", async () => {
    const nasty = "\x1b[2J\x07\u009b2Jgone";
    const result = await checkAgainst(createServer((_request, response) => response.writeHead(500).end(nasty)));
    expect(result.stdout).toContain("gone");
    expect(result.stdout.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
  });
});

describe("keybeat check used wrongly", () => {
  it.each([
    ["no URL", ["check", "--key", "k"]],
    ["no key", ["check", "http://127.0.0.1:1"]],
    ["an empty key", ["check", "http://127.0.0.1:1", "--key", ""]],
    ["a URL that is none", ["check", "not a url", "--key", "k"]],
    ["a URL without http", ["check", "localhost:3000", "--key", "k"]],
    ["a URL with a password", ["check", "http://a:b@127.0.0.1:1", "--key", "k"]],
    ["an unknown option", ["check", "http://127.0.0.1:1", "--key", "k", "--nope"]],
  ])("exits with 2 and a reason: %s", async (_what, args) => {
    const { code, stdout, stderr } = await keybeat(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr.split("\n")[0]).toMatch(/^(keybeat|error): \S/);
    expect(stderr).not.toContain("    at ");
  });
});

/** Runs check against a server of this test, and closes it. */
async function checkAgainst(foreign: Server): Promise<CommandResult> {
  await new Promise<void>((resolve) => foreign.listen(0, "127.0.0.1", resolve));
  const { port } = foreign.address() as { port: number };
  try {
    return await keybeat(["check", `http://127.0.0.1:${port}`, "--key", newAccessKey()]);
  } finally {
    foreign.closeAllConnections();
    foreign.close();
  }
}

/** Runs the program and sends it a signal as soon as it waits for something. */
async function stopWhileWaiting(
  args: string[],
  signal: NodeJS.Signals,
): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, ["dist/src/cli/keybeat.js", ...args], { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    if (!stderr.includes("waiting") && String(chunk).includes("waiting")) child.kill(signal);
    stderr += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stderr };
}
