/** The README and the pages that it leads to: its commands run as they stand, and what the pages name is there. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, normalize } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSeed } from "../src/trust/signing-keys.ts";
import { type RunningServer, startServer } from "./support/process.ts";
import { settingNames } from "./support/settings.ts";

const readme = readFileSync("README.md", "utf8");
const folder = mkdtempSync(join(tmpdir(), "keybeat-readme-"));
const pages = pagesFrom("README.md");
let server: RunningServer;

beforeAll(async () => {
  const trust = { SIGNING_KEY: createSeed(), OFFLINE_HOURS_MAX: "24" };
  server = await startServer({ DATA_DIR: folder, SESSION_TIMEOUT_SECONDS: "600", ...trust });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The blocks marked to be run, in their order, with the key and the address of this run put in. */
function story(): string {
  const blocks = [...readme.matchAll(/<!-- run by test\/readme\.test\.ts -->\n```sh\n([\s\S]*?)```/g)].map((m) => m[1]);
  expect(blocks).toHaveLength(7);
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

/** The page and all that it links to, their own links included. */
function pagesFrom(page: string, found = new Map<string, string>()): Map<string, string> {
  if (!page.endsWith(".md") || found.has(page)) return found;
  found.set(page, readFileSync(page, "utf8"));
  for (const { path } of linksOf(page, found.get(page) as string)) pagesFrom(path, found);
  return found;
}

/** Links within the repository: the file, and the heading if one is named. */
function linksOf(page: string, text: string): { path: string; anchor: string | undefined }[] {
  const targets = [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, target = ""]) => target.split("#"));
  return targets.map(([path, anchor]) => ({ path: path ? normalize(join(dirname(page), path)) : page, anchor }));
}

/** The names by which links reach a page's headings. */
function anchorsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => heading.toLowerCase());
  return headings.map((heading) => heading.replace(/[^\w\- ]/g, "").replace(/ /g, "-"));
}

/** What the npm package would hold. */
function packed(): string[] {
  const said = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { encoding: "utf8" });
  return JSON.parse(said)[0].files.map((file: { path: string }) => file.path);
}

