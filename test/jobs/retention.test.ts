/** The history in months: made ahead, dropped past the retention, and never in the way of an ending. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../src/database/database.ts";
import { createLog } from "../../src/log.ts";
import { maintainHistory } from "../../src/sessions/device/expire.ts";
import { useApp } from "../support/app.ts";
import { runCleanup } from "../support/cleanup.ts";
import { cloneDatabase, type TestDatabase, useDatabase } from "../support/database.ts";
import { newSessionId } from "../support/secrets.ts";

const RETENTION_DAYS = 90;

const db = useDatabase();
const app = useApp(db);

const cleanUp = (of = db) =>
  runCleanup(of.database, createLog("silent"), { historyRetentionDays: RETENTION_DAYS, budgetMs: 10_000, asked: true });

async function partitions(of = db): Promise<string[]> {
  const rows = await of.sql`
    SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'session_history'::regclass ORDER BY 1`;
  return rows.map((row) => row.name);
}

/** The partition of the month in which `daysAgo` falls, or `monthsLater` after it. */
async function monthOf(daysAgo: number, monthsLater = 0): Promise<{ name: string; from: string; to: string }> {
  const [row] = await db.sql`
    SELECT 'session_history_' || to_char(m, 'YYYY_MM') AS name, m::text || '+00' AS from,
           (m + interval '1 month')::text || '+00' AS to
    FROM (SELECT date_trunc('month', now() AT TIME ZONE 'UTC' - make_interval(days => ${daysAgo}))
                 + make_interval(months => ${monthsLater}) AS m) month`;
  return row as { name: string; from: string; to: string };
}

async function addPartition(month: { name: string; from: string; to: string }): Promise<void> {
  await db.sql.unsafe(
    `CREATE TABLE ${month.name} PARTITION OF session_history FOR VALUES FROM ('${month.from}') TO ('${month.to}')`,
  );
}

async function addEnding(endedAt: string): Promise<string> {
  const sessionId = newSessionId();
  await db.sql`
    INSERT INTO session_history (key_id, access_key, session_id, generation, started_at, last_heartbeat, ended_at, reason)
    VALUES (1, 'seeded00…', ${sessionId}, (random() * 1e15)::bigint, ${endedAt}::text::timestamptz,
            ${endedAt}::text::timestamptz, ${endedAt}::text::timestamptz, 'ended')`;
  return sessionId;
}

const remembers = async (sessionId: string) =>
  (await db.sql`SELECT FROM session_history WHERE session_id = ${sessionId}`).length === 1;

const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();

beforeEach(async () => {
  await db.sql`TRUNCATE active_sessions, session_history`;
});

describe("the history's months", () => {
  it("are there from the first day on: this month, the next three, and one for everything else", async () => {
    const expected = await Promise.all([0, 1, 2, 3].map(async (later) => (await monthOf(0, later)).name));
    expect(await partitions()).toEqual([...expected, "session_history_default"]);
    const { success } = await endOneSession();
    expect(success).toBe(true);
    const [row] = await db.sql`SELECT tableoid::regclass::text AS partition FROM session_history`;
    expect(row?.partition).toBe(expected[0]);
  });

  it("are dropped when they lie wholly past the retention; the month that it cuts is kept", async () => {
    const [cut, before, longAgo] = [
      await monthOf(RETENTION_DAYS),
      await monthOf(RETENTION_DAYS, -1),
      await monthOf(RETENTION_DAYS, -30),
    ];
    for (const month of [cut, before, longAgo]) await addPartition(month);
    const kept = await addEnding(cut.from);
    const forgotten = [await addEnding(before.from), await addEnding(longAgo.from)];
    await cleanUp();
    const left = await partitions();
    expect(left).toContain(cut.name);
    expect(left).not.toContain(before.name);
    expect(left).not.toContain(longAgo.name);
    expect(await remembers(kept)).toBe(true);
    for (const id of forgotten) {
      expect(await remembers(id)).toBe(false);
      expect((await app.post("/api/session/heartbeat", { session_id: id })).status).toBe(404);
    }
    await db.sql.unsafe(`DROP TABLE ${cut.name}`);
  });

  it("are made ahead again when they are missing, and never twice", async () => {
    const before = await partitions();
    await db.sql.unsafe(`DROP TABLE ${(await monthOf(0, 3)).name}`);
    const log: string[] = [];
    const say = createLog("info", { write: (line: string) => log.push(line) });
    await runCleanup(db.database, say, { historyRetentionDays: RETENTION_DAYS, budgetMs: 10_000, asked: false });
    expect(await partitions()).toEqual(before);
    expect(log.map((line) => JSON.parse(line))).toMatchObject([{ made: 1, dropped: 0 }]);
    await cleanUp();
    expect(await partitions()).toEqual(before);
  });

  it("in the default partition: rows past the retention go, younger ones stay", async () => {
    const old = await addEnding(daysAgo(RETENTION_DAYS + 1));
    const young = await addEnding(daysAgo(RETENTION_DAYS - 1));
    await cleanUp();
    expect([await remembers(old), await remembers(young)]).toEqual([false, true]);
  });
});

