/** `keybeat top` as an operator sees it: on a terminal of a given size, through an outage, and as lines of JSON. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { drawFrame } from "../../src/cli/top/frame.ts";
import { openWatcher, type Picture } from "../../src/cli/top/watcher.ts";
import { readConfig } from "../../src/config.ts";
import { useApp } from "../support/app.ts";
import { cloneDatabase, useDatabase } from "../support/database.ts";
import { keybeat, startServer } from "../support/process.ts";
import { startProxy } from "../support/proxy.ts";
import { newSessionId } from "../support/secrets.ts";
import { openTerminal, type Terminal } from "../support/terminal.ts";

const db = useDatabase();
const app = useApp(db);
const PROGRAM = "dist/src/cli/keybeat.js";
const undo: Array<() => unknown> = [];

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function top(size: { columns: number; rows: number }, env: Record<string, string> = {}): Promise<Terminal> {
  const terminal = await openTerminal([process.execPath, PROGRAM, "top"], size, { DATABASE_URL: db.url, ...env });
  undo.push(async () => {
    terminal.type("q");
    await terminal.ended();
  });
  return terminal;
}

const start = async (access_key: string, name: string) => {
  const { status, body } = await app.post("/api/session/start", { access_key, device: { name } });
  expect(status).toBe(200);
  return body.session_id as string;
};

/** A takeover of which one knows whose it was. */
async function takeOver(names: { label: string; from: string; to: string }): Promise<string> {
  const { key } = await db.makeKey({ label: names.label });
  await start(key, names.from);
  await start(key, names.to);
  return key;
}

const WIDE = { columns: 120, rows: 24 };

