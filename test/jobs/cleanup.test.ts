/** What one run of the cleanup does, and says. */
import { beforeEach, describe, expect, it } from "vitest";
import { type Database, openDatabase } from "../../src/database/database.ts";
import { createLog } from "../../src/log.ts";
import { useApp } from "../support/app.ts";
import { runCleanup } from "../support/cleanup.ts";
import { useDatabase } from "../support/database.ts";
import { findSecrets, newAccessKey, newSessionId } from "../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);

/** One run with its own log, at the operator's `level`. */
async function cleanUp(options: { asked?: boolean; level?: string; database?: Database } = {}) {
  const lines: string[] = [];
  const log = createLog(options.level ?? "info", { write: (line: string) => lines.push(line) });
  const report = await runCleanup(options.database ?? db.database, log, {
    historyRetentionDays: 90,
    budgetMs: 20_000,
    asked: options.asked ?? true,
  });
  expect(findSecrets(lines.join("\n"))).toEqual([]);
  return { ...report, log: lines.map((line) => JSON.parse(line)) };
}

/** Sessions of as many new keys, all silent for so long. */
async function addSessions(count: number, silentSeconds: number): Promise<void> {
  await db.sql`
    WITH fresh AS (
      INSERT INTO keys (key_hash, key_prefix)
      SELECT sha256((random()::text || n)::bytea), 'seeded00' FROM generate_series(1, ${count}) n RETURNING id
    )
    INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat)
    SELECT id, 'seeded00…', left(md5(id::text), 8) || ${newSessionId().slice(8)} || id, id, at, at
    FROM fresh, (SELECT clock_timestamp() - make_interval(secs => ${silentSeconds}) AS at) silent`;
}

async function count(): Promise<{ active: number; history: number; distinct: number }> {
  const [row] = await db.sql`
    SELECT (SELECT count(*) FROM active_sessions) AS active, count(*) AS history,
           count(DISTINCT session_id) AS distinct FROM session_history`;
  return { active: row?.active, history: row?.history, distinct: row?.distinct };
}

beforeEach(async () => {
  await db.sql`TRUNCATE active_sessions, session_history`;
});

describe("the cleanup", () => {
  it("moves sessions silent for 60 and 61 s into the history as expired, and leaves those of 50 s", async () => {
    const moved: Array<[string, string]> = [];
    const kept: string[] = [];
    for (const silent of [50, 60, 61]) {
      const { key, id } = await db.makeKey();
      const session_id = newSessionId();
      await app.post("/api/session/start", { access_key: key, session_id, device: { name: `silent ${silent}` } });
      await db.age(id, silent);
      if (silent === 50) kept.push(session_id);
      else moved.push([session_id, `silent ${silent}`]);
    }
    expect(await cleanUp()).toMatchObject({ deleted: 2, remaining: 1 });
    const history = await db.sql`
      SELECT session_id, device ->> 'name' AS device, reason, access_key, generation, replaced_by_generation AS by,
             ended_at - last_heartbeat = interval '60 s' AS when_it_ran_out
      FROM session_history ORDER BY device`;
    expect(history.map((row) => [row.session_id, row.device])).toEqual(moved);
    for (const row of history) {
      expect(row).toMatchObject({ reason: "expired", by: null, when_it_ran_out: true });
      expect(row.access_key).toMatch(/^.{8}…$/);
    }
    expect((await db.sql`SELECT session_id FROM active_sessions`).map((row) => row.session_id)).toEqual(kept);
  });

  it("leaves a session that is silent for 59 s", async () => {
    for (;;) {
      await db.sql`TRUNCATE active_sessions`;
      await addSessions(1, 59);
      const [row] = await db.sql`SELECT last_heartbeat + interval '60 s' AS deadline FROM active_sessions`;
      const { deleted } = await cleanUp();
      const [after] = await db.sql`SELECT clock_timestamp() < ${row?.deadline} AS in_time`;
      // On a machine that took over a second for this, 59 s have become 60: another try.
      if (!after?.in_time) continue;
      expect(deleted).toBe(0);
      return;
    }
  });

  it("goes by the installation's timeout: 61 s of silence are over one of 59 s, and not over one of 90 s", async () => {
    try {
      for (const [timeout, silent, deleted] of [
        [90, 61, 0],
        [59, 61, 1],
      ] as const) {
        await db.sql`TRUNCATE active_sessions`;
        await db.sql`UPDATE service_state SET session_timeout_seconds = ${timeout}`;
        await addSessions(1, silent);
        expect(await cleanUp()).toMatchObject({ deleted, remaining: 1 - deleted });
      }
    } finally {
      await db.sql`UPDATE service_state SET session_timeout_seconds = 60`;
    }
  });

  it("logs that it starts, each session by masked key and id, and at the end how many went and how many are live", async () => {
    const { key, id } = await db.makeKey();
    const session_id = newSessionId();
    await app.post("/api/session/start", { access_key: key, session_id });
    await db.age(id, 61);
    await addSessions(2, 5);
    const { log } = await cleanUp();
    expect(log.map((line) => line.msg)).toEqual(["cleanup started", "expired session cleaned up", "cleanup finished"]);
    expect(log[1]).toMatchObject({ access_key: `${key.slice(0, 8)}…`, session_id: `${session_id.slice(0, 8)}…` });
    expect(log[2]).toMatchObject({ deleted: 1, remaining: 2 });
  });

  it("names 20 sessions at most, then says how many more there were", async () => {
    for (const [silent, more] of [
      [20, undefined],
      [21, 1],
      [57, 37],
    ] as const) {
      await addSessions(silent, 61);
      const { deleted, log } = await cleanUp();
      expect(deleted).toBe(silent);
      expect(log.filter((line) => line.msg === "expired session cleaned up")).toHaveLength(20);
      expect(log.find((line) => line.msg === "more expired sessions cleaned up")?.more).toBe(more);
    }
  });

  it("says nothing at level info when it ran by the clock and found nothing, and everything when asked", async () => {
    await addSessions(1, 5);
    expect((await cleanUp({ asked: false })).log).toEqual([]);
    expect((await cleanUp({ asked: false, level: "debug" })).log).toMatchObject([{ msg: "cleanup finished" }]);
    expect((await cleanUp({ asked: true })).log).toMatchObject([
      { msg: "cleanup started" },
      { deleted: 0, remaining: 1 },
    ]);
    await addSessions(1, 61);
    const found = await cleanUp({ asked: false });
    expect(found.log.map((line) => line.msg)).toEqual([
      ...["cleanup started", "expired session cleaned up", "cleanup finished"],
    ]);
  });

  it("takes batch after batch, from every part of the table, until none is left", async () => {
    const liveForAnHour = -3600; // as a slow machine needs longer than a minute for all of these
    await addSessions(20_000, liveForAnHour);
    await addSessions(12_000, 61);
    await addSessions(60_000, liveForAnHour); // beyond the first piece of the table, and the second
    await addSessions(500, 61);
    expect(await cleanUp()).toMatchObject({ deleted: 12_500, remaining: 80_000 });
    expect(await count()).toEqual({ active: 80_000, history: 12_500, distinct: 12_500 });
  });

  it("stops after a batch when its time is over, and the next run does the rest", async () => {
    await addSessions(12_000, 61);
    const log = createLog("silent");
    const short = await runCleanup(db.database, log, { historyRetentionDays: 90, budgetMs: 0, asked: true });
    expect(short.deleted).toBe(2500);
    expect((await cleanUp()).deleted).toBe(9500);
  });

  it.each([2, 5])("writes each session once into the history when %i run at once", async (howMany) => {
    await addSessions(12_000, 61);
    const databases = Array.from({ length: howMany }, () => openDatabase(db.url));
    try {
      const reports = await Promise.all(databases.map((database) => cleanUp({ database })));
      expect(reports.reduce((sum, report) => sum + report.deleted, 0)).toBe(12_000);
      expect(await count()).toEqual({ active: 0, history: 12_000, distinct: 12_000 });
    } finally {
      await Promise.all(databases.map((database) => database.close()));
    }
  });

  it("skips rows that another client has locked, cleans everything else, and takes them the next time", async () => {
    await addSessions(200, 61);
    await db.sql.begin(async (other) => {
      await other`SELECT FROM active_sessions ORDER BY key_id LIMIT 3 FOR UPDATE`;
      expect((await cleanUp()).deleted).toBe(197);
    });
    expect(await count()).toEqual({ active: 3, history: 197, distinct: 197 });
    expect((await cleanUp()).deleted).toBe(3);
  });

  it("never takes a session whose heartbeat was under way when it looked", async () => {
    await addSessions(1, 61);
    await db.sql.begin(async (heartbeat) => {
      await heartbeat`UPDATE active_sessions SET last_heartbeat = clock_timestamp()`;
      expect((await cleanUp()).deleted).toBe(0);
    });
    expect(await cleanUp()).toMatchObject({ deleted: 0, remaining: 1 });
  });
});