/** Starts and ends a session; the end's answer. */
async function endOneSession(): Promise<{ success: boolean; session_id: string }> {
  const { key } = await db.makeKey();
  const session_id = newSessionId();
  await app.post("/api/session/start", { access_key: key, session_id });
  const { body } = await app.post("/api/session/end", { session_id });
  return { success: body.success, session_id };
}

describe("where the month has no partition", () => {
  let month: { name: string; from: string; to: string };
  beforeEach(async () => {
    month = await monthOf(0);
    await db.sql.unsafe(`DROP TABLE ${month.name}`);
  });
  afterEach(async () => {
    await db.sql`TRUNCATE session_history`;
    await maintainHistory(db.database, RETENTION_DAYS);
  });

  it("every ending works, and is remembered", async () => {
    const ended = await endOneSession();
    expect(ended.success).toBe(true);
    const { key, id } = await db.makeKey();
    const [first, second, third] = [newSessionId(), newSessionId(), newSessionId()];
    await app.post("/api/session/start", { access_key: key, session_id: first });
    await app.post("/api/session/start", { access_key: key, session_id: second });
    await db.age(id, 61);
    expect((await cleanUp()).deleted).toBe(1);
    await app.post("/api/session/start", { access_key: key, session_id: third });
    await db.sql`SELECT revoke_key(${id}, NULL)`;
    const codes = [];
    for (const session_id of [ended.session_id, first, second, third]) {
      codes.push((await app.post("/api/session/heartbeat", { session_id })).body.code);
    }
    expect(codes).toEqual(["session_ended", "session_replaced", "session_expired", "session_revoked"]);
  });

  it("the cleanup leaves the rows of that month in the default partition, and makes the month when it is empty", async () => {
    const { session_id } = await endOneSession();
    await cleanUp();
    expect(await partitions()).not.toContain(month.name);
    expect(await remembers(session_id)).toBe(true);
    await db.sql`DELETE FROM session_history`;
    await cleanUp();
    expect(await partitions()).toContain(month.name);
  });
});

describe("maintenance of the history", () => {
  /** A database without any month, whose five callers come at once. */
  async function withoutMonths(run: (fresh: TestDatabase) => Promise<void>): Promise<void> {
    const fresh = await cloneDatabase();
    try {
      for (const name of await partitions(fresh)) {
        if (name !== "session_history_default") await fresh.sql.unsafe(`DROP TABLE ${name}`);
      }
      await run(fresh);
    } finally {
      await fresh.drop();
    }
  }

  it("by five connections at once makes each month once, and none of them fails", async () => {
    await withoutMonths(async (fresh) => {
      const five = Array.from({ length: 5 }, () => openDatabase(fresh.url));
      try {
        const results = await Promise.all(five.map((database) => maintainHistory(database, RETENTION_DAYS)));
        expect(results.reduce((sum, result) => sum + result.made, 0)).toBe(4);
        expect(await partitions(fresh)).toHaveLength(5);
      } finally {
        await Promise.all(five.map((database) => database.close()));
      }
    });
  });

  it("that a reader of the history holds up costs the cleanup nothing else: sessions go, and the run is no failure", async () => {
    await withoutMonths(async (fresh) => {
      const { id } = await fresh.makeKey();
      await fresh.sql`
        INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat)
        VALUES (${id}, 'seeded00…', ${newSessionId()}, 1, now() - interval '2 minutes', now() - interval '2 minutes')`;
      await fresh.sql.begin(async (backup) => {
        await backup`SELECT count(*) FROM session_history`;
        expect(await cleanUp(fresh)).toEqual({ deleted: 1, remaining: 0 });
      });
      // This month is in the default partition by now, and stays there; the months ahead are made up for.
      await cleanUp(fresh);
      for (const later of [1, 2, 3]) expect(await partitions(fresh)).toContain((await monthOf(0, later)).name);
    });
  });
});