describe("keybeat top on a terminal", () => {
  it("shows who is live, what happens, and a takeover as it comes", async () => {
    const first = await takeOver({ label: "ACME", from: "Office PC", to: "Laptop" });
    const terminal = await top(WIDE);
    const lines = await terminal.shows(/ACME/);
    expect(lines[0]).toMatch(/^\d+ live · \d+ silent · .+ · \d+\/\d+ connections$/);
    expect(lines.join("\n")).toMatch(new RegExp(`s ago +${first.slice(0, 8)}… +ACME +Office PC +Laptop`));
    expect(lines.at(-1)).toBe("q ends it");

    await takeOver({ label: "Newest", from: "Phone", to: "Tower" });
    const [newest] = (await terminal.shows(/Newest/)).filter((line) => / ago /.test(line));
    expect(newest).toMatch(/Newest +Phone +Tower$/);
    await terminal.shows(/a second: [\d.,]+ heartbeats · [\d.,]+ starts · [\d.,]+ takeovers · [\d.,]+ other endings/);
  });

  it.each([
    ["q", (terminal: Terminal) => terminal.type("q")],
    ["Ctrl-C", (terminal: Terminal) => terminal.type("\u0003")],
    ["SIGTERM", (terminal: Terminal) => terminal.signal("SIGTERM")],
  ])("gives the terminal back as it was after %s", async (_what, end) => {
    const terminal = await top(WIDE);
    await terminal.shows(/live/);
    expect(terminal.output()).toContain("\u001b[?1049h");
    end(terminal);
    expect(await terminal.ended()).toEqual({ code: 0, restored: true });
  });

  it("stays while the database goes away, keeps the last numbers, and goes on when it is back", async () => {
    await takeOver({ label: "Before", from: "A", to: "B" });
    const proxy = await startProxy(db.url);
    undo.push(() => proxy.close());
    const terminal = await top(WIDE, { DATABASE_URL: proxy.url });
    await terminal.shows(/Before/);
    for (const mode of ["refuse", "blackhole"] as const) {
      await proxy.set(mode);
      const lines = await terminal.shows(/the database is away · last seen \d+ s ago · .+/);
      expect(lines.join("\n")).toMatch(/\b\d+ live[\s\S]*Before/);
      await proxy.set("pass");
      await terminal.shows(/^\d+ live/);
    }
    await proxy.set("blackhole");
    await terminal.shows(/the database is away/);
    terminal.type("q");
    expect(await terminal.ended()).toEqual({ code: 0, restored: true });
  });

  it.each([
    { columns: 60, rows: 10 },
    { columns: 34, rows: 8 },
    { columns: 12, rows: 5 },
    { columns: 5, rows: 1 },
  ])("keeps to a terminal of $columns columns and $rows rows", async (size) => {
    for (let each = 0; each < 12; each++) {
      await takeOver({
        label: `A long label ${each} 漢字漢字漢字`,
        from: "A device with a long name",
        to: "Another such",
      });
    }
    const terminal = await top(WIDE);
    await terminal.shows(/A long label 11/);
    terminal.resize(size.columns, size.rows);
    const fits = (lines: string[]) => lines.length <= size.rows && lines.every((line) => places(line) <= size.columns);
    const lines = await terminal.shows(fits);
    expect(lines[0]).toMatch(/^\d+ l/);
  });

  it("waits before an installation that has no database yet, makes none, and shows it once it serves", async () => {
    const folder = mkdtempSync(join(tmpdir(), "keybeat-top-"));
    undo.push(() => rmSync(folder, { recursive: true, force: true }));
    const env = { DATA_DIR: join(folder, "data") };
    const terminal = await top(WIDE, { DATABASE_URL: "", ...env });
    await terminal.shows(/no embedded PostgreSQL in .*; keybeat serve makes one/);
    expect(readdirSync(folder)).toEqual([]);
    const server = await startServer(env);
    undo.push(() => server.stop());
    await terminal.shows(/^0 live · 0 silent · serving/);
    await terminal.shows(/no takeover of late/);
  });

  it("says of a database without our tables how to make them", async () => {
    const own = await cloneDatabase();
    undo.push(() => own.drop());
    await own.sql.unsafe("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    const terminal = await top(WIDE, { DATABASE_URL: own.url });
    await terminal.shows(/it has no tables of Keybeat yet; keybeat migrate makes them/);
  });

  it("lets no control character of a label or a device reach the terminal", async () => {
    await takeOver({ label: "Evil 1", from: "evil\u001b[2J\u009b\r\nname", to: "\u0007bell" });
    const terminal = await top(WIDE);
    const lines = await terminal.shows(/Evil 1/);
    expect(lines.find((line) => line.includes("Evil 1"))).toMatch(/Evil 1 +evil.+name +.bell$/);
    for (const character of ["\u001b[2J", "\u0007", "\u009b"]) expect(terminal.output()).not.toContain(character);
  });

  it("has colours, and none where NO_COLOR asks for none", async () => {
    const isColoured = async (env: Record<string, string>) => {
      const terminal = await top(WIDE, env);
      await terminal.shows(/live/);
      return terminal.output().includes("\u001b[1m") || terminal.output().includes("\u001b[33m");
    };
    expect(await isColoured({})).toBe(true);
    expect(await isColoured({ NO_COLOR: "1" })).toBe(false);
  });
});

describe("keybeat top without a terminal", () => {
  it("prints one snapshot, plainly", async () => {
    await takeOver({ label: "Snapshot", from: "A", to: "B" });
    const { code, stdout, stderr } = await keybeat(["top"], { DATABASE_URL: db.url });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^\d+ live[\s\S]*\na second: [\s\S]*TAKEN OVER[\s\S]*Snapshot +A +B/);
    expect(stdout).not.toContain("\u001b");
  });

  it("prints one snapshot as JSON with --once", async () => {
    const key = await takeOver({ label: "Once", from: "A", to: "B" });
    const { code, stdout } = await keybeat(["top", "--once", "--json"], { DATABASE_URL: db.url });
    expect(code).toBe(0);
    const look = JSON.parse(stdout);
    expect(look).toMatchObject({ database: "ok", live: expect.any(Number), rates: { takeovers: expect.any(Number) } });
    expect(look.takeovers[0]).toMatchObject({ label: "Once", from_device: "A", to_device: "B" });
    expect(stdout).not.toContain(key);
  });

  it("fails with the reason where there is nothing to look at", async () => {
    const { code, stdout, stderr } = await keybeat(["top", "--once"], {
      DATABASE_URL: "postgres://u:secret@127.0.0.1:1/x",
    });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^keybeat: the database is away: .*ECONNREFUSED/);
    expect(stderr).not.toContain("secret");
  });

  it("prints a line of JSON a second, also through an outage, until Ctrl-C", async () => {
    const proxy = await startProxy(db.url);
    undo.push(() => proxy.close());
    const { PATH = "", HOME = "" } = process.env;
    const child = spawn(process.execPath, [PROGRAM, "top", "--json"], { env: { PATH, HOME, DATABASE_URL: proxy.url } });
    let stdout = "";
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    const moods: Array<[state: string, then: () => unknown]> = [
      ["ok", () => {}],
      ["ok", () => proxy.set("refuse")],
      ["unavailable", () => {}],
      ["unavailable", () => proxy.set("pass")],
      ["ok", () => child.kill("SIGINT")],
    ];
    const seen: string[] = [];
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      stdout += chunk;
      for (let end = stdout.indexOf("\n"); end >= 0; end = stdout.indexOf("\n")) {
        const { database, at } = JSON.parse(stdout.slice(0, end));
        stdout = stdout.slice(end + 1);
        expect(new Date(at).getTime()).toBeGreaterThan(0);
        const [state, then] = moods[0] ?? [];
        if (database !== state) continue;
        seen.push(database);
        moods.shift();
        void then?.();
      }
    });
    expect(await new Promise((resolve) => child.once("close", resolve))).toBe(0);
    expect([seen, stderr]).toEqual([["ok", "ok", "unavailable", "unavailable", "ok"], ""]);
  });
});

