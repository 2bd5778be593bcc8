/** Each query in scripts/monitor, on rows whose answer is known. A query without an expectation here fails. */
import { describe, expect, it } from "vitest";
import { newSessionId } from "../support/secrets.ts";
import {
  expectAbout,
  FILES,
  type Rows,
  same,
  seconds,
  TIMEOUT_SECONDS,
  text,
  useMonitored,
} from "./support/monitor.ts";

const { db, ask, addKey, addSession, addEnding, suspect, addLease, addRun, addGame, hourAgo, setOutage } =
  useMonitored();

const EXPECTATIONS: Record<string, () => Promise<void>> = {
  async "overview.sql"() {
    await addSession({ silent: 5, started: 7000 });
    await addSession({ silent: 5, started: 10 });
    await addSession({ silent: TIMEOUT_SECONDS + 100 });
    await addSession({ silent: TIMEOUT_SECONDS + 900 });
    await addEnding({ reason: "expired", started: 60, ended: 1 });
    await addEnding({ reason: "replaced", started: 1.1, ended: 1 });
    await addEnding({ reason: "ended", started: 60, ended: 2 });
    await addEnding({ reason: "revoked", started: 60, ended: 2 });
    await addEnding({ reason: "revoked", started: 60, ended: 10 });
    for (const started of [60, 61, 62]) await addEnding({ reason: "cloned", started, ended: 2 });
    const [row, ...more] = await ask("overview.sql");
    expect(more).toEqual([]);
    expect(row).toMatchObject({ live: 2, overdue: 2, starts_5_min: 2, takeovers_5_min: 1, expired_5_min: 2 });
    expect(row).toMatchObject({ ended_5_min: 1, revoked_5_min: 1, cloned_5_min: 3, timeout: "00:16:40" });
    expectAbout(row?.oldest_overdue, 900);
    expect(row).toMatchObject({ last_tick: null, last_outage: null });

    await setOutage({ began: 3000, ended: 2700 });
    const [withOutage] = await ask("overview.sql");
    expect(withOutage).toMatchObject({ outage_lasted: "00:05:00", live: 2 });
    expectAbout(withOutage?.last_tick, 0);
  },

  async "live-sessions.sql"() {
    await addSession({ silent: 500, name: "second…", label: "ACME" });
    await addSession({
      silent: 5,
      started: 9,
      name: "first…",
      device: { name: "PC", platform: "linux", app_version: "2" },
    });
    await addSession({ silent: TIMEOUT_SECONDS + 1, name: "silent…" });
    const rows = await ask("live-sessions.sql");
    expect(rows).toMatchObject([
      { access_key: "first…", device: "PC", platform: "linux", app_version: "2", label: null, live: 2 },
      { access_key: "second…", device: null, label: "ACME", live: 2 },
    ]);
    expect(rows[0]?.session).toMatch(/^[0-9a-f]{8}…$/);
    expectAbout(rows[1]?.silent_for, 500);
    expectAbout(rows[1]?.expires_in, TIMEOUT_SECONDS - 500);

    // Silent for long, but through a recent outage of ours: it has a full timeout from its end.
    await db.sql`TRUNCATE active_sessions`;
    await addSession({ silent: 2000, name: "credited…" });
    await setOutage({ began: 1900, ended: 100 });
    const [credited, ...others] = await ask("live-sessions.sql");
    expect([credited?.access_key, others]).toEqual(["credited…", []]);
    expectAbout(credited?.expires_in, TIMEOUT_SECONDS - 100);
  },

  async "stale-sessions.sql"() {
    await addSession({ silent: 5, name: "lively…" });
    await addSession({ silent: TIMEOUT_SECONDS * 0.7, name: "fine…" });
    await addSession({ silent: TIMEOUT_SECONDS * 0.8, name: "nearly…" });
    await addSession({ silent: TIMEOUT_SECONDS + 1, name: "just over…" });
    await addSession({ silent: TIMEOUT_SECONDS + 600, name: "long over…" });
    const rows = await ask("stale-sessions.sql");
    expect(rows).toMatchObject([
      { access_key: "long over…", state: "overdue", expires_in: null, of_this_state: 2 },
      { access_key: "just over…", state: "overdue", expires_in: null, of_this_state: 2 },
      { access_key: "nearly…", state: "nearly", overdue_for: null, of_this_state: 1 },
    ]);
    expectAbout(rows[0]?.overdue_for, 600);
    expectAbout(rows[2]?.expires_in, TIMEOUT_SECONDS * 0.2);

    // All were live when an outage of ours began: each has a full timeout from its end.
    await setOutage({ began: TIMEOUT_SECONDS + 300, ended: 100 });
    expect(await ask("stale-sessions.sql")).toEqual([]);
    await setOutage({ began: TIMEOUT_SECONDS + 300, ended: TIMEOUT_SECONDS * 0.8 });
    const credited = await ask("stale-sessions.sql");
    expect(credited.map((row) => row.state)).toEqual(["nearly", "nearly", "nearly"]);
    expectAbout(credited[0]?.expires_in, TIMEOUT_SECONDS * 0.2);
  },

  async "takeovers-24h.sql"() {
    const [shared, restarting, old] = [await addKey("shared"), await addKey(), await addKey()];
    const [office, home] = [
      { name: "Office", platform: "linux", app_version: "1" },
      { name: "Home", platform: "linux", app_version: "1" },
    ];
    await addEnding({ key: shared, reason: "replaced", started: 200, ended: 180, device: office, by: home });
    await addEnding({ key: shared, reason: "replaced", started: 180, ended: 175, device: home, by: office });
    await addEnding({
      key: shared,
      reason: "replaced",
      started: 175,
      ended: 100,
      device: office,
      by: { ...office, app_version: "2" },
    });
    await addEnding({ key: shared, reason: "ended", ended: 50 });
    await addEnding({ key: restarting, reason: "replaced", ended: 60 });
    await addEnding({ key: old, reason: "replaced", ended: 24 * 60 + 1, device: office, by: home });
    const rows = await ask("takeovers-24h.sql");
    expect(rows).toMatchObject([
      { key_id: shared, label: "shared", takeovers: 3, between_devices: 2, devices: 2, shortest_hold: "00:05:00" },
      { key_id: restarting, takeovers: 1, between_devices: 0, devices: 1 },
    ]);
    expect(rows[0]?.last_taken_by).toBe("Office / linux");
    expect(rows).toHaveLength(2);
  },

  async "peak-concurrency.sql"() {
    const [hour, next, before] = [await hourAgo(3), await hourAgo(2), await hourAgo(4)];
    const from = (start: number, end: number, reason: "ended" | "replaced" = "ended") =>
      addEnding({ reason, until: hour.at, started: -start, ended: -end });
    // Two at once until minute 20, then a takeover, which is no third one; one of them stays into the next hour.
    await from(0, 20, "replaced");
    await from(20, 30);
    await from(10, 61);
    // Long before the period, into the hour before: it is over when this one begins.
    await from(-3000, -30);
    const rows = await ask("peak-concurrency.sql");
    expect(rows).toHaveLength(24);
    const at = (moment: { printed: unknown }) => rows.find((row) => same(row.hour_utc, moment.printed));
    expect(at(before)).toMatchObject({ peak: 1, starts: 0, endings: 1 });
    expect(at(hour)).toMatchObject({ peak: 2, starts: 3, endings: 2 });
    expect(at(next)).toMatchObject({ peak: 1, starts: 0, endings: 1 });
    expect(rows[0]?.peak).toBe(0);

    // On since before the period; and one that fell silent, until its timeout ran out.
    await addSession({ silent: 5, started: 90_000 });
    await addSession({ silent: 12 * 3600, started: 90_000 });
    const withLive = await ask("peak-concurrency.sql");
    expect(withLive[0]?.peak).toBe(1);
    expect(withLive.at(-1)?.peak).toBe(3);
  },

  async "endings-by-hour.sql"() {
    const [hour, next] = [await hourAgo(3), await hourAgo(2)];
    for (const reason of ["ended", "replaced", "replaced", "expired", "revoked", "cloned"] as const) {
      await addEnding({ reason, until: hour.at, started: 10, ended: 0 });
    }
    await addEnding({ reason: "revoked", until: next.at, ended: 0 });
    await addEnding({ reason: "ended", ended: 25 * 60 });
    await addSession({ silent: 5 });
    const rows = await ask("endings-by-hour.sql");
    expect(rows).toHaveLength(24);
    const found = rows.find((row) => same(row.hour_utc, hour.printed));
    expect(found).toMatchObject({ endings: 6, ended: 1, replaced: 2, expired: 1, revoked: 1, cloned: 1 });
    expect(rows.reduce((sum, row) => sum + Number(row.endings), 0)).toBe(7);

    await addSession({ silent: TIMEOUT_SECONDS + 1 });
    const withSilent = await ask("endings-by-hour.sql");
    expect(withSilent.reduce((sum, row) => sum + Number(row.expired), 0)).toBe(2);
  },

  async "unclean-endings.sql"() {
    const [today] = await db.sql`SELECT date_trunc('day', now(), 'UTC') AS at`;
    const ending = (reason: "ended" | "expired" | "revoked", daysAgo: number) =>
      addEnding({ reason, until: today?.at, started: daysAgo * 24 * 60 + 5, ended: daysAgo * 24 * 60 });
    for (const reason of ["ended", "expired", "revoked"] as const) await ending(reason, 3);
    for (const reason of ["ended", "ended"] as const) await ending(reason, 5);
    await ending("expired", 31);
    expect(await ask("unclean-endings.sql")).toMatchObject([
      { endings: 3, expired: 1, expired_percent: "33.3" },
      { endings: 2, expired: 0, expired_percent: "0.0" },
    ]);
    await addSession({ silent: TIMEOUT_SECONDS + 1 });
    await addSession({ silent: 5 });
    const [newest] = await ask("unclean-endings.sql");
    expect(newest).toMatchObject({ endings: 1, expired: 1, expired_percent: "100.0" });
  },

  async "by-app-version.sql"() {
    const device = (app_version: string) => ({ name: "PC", platform: "linux", app_version });
    await addSession({ silent: 5, device: device("1.0") });
    await addSession({ silent: 5, device: device("1.0") });
    await addSession({ silent: TIMEOUT_SECONDS + 1, device: device("2.0") });
    await addEnding({ reason: "expired", ended: 60, device: device("2.0") });
    await addEnding({ reason: "ended", ended: 60, device: device("2.0") });
    await addEnding({ reason: "replaced", ended: 60, device: device("2.0"), by: device("2.0") });
    await addEnding({ reason: "ended", ended: 25 * 60, device: device("0.9") });
    await addSession({ silent: 5 });
    expect(await ask("by-app-version.sql")).toEqual([
      {
        app_version: "2.0",
        platform: "linux",
        live: 0,
        endings_24h: 4,
        expired: 2,
        replaced: 1,
        expired_percent: "50.0",
      },
      {
        app_version: "1.0",
        platform: "linux",
        live: 2,
        endings_24h: 0,
        expired: 0,
        replaced: 0,
        expired_percent: null,
      },
      { app_version: null, platform: null, live: 1, endings_24h: 0, expired: 0, replaced: 0, expired_percent: null },
    ]);
  },

  async "copies.sql"() {
    const key = await addKey("ACME");
    const device = (app_version: string) => ({ name: "PC", platform: "linux", app_version });
    await addEnding({ key, reason: "cloned", ended: 90, device: device("1.0") });
    await addEnding({ key, reason: "cloned", ended: 60, device: device("1.1") });
    await addEnding({ key, reason: "ended", ended: 30, device: device("1.2") });
    await addEnding({ reason: "cloned", ended: 7 * 24 * 60 + 1 });
    await suspect(await addSession({ silent: 5, label: "doubtful", device: device("2.0") }), { times: 1.94 });
    await suspect(await addSession({ silent: 5 }), { times: 1.94, older: true });
    await suspect(await addSession({ silent: TIMEOUT_SECONDS + 1 }), { times: 1.94 });
    const proven = await addSession({ silent: 5 });
    await suspect(proven, { times: 1.94 });
    await db.sql`UPDATE active_sessions SET proof_instance = 'one' WHERE key_id = ${proven}`;
    expect(await ask("copies.sql")).toMatchObject([
      { state: "may be copied", label: "doubtful", copies: null, times_asked: "1.9", app_version: "2.0" },
      { state: "copied", access_key: "abcd1234…", key_id: key, label: "ACME", copies: 2, app_version: "1.1" },
    ]);
  },

  async "leases.sql"() {
    await addLease(await addKey("over"), { endsIn: -1 });
    await addLease(await addKey("away"), { endsIn: 7200, device: { name: "Laptop" } });
    await addLease(await addSession({ silent: 5, label: "on" }), { endsIn: 3600 });
    await addLease(await addSession({ silent: TIMEOUT_SECONDS + 1, label: "silent" }), { endsIn: 1800 });
    const rows = await ask("leases.sql");
    expect(rows).toMatchObject([
      { access_key: "abcd1234…", label: "away", device: "Laptop", generation: 7, live: false, leases: 3 },
      { label: "on", device: null, live: true },
      { label: "silent", live: false },
    ]);
    expect(rows[0]?.session).toMatch(/^a[0-9a-f]{7}…$/);
    expectAbout(rows[0]?.ends_in, 7200);
  },

  async "batch-runs.sql"() {
    const id = await addRun({ path: "a.canvas", silent: 100, worker: "w1", results: ["success", "failed", "skipped"] });
    await addRun({ path: "b.canvas", silent: 200 });
    await addRun({ path: "late.canvas", silent: 300, worker: "w2", deadlineIn: 600 });
    await addRun({ path: "silent.canvas", silent: 1801, worker: "w3" });
    await db.sql`SELECT cancel_batch(${await addRun({ path: "over.canvas", silent: 5 })}, NULL)`;
    const rows = await ask("batch-runs.sql");
    expect(rows).toMatchObject([
      { state: "overdue", canvas_path: "silent.canvas", worker: "w3", ends_in: "00:00:00", runs: 3 },
      { state: "running", canvas_path: "late.canvas", worker: "w2", attempt: 1, completed: 0, nodes: 5 },
      { state: "pending", canvas_path: "b.canvas", worker: null, worker_seen: null, attempt: 0, runs: 1 },
      { state: "running", canvas_path: "a.canvas", completed: 1, failed: 1, skipped: 1, progress_percent: 60, runs: 3 },
    ]);
    expect(rows.at(-1)?.session).toBe(`${id.slice(0, 8)}…`);
    const [, late, pending, working] = rows;
    expectAbout(late?.ends_in, 600);
    expectAbout(pending?.ends_in, 1600);
    for (const column of ["worker_seen", "silent_for", "age"]) expectAbout(working?.[column], 100);
  },

  async "game-sessions.sql"() {
    const id = await addGame({ silent: 100 });
    await addGame({ silent: 2000, paused: 1500 });
    await addGame({ silent: 40, duration: 60, actions: 7 });
    await addGame({ silent: 61, duration: 60 });
    await db.sql`SELECT force_game_end(${await addGame({ silent: 5 })}, NULL)`;
    const rows = await ask("game-sessions.sql");
    expect(rows).toMatchObject([
      { state: "paused", type: "combat", mode: null, participants: 0, actions: null, sessions: 1 },
      { state: "active", mode: null, paused_for: null, sessions: 3 },
      { state: "overdue", mode: "pvp", ends_in: "00:00:00", sessions: 3 },
      { state: "active", mode: "pvp", participants: 1, actions: 7, sessions: 3 },
    ]);
    const [paused, plain, , match] = rows;
    expect(plain?.session).toBe(`${id.slice(0, 8)}…`);
    expectAbout(paused?.paused_for, 1500);
    expectAbout(plain?.ends_in, 86_300);
    expectAbout(match?.ends_in, 20);
    for (const column of ["silent_for", "age"]) expectAbout(plain?.[column], 100);
  },

  async "table-health.sql"() {
    const key = await addSession({ silent: 5 });
    await db.sql`SELECT pg_stat_reset()`;
    await db.sql.reserve().then(async (one) => {
      for (let beat = 0; beat < 20; beat++) {
        await one`UPDATE active_sessions SET last_heartbeat = clock_timestamp() WHERE key_id = ${key}`;
      }
      await one`UPDATE active_sessions SET session_id = ${newSessionId()} WHERE key_id = ${key}`;
      await one`SELECT pg_stat_force_next_flush()`;
      await one`SELECT 1`;
      one.release();
    });
    const rows = await ask("table-health.sql");
    const names = rows.map((row) => String(row.table_name));
    expect(names).toEqual(expect.arrayContaining(["active_sessions", "keys", "session_history_default"]));
    expect(names.filter((name) => /^session_history_\d{4}_\d\d$/.test(name))).toHaveLength(4);
    // 20 heartbeats are heap-only, the new session id is not: its index has to be written.
    const sessions = rows.find((row) => row.table_name === "active_sessions");
    expect(sessions).toMatchObject({ updates: 21, heap_only_percent: "95.2" });
    expect(Number(sessions?.dead_rows)).toBeGreaterThan(0);
  },

  async "connections.sql"() {
    await db.sql.begin(async (open) => {
      await open`SELECT set_config('application_name', 'a forgotten console', false)`;
      const rows = await ask("connections.sql");
      const found = rows.find((row) => row.program === "a forgotten console");
      expect(found).toMatchObject({ state: "idle in transaction", connections: 1, waiting_for_lock: 0 });
      seconds(found?.longest_transaction);
      expect(Number(found?.server_connections)).toBeGreaterThan(1);
      expect(Number(found?.server_limit)).toBeGreaterThan(Number(found?.server_connections));
      await open`SELECT set_config('application_name', '', false)`;
    });
  },

  async "locks.sql"() {
    const key = await addKey();
    const secret = newSessionId();
    let waiting: Promise<unknown> | undefined;
    await db.sql.begin(async (holder) => {
      const [own] = await holder`SELECT pg_backend_pid() AS pid`;
      await holder`UPDATE keys SET label = 'held' WHERE id = ${key}`;
      waiting = db.sql.unsafe(`UPDATE keys SET label = '${secret}' WHERE id = ${key}`).execute();
      let rows: Rows = [];
      for (let tries = 0; rows.length === 0 && tries < 2000; tries++) rows = await ask("locks.sql");
      expect(rows).toMatchObject([{ blocked_by: own?.pid, blocking_state: "idle in transaction" }]);
      expect(rows[0]?.statement).toBe(`UPDATE keys SET label = '…' WHERE id = ${key}`);
    });
    await waiting;
    expect(await ask("locks.sql")).toEqual([]);
  },
};