describe("a service whose cleanup never runs", () => {
  /** What a client gets for a session that fell silent: everything but the times and ids, which differ by nature. */
  async function story(withCleanup: boolean) {
    const { key, id } = await db.makeKey();
    const session_id = newSessionId();
    await app.post("/api/session/start", { access_key: key, session_id, device: { name: "A" } });
    await db.age(id, 61);
    const [row] = await db.sql`
      SELECT last_heartbeat + interval '60 s' AS ran_out FROM active_sessions WHERE key_id = ${id}`;
    if (withCleanup) expect((await cleanUp()).deleted).toBe(1);
    const answers: Array<[number, Record<string, unknown>]> = [];
    const ask = async (verb: string, body: Record<string, unknown>) => {
      const reply = await app.post(`/api/session/${verb}`, body);
      answers.push([reply.status, reply.body]);
    };
    await ask("heartbeat", { session_id });
    await ask("status", { access_key: key, session_id });
    await ask("start", { access_key: key, session_id });
    await ask("end", { session_id });
    await ask("start", { access_key: key, on_conflict: "refuse" });
    await ask("heartbeat", { session_id });
    const different = [
      ...["request_id", "session_id", "generation", "started_at", "expires_at", "heartbeat_in", "server_time"],
    ];
    return answers.map(([status, body]) => {
      const kept = Object.entries(body).filter(([name]) => !different.includes(name));
      const shown = Object.fromEntries(kept);
      if (shown.ended_at) shown.ended_at = Date.parse(String(shown.ended_at)) - row?.ran_out.getTime();
      return { status, ...shown };
    });
  }

  it("gives the same answers as one that was just cleaned up", async () => {
    const [without, withCleanup] = [await story(false), await story(true)];
    expect(without).toEqual(withCleanup);
    expect(without).toMatchObject([
      { status: 410, code: "session_expired", ended_at: 0 },
      { status: 200, active: false },
      { status: 409, code: "session_id_used" },
      { status: 200, success: false },
      { status: 200, resumed: false, previous_session_terminated: false, previous_session: null },
      { status: 410, code: "session_expired", ended_at: 0 },
    ]);
  });

  it("never says that an unknown session has expired, whether cleaned up or not", async () => {
    const unknown = await app.post("/api/session/heartbeat", { session_id: newSessionId() });
    expect([unknown.status, unknown.body.code]).toEqual([404, "session_not_found"]);
    expect((await app.post("/api/session/status", { access_key: newAccessKey() })).body).toEqual({ active: false });
  });
});