it("keybeat top counts the keys that are held offline and the sessions that may be copied, where there are any", async () => {
  const own = await cloneDatabase();
  undo.push(() => own.drop());
  const watcher = openWatcher(readConfig({ DATABASE_URL: own.url }));
  undo.push(() => watcher.close());
  const head = async () => drawFrame(await watcher.look(), undefined, { columns: 120, rows: 5 })[0];
  expect(await head()).not.toMatch(/offline|copied/);
  const keys = ["a", "b", "c"].map((letter) => letter.repeat(64));
  await own.sql`INSERT INTO keys (key_hash, key_prefix) SELECT decode(h, 'hex'), 'abcd1234' FROM jsonb_array_elements_text(${own.sql.json(keys)}) h`;
  await own.sql`
    INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat)
    SELECT id, 'abcd1234…', 'the-session-of-' || id, 7, now(), now() FROM keys`;
  // Of the suspicions one is of an older session.
  await own.sql`
    INSERT INTO suspected_copies (key_id, generation, times_asked, seen_at)
    SELECT id, CASE row_number() OVER () WHEN 1 THEN 6 ELSE 7 END, 2, now() FROM keys`;
  await own.sql`
    INSERT INTO leases (key_id, lease_id, session_id, generation, issued_at, until)
    SELECT n, 'lease-' || n, 'ended', 1, now() - interval '2 hours', now() + (n - 2) * interval '1 hour' FROM generate_series(1, 3) n`;
  const { stdout } = await keybeat(["top", "--once", "--json"], { DATABASE_URL: own.url });
  expect(JSON.parse(stdout)).toMatchObject({ live: 3, leases: 1, may_be_copied: 2 });
  const fresh = openWatcher(readConfig({ DATABASE_URL: own.url }));
  undo.push(() => fresh.close());
  const [line] = drawFrame(await fresh.look(), undefined, { columns: 120, rows: 5 });
  expect(line).toMatch(/^3 live · 0 silent · 1 held offline · 2 may be copied · /);
});

describe("the rates of keybeat top", () => {
  it("are those of what happened: starts, takeovers, heartbeats and other endings, each for itself", async () => {
    const own = await cloneDatabase();
    undo.push(() => own.drop());
    const watcher = openWatcher(readConfig({ DATABASE_URL: own.url }));
    undo.push(() => watcher.close());
    const before = (await watcher.look()) as Picture;
    expect(before.rates).toBeUndefined();
    const hashes = ["a", "b", "c", "d", "e"].map((letter) => letter.repeat(64));
    await own.sql.begin(async (sql) => {
      for (const hash of hashes) {
        await sql`INSERT INTO keys (key_hash, key_prefix) VALUES (decode(${hash}, 'hex'), ${hash.slice(0, 8)})`;
      }
      const begin = (hash: string | undefined, id: string) =>
        sql`SELECT start_session(decode(${hash as string}, 'hex'), 'masked…', ${id}, NULL, false, NULL, 0)`;
      const ids = hashes.map(() => newSessionId());
      for (const [at, hash] of hashes.entries()) await begin(hash, ids[at] as string);
      for (let beat = 0; beat < 4; beat++) await sql`SELECT beat_sessions(${ids.join()})`;
      for (const hash of hashes.slice(0, 2)) await begin(hash, newSessionId());
      await sql`SELECT end_session(${ids[2] as string})`;
      // Otherwise PostgreSQL's counters may learn of it seconds later.
      await sql`SELECT pg_stat_force_next_flush()`;
    });
    const after = (await watcher.look()) as Picture;
    // The time between two looks this close together is not exact enough for counts, so they are compared.
    const rates = after.rates ?? { heartbeats: 0, starts: 0, takeovers: 0, otherEndings: 0 };
    const one = rates.otherEndings;
    expect(one).toBeGreaterThan(0);
    expect(rates.takeovers / one).toBeCloseTo(2, 6);
    expect(rates.starts / one).toBeCloseTo(7, 6);
    expect(rates.heartbeats / one).toBeCloseTo(20, 6);
    expect(after.takeovers).toHaveLength(2);
  });
});

/** Chinese characters take two places. */
const places = (line: string) =>
  [...line].reduce((sum, character) => sum + (/[\u3041-\ua4cf]/.test(character) ? 2 : 1), 0);