describe.each(FILES)("scripts/monitor/%s", (file) => {
  it("answers what its header says, for known rows, with masked ids alone", async () => {
    expect(Object.keys(EXPECTATIONS)).toContain(file);
    await EXPECTATIONS[file]?.();
  });

  it("answers on an empty database too", async () => {
    expect(await ask(file)).toBeInstanceOf(Array);
  });

  it("opens with the question it answers and how to read it, and is one statement that psql takes as it is", () => {
    expect(text(file)).toMatch(/^-- [^\n?]+\?.*\n-- How to read it: /s);
    const statement = text(file).replace(/--.*/g, "").trim();
    expect(statement.match(/;/g)).toHaveLength(1);
    expect(statement.endsWith(";")).toBe(true);
    // In psql a colon before a name is a variable, and a backslash starts a command.
    expect(statement).not.toMatch(/\\|(?<!:):(?!:)[\w'"]/);
  });
});

it("every expectation has its query", () => {
  expect(Object.keys(EXPECTATIONS).sort()).toEqual(FILES.sort());
});

it("the query that operators have always used runs as it stands", async () => {
  await addSession({ silent: 30, name: "older…" });
  await addSession({ silent: 5, name: "newer…" });
  const rows = await db.sql.unsafe(`
    SELECT access_key, session_id, started_at, last_heartbeat, NOW() - last_heartbeat AS time_since_heartbeat
    FROM active_sessions ORDER BY last_heartbeat DESC;`);
  expect(rows.map((row) => row.access_key)).toEqual(["newer…", "older…"]);
  expectAbout(rows[1]?.time_since_heartbeat.replace(/\..*/, ""), 30);
});