describe("the README", () => {
  it("shows a takeover, a lease, a line that moves up, a resume and a match with the commands as they stand", async () => {
    const [starts, heartbeat, operator, trust, room, batch, match] = (await sh(story())).split("\n--\n");
    expect(starts).toContain('"previous_session_terminated":true');
    expect(starts).toContain('"device":{"name":"Device A"}');
    expect(heartbeat).toContain('"code":"session_replaced"');
    expect(heartbeat).toContain('"device":{"name":"Device B"}');
    expect(operator).toMatch(/device-b….*Device B/);
    expect(operator).toMatch(/\b(\d+)\/\1 passed/);
    expect(trust).toMatch(/^secret: +[\w-]{43}\npublic key: +[\w-]{43}\n/m);
    expect(trust).toMatch(/^Keybeat-Signature: v1;[0-9a-f]{16};/im);
    const until = /^\{"lease":"[\w-]+\.[\w-]{86}","until":"([^"]+)"/m.exec(trust as string)?.[1] as string;
    expect(Date.parse(until) - Date.now()).toBeGreaterThan(23 * 3_600_000);
    expect(trust).toContain('"code":"key_in_use"');
    expect(trust).toContain(`"leased_until":"${until}"`);
    expect(trust).toMatch(/^kicked the session of key \w{8}…, and freed its lease$/m);
    expect(room?.match(/"status":"active","session_id"/g)).toHaveLength(20);
    expect(room).toContain('"status":"queued","position":2,"estimated_wait_minutes":null');
    expect(room).toContain('{"user_id":"user-21","position":0,"status":"active"}');
    expect(room).toContain('"active_sessions":20,"max_sessions":20,"queue_length":1');
    expect(batch).toContain('"status":"running","created_at"');
    expect(batch?.match(/"node_id":"page-\d","status":"success"/g)).toHaveLength(2);
    expect(batch).toContain('"status":"partial_failure","created_at"');
    expect(batch).toMatch(/^nodes +3: 2 done, 0 failed, 1 to do$/m);
    const [first, second, last] = match?.match(/^\{"action_id".*$/gm) ?? [];
    expect(first).toContain('"sequence":1,"damage_dealt":10');
    expect(second).toBe(first);
    expect(last).toContain('"phase":"finished"');
    expect(match).toMatch(/^status +completed \(decided\)$/m);
    expect(match).toMatch(/^match +1 of 2 active, 2 actions, 100 damage, 1 eliminated$/m);
  }, 600_000); // six commands from source: it waits for each to end, however slow the machine

  it("leads to every setting that the program reads, and says the same of those it names itself", () => {
    const settings = readFileSync("src/settings.md", "utf8");
    const names = settingNames();
    expect(names).toEqual(expect.arrayContaining(["PORT", "SESSION_TIMEOUT_SECONDS", "QUEUE_AUTH"]));
    for (const name of names) expect(settings).toContain(`\`${name}\``);
    const [, rows = ""] = readme.split("\n## Settings\n");
    const own = rows.split("\n## ")[0]?.match(/^\| `.*$/gm) ?? [];
    expect(own.length).toBeGreaterThan(4);
    for (const row of own) expect(settings).toContain(row);
  });

  it("is for the first day: at most 250 lines, and pages for the rest", () => {
    expect(readme.split("\n").length).toBeLessThanOrEqual(251);
    for (const command of ["npm start", "npm run check", "npm test"]) expect(readme).toContain(command);
    for (const page of [
      "src/admin/README.md",
      "src/settings.md",
      "scripts/bench/README.md",
      "scripts/deploy/README.md",
    ])
      expect([...pages.keys()]).toContain(page);
  });

  it("links only to what is there, in the npm package too", () => {
    const files = packed();
    for (const [page, text] of pages)
      for (const { path, anchor } of linksOf(page, text)) {
        expect(files, `${page} links to ${path}`).toContain(path);
        if (anchor) expect(anchorsOf(pages.get(path) as string), `${page} links to ${path}`).toContain(anchor);
      }
  });

  it("names only npm scripts that exist", () => {
    const { scripts, scriptsHelp } = JSON.parse(readFileSync("package.json", "utf8"));
    for (const [, name] of [...pages.values()].join("\n").matchAll(/npm run (?:--silent )?([\w:-]+)/g))
      expect(scripts).toHaveProperty(name as string);
    for (const name of Object.keys(scriptsHelp)) expect(scripts).toHaveProperty(name);
    const help = execFileSync("npm", ["run", "--silent", "help"], { encoding: "utf8" });
    for (const name of Object.keys(scriptsHelp)) expect(help).toContain(name);
  });

  it("names only files that exist", () => {
    for (const [page, text] of pages) {
      if (page === "CHANGELOG.md") continue; // History: a file may have gone since.
      for (const [, path] of text.matchAll(/`((?:src|test|scripts|migrations|drizzle)\/[\w./@-]*)`/g))
        expect(existsSync(path as string), `${page} names ${path}`).toBe(true);
    }
  });

  it("has a map of rooms that exist", () => {
    const map = pages.get("src/README.md") as string;
    const firstCells = [...map.matchAll(/^\| (`[^|]+`) \|/gm)].map(([, cell]) => cell).join();
    const names = [...firstCells.matchAll(/`([\w/.-]+)`/g)].map(([, name = ""]) => name);
    const rooms = names.filter((name) => name.endsWith("/") || name.endsWith(".ts"));
    expect(rooms).toContain("sessions/device/");
    for (const room of rooms) expect(existsSync(join("src", room)), room).toBe(true);
    const places = [...map.matchAll(/^\| [^|]+ \| (.+) \|$/gm)].map(([, cell = ""]) => cell);
    const named = places
      .flatMap((cell) => [...cell.matchAll(/`([\w-]+\/[\w./-]+)`/g)].map(([, path = ""]) => path))
      .filter((path) => !/\b[XY]\b/.test(path)); // whatever is asked for
    expect(named).toContain("http/client-address.ts");
    const there = (path: string) =>
      ["src", "src/admin", "src/client", "."].some((root) => existsSync(join(root, path)));
    for (const path of named) expect(there(path), path).toBe(true);
  });
});
