/** The commands of the README, run as they stand. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, startServer } from "./support/process.ts";
import { settingNames } from "./support/settings.ts";

const readme = readFileSync("README.md", "utf8");
const folder = mkdtempSync(join(tmpdir(), "keybeat-readme-"));
let server: RunningServer;

beforeAll(async () => {
  server = await startServer({ DATA_DIR: folder, SESSION_TIMEOUT_SECONDS: "600" });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The blocks marked to be run, in their order, with the key and the address of this run put in. */
function story(): string {
  const blocks = [...readme.matchAll(/<!-- run by test\/readme\.test\.ts -->\n```sh\n([\s\S]*?)```/g)].map((m) => m[1]);
  expect(blocks).toHaveLength(4);
  const key = /^demo key\s+(\S+)/m.exec(server.output())?.[1] as string;
  return blocks
    .join("\necho\necho --\n")
    .replace("paste-the-demo-key-here", key)
    .replace("http://127.0.0.1:3000", server.url);
}

const sh = promisify((script: string, done: (error: Error | null, output: string) => void) => {
  const child = spawn("sh", ["-e", "-c", script], { env: { ...process.env, DATA_DIR: folder } });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr.on("data", (chunk) => {
    output += chunk;
  });
  child.once("close", (code) => done(code === 0 ? null : new Error(`exit ${code}: ${output}`), output));
});

describe("the README", () => {
  it("shows a takeover and a line that moves up with the commands as they stand", async () => {
    const [starts, heartbeat, operator, room] = (await sh(story())).split("\n--\n");
    expect(starts).toContain('"previous_session_terminated":true');
    expect(starts).toContain('"device":{"name":"Device A"}');
    expect(heartbeat).toContain('"code":"session_replaced"');
    expect(heartbeat).toContain('"device":{"name":"Device B"}');
    expect(operator).toMatch(/device-b….*Device B/);
    expect(operator).toMatch(/\b(\d+)\/\1 passed/);
    expect(room?.match(/"status":"active","session_id"/g)).toHaveLength(20);
    expect(room).toContain('"status":"queued","position":2,"estimated_wait_minutes":null');
    expect(room).toContain('{"user_id":"user-21","position":0,"status":"active"}');
    expect(room).toContain('"active_sessions":20,"max_sessions":20,"queue_length":1');
  });

  it("names every setting that the program reads, with its default", () => {
    const names = settingNames();
    expect(names).toEqual(expect.arrayContaining(["PORT", "SESSION_TIMEOUT_SECONDS", "QUEUE_AUTH"]));
    for (const name of names) expect(readme).toContain(`\`${name}\``);
  });

  it("names only npm scripts that exist", () => {
    const { scripts, scriptsHelp } = JSON.parse(readFileSync("package.json", "utf8"));
    for (const [, name] of readme.matchAll(/npm run (?:--silent )?([\w:-]+)/g))
      expect(scripts).toHaveProperty(name as string);
    for (const name of Object.keys(scriptsHelp)) expect(scripts).toHaveProperty(name);
    const help = execFileSync("npm", ["run", "--silent", "help"], { encoding: "utf8" });
    for (const name of Object.keys(scriptsHelp)) expect(help).toContain(name);
  });

  it("names only files that exist", () => {
    for (const [, path] of readme.matchAll(/`((?:src|test|scripts|migrations|drizzle)\/[\w./-]*)`/g)) {
      expect(() => execFileSync("ls", [path as string])).not.toThrow();
    }
  });
});
