/**
 * The two limits of a run, silence and the whole time, with the cleanup off, on and killed; and our own outages, which count
 * as nobody's silence (G6). Time moves by dating rows back.
 */
import { afterEach, describe, expect, it } from "vitest";
import { cleanUpBatches } from "../../../src/sessions/batch/cleanup.ts";
import { configureBatches } from "../../../src/sessions/batch/upkeep-sql.ts";
import { useApp } from "../../support/app.ts";
import { setTicks } from "../../support/clock.ts";
import { useDatabase } from "../../support/database.ts";
import { batchApi, outcome } from "./support/batch.ts";

const db = useDatabase();
const app = useApp(db);
const api = batchApi(app);

const HALF_HOUR = 1800;
const DAY = 86_400;
/** A machine that stands still for longer makes a run more silent than a test says. */
const STEADY_MS = 800;

afterEach(async () => {
  await db.sql`UPDATE service_state SET last_tick = NULL, gaps = '{}', gap_began = NULL, gap_ended = NULL`;
  await configureBatches(db.database, HALF_HOUR);
  await db.sql`DELETE FROM batch_sessions`;
});

/** So many seconds pass for a run, in which nobody says anything of it. */
async function age(id: string, seconds: number): Promise<void> {
  await db.sql`
    UPDATE batch_sessions s
    SET created_at = s.created_at - by, updated_at = s.updated_at - by, started_at = s.started_at - by,
        completed_at = s.completed_at - by, last_report = s.last_report - by, worker_seen = s.worker_seen - by,
        not_over_before = s.not_over_before - by
    FROM make_interval(secs => ${seconds}) by WHERE s.session_id = ${id}`;
}

const setClock = (seconds: { lastTick: number; gap?: [number, number] }) => setTicks(db, seconds);

async function running(body: object = {}): Promise<string> {
  const id = await api.make(body);
  expect((await api.claim(id, { worker: "ann" })).status).toBe(200);
  return id;
}

/** So many that have been silent for too long. */
async function silent(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    const id = await running();
    await age(id, 1900);
    ids.push(id);
  }
  return ids;
}

const rowOf = async (id: string) => {
  const [row] = await db.sql`
    SELECT *, extract(epoch FROM completed_at - last_report)::float8 AS lived FROM batch_sessions WHERE session_id = ${id}`;
  return row;
};

/** A run made by `make` that is so old; another one, if the machine stood still meanwhile. */
async function aged<T>(make: () => Promise<string>, seconds: number, look: (id: string) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    const beganMs = performance.now();
    const id = await make();
    await age(id, seconds);
    const seen = await look(id);
    if (performance.now() - beganMs < STEADY_MS || tries === 10) return seen;
  }
}

const LOST = {
  status: "failed",
  ended_reason: "silence",
  error_message: "no sign of life for 30 minutes",
};

describe("silence, with the cleanup off", () => {
  it("ends a run at 30:00 and not before, whatever the moment is asked of", async () => {
    const id = await running();
    const at = (seconds: number) => db.sql`
      SELECT o.reason, extract(epoch FROM o.since - s.last_report)::float8 AS after
      FROM batch_sessions s, batch_overdue(s, s.last_report + make_interval(secs => ${seconds})) o
      WHERE s.session_id = ${id}`;
    expect([...(await at(1799)), ...(await at(1799.999999)), ...(await at(1800)), ...(await at(1801))]).toEqual([
      { reason: null, after: null },
      { reason: null, after: null },
      { reason: "silence", after: 1800 },
      { reason: "silence", after: 1800 },
    ]);
  });

  it.each([
    [1799, "running"],
    [1800, "failed"],
    [1801, "failed"],
    [40 * DAY, "failed"],
  ])("after %i s is %s for whoever reads it, and dated when it was", async (seconds, status) => {
    const session = await aged(running, seconds, api.read);
    expect(session.status).toBe(status);
    if (status === "running") return;
    expect(session).toMatchObject({ ...LOST, silent_until: null, attempt: 1, worker: "ann" });
    const row = await rowOf(session.session_id);
    expect([row?.lived, row?.updated_at]).toEqual([HALF_HOUR, row?.completed_at]);
  });

  const CALLS: Record<string, (id: string) => Promise<string>> = {
    "its progress": async (id) => outcome(await api.progress(id, { attempt: 1 })),
    "a result": async (id) => outcome(await api.put(id, "one", { attempt: 1 })),
    "its completion": async (id) => outcome(await api.complete(id, { attempt: 1 })),
    "a claim": async (id) => outcome(await api.claim(id, { worker: "ann", on_conflict: "replace" })),
    "a cancel": async (id) => outcome(await api.cancel(id)),
  };
  it.each(Object.entries(CALLS))("is over for whoever calls first, here %s", async (_, call) => {
    expect(await aged(running, 1799, call)).toBe("200");
    const id = await running();
    await age(id, 1800);
    expect(await call(id)).toBe("409 session_over");
    expect(await rowOf(id)).toMatchObject({ status: "failed", ended_reason: "silence", lived: HALF_HOUR });
  });

  const READERS: Record<string, (id: string) => Promise<unknown>> = {
    "the list": async (id) => {
      const { sessions } = (await api.send("GET", "/batch/sessions?limit=100")).body;
      return sessions.find(({ session_id }: { session_id: string }) => session_id === id)?.status;
    },
    "the list of those that run": async (id) => {
      const { sessions } = (await api.send("GET", "/batch/sessions?limit=100&status=running")).body;
      const found = sessions.some(({ session_id }: { session_id: string }) => session_id === id);
      return found ? "running" : "failed";
    },
    "the published status": async (id) => (await api.status(id)).body.status,
    "the numbers": async () => {
      const before = (await api.send("GET", "/batch/stats")).body;
      return before.active_sessions === (await counted("pending", "running")) ? "failed" : "running";
    },
    "a resume": async (id) => ((await api.resume(id)).status === 201 ? "failed" : "running"),
    "the second word": async (id) => (await api.move(id, "completed")).body.status,
  };
  const counted = async (...statuses: string[]) =>
    (await db.sql`SELECT status FROM batch_sessions`).filter(({ status }) => statuses.includes(status)).length;
  it.each(Object.entries(READERS))("is over for whoever looks first, here %s", async (_, look) => {
    const id = await running();
    await age(id, 1801);
    expect(await look(id)).toBe("failed");
    expect(await rowOf(id)).toMatchObject({ status: "failed", ended_reason: "silence", lived: HALF_HOUR });
  });

  it("cancels what never began, and says how long the limit is", async () => {
    const id = await api.make();
    await age(id, 1801);
    expect(await api.read(id)).toMatchObject({ ...LOST, status: "cancelled", started_at: null });
    await configureBatches(db.database, 90);
    const short = await api.make();
    await age(short, 91);
    expect((await api.read(short)).error_message).toBe("no sign of life for 90 seconds");
  });

  it("leaves the results, and what was done can be resumed", async () => {
    const id = await running();
    await api.put(id, "one", { result: "kept", attempt: 1 });
    await age(id, 1801);
    expect(await api.read(id)).toMatchObject({
      ...LOST,
      completed_nodes: 1,
      node_results: { one: { result: "kept" } },
    });
    expect((await api.resume(id)).body).toMatchObject({ status: "pending", resumed_from: id, completed_nodes: 1 });
  });

  it("is broken by any report, of a pending run too, with an attempt or without", async () => {
    const [pending, run] = [await api.make(), await running()];
    const reports = [
      () => api.progress(pending),
      () => api.put(pending, "one"),
      () => api.put(pending, "one"), // the same again
      () => api.progress(run, { attempt: 1 }),
      () => api.progress(run),
      () => api.put(run, "one"),
      () => api.put(run, "one"),
    ];
    for (const report of reports) {
      await age(pending, 1700);
      await age(run, 1700);
      await api.progress(pending);
      await api.progress(run);
      await age(pending, 1700);
      await age(run, 1700);
      expect((await report()).status).toBe(200);
      await Promise.all([api.progress(pending), api.progress(run)]);
    }
    expect([(await api.read(pending)).status, (await api.read(run)).status]).toEqual(["pending", "running"]);
  });
});

describe("the resumed run of a resumed run", () => {
  it("is over for whoever resumes again, when its time is over", async () => {
    const id = await running();
    await api.cancel(id);
    const { session_id } = (await api.resume(id)).body;
    await age(session_id, 1801);
    const again = await api.resume(id);
    expect([again.status, again.body]).toMatchObject([
      200,
      { session_id, status: "cancelled", ended_reason: "silence" },
    ]);
  });
});

describe("the cleanup", () => {
  const tidy = (untilMs = Number.POSITIVE_INFINITY) => cleanUpBatches(db.database, { retentionDays: 7, untilMs });
  const endingsOf = async (ids: string[]) =>
    db.sql`
      SELECT s.session_id, s.status, s.ended_reason, s.completed_at, s.last_event,
        (SELECT count(*)::int FROM batch_events e WHERE e.run = s.run AND e.event = 'complete') AS told
      FROM batch_sessions s WHERE s.session_id IN ${db.sql(ids)} ORDER BY s.run`;

  it("run twice changes nothing the second time, and nothing that a reader has found before", async () => {
    const [read, unread, live] = [await running(), await running(), await running()];
    await age(read, 1900);
    await age(unread, 1900);
    await api.read(read);
    const [found] = await endingsOf([read]);
    expect(await tidy()).toMatchObject({ ended: 1 });
    const after = await endingsOf([read, unread, live]);
    expect(after[0]).toEqual(found);
    expect(after.map(({ status, told }) => [status, told])).toEqual([
      ["failed", 1],
      ["failed", 1],
      ["running", 0],
    ]);
    expect(await tidy()).toMatchObject({ ended: 0 });
    expect(await endingsOf([read, unread, live])).toEqual(after);
  });

  it("two at once end each run once", async () => {
    const ids = await silent(20);
    const done = await Promise.all([tidy(), tidy(), tidy()]);
    expect(done.reduce((sum, { ended }) => sum + ended, 0)).toBe(20);
    expect((await endingsOf(ids)).map(({ told }) => told)).toEqual(ids.map(() => 1));
  });

  it("killed in the midst has done all of a step or nothing of it, and the next one does the rest", async () => {
    const ids = await silent(30);
    const letGo = await db.hold("SELECT settle_batches(20)");
    const [killed] = await db.sql`
      SELECT count(pg_terminate_backend(pid))::int AS n FROM pg_stat_activity
      WHERE datname = current_database() AND state = 'idle in transaction' AND query LIKE '%settle_batches(20)%'`;
    expect(killed?.n).toBe(1);
    await letGo().catch(() => {});
    expect((await endingsOf(ids)).filter(({ status }) => status !== "running")).toEqual([]);
    await db.sql`SELECT settle_batches(12)`;
    expect((await endingsOf(ids)).filter(({ status }) => status === "failed")).toHaveLength(12);
    expect(await tidy()).toMatchObject({ ended: 18 });
    expect((await endingsOf(ids)).every(({ status, told }) => status === "failed" && told === 1)).toBe(true);
  });

  it("leaves a run alone that somebody holds, whose own call ends it then", async () => {
    const id = await running();
    await age(id, 1900);
    const letGo = await db.hold(`SELECT FROM batch_sessions WHERE session_id = '${id}' FOR UPDATE`);
    expect(await tidy()).toMatchObject({ ended: 0 });
    await letGo();
    expect(await api.read(id)).toMatchObject(LOST);
  });

  it("forgets a week after the end, all that belongs to it, and never what has not ended", async () => {
    const ended = async (days: number) => {
      const id = await running();
      await api.put(id, "one");
      await api.cancel(id);
      await age(id, days * DAY);
      return id;
    };
    const [recent, old] = [await ended(6.9), await ended(7.1)];
    // Begun a month ago, and heard of just now; and one that nobody has begun or asked for since.
    const [long, pending, left] = [await running(), await api.make(), await running()];
    for (const id of [long, pending, left]) await age(id, 30 * DAY);
    await db.sql`UPDATE batch_sessions SET last_report = clock_timestamp() WHERE session_id IN (${long}, ${pending})`;
    // Its end is half an hour after its last word, so it is long ago as well.
    expect(await tidy()).toEqual({ ended: 1, forgotten: 2 });
    const rows = await db.sql`SELECT session_id FROM batch_sessions ORDER BY run`;
    expect(rows.map(({ session_id }) => session_id)).toEqual([recent, long, pending]);
    expect((await api.send("GET", `/batch/sessions/${old}`)).body.code).toBe("session_not_found");
    const [rest] = await db.sql`
      SELECT (SELECT count(*)::int FROM batch_nodes n WHERE NOT EXISTS (SELECT FROM batch_sessions s WHERE s.run = n.run)) AS nodes,
             (SELECT count(*)::int FROM batch_events e WHERE NOT EXISTS (SELECT FROM batch_sessions s WHERE s.run = e.run)) AS events`;
    expect(rest).toEqual({ nodes: 0, events: 0 });
  });
});

describe("our own outage", () => {
  const tidy = () => cleanUpBatches(db.database, { retentionDays: 7, untilMs: Number.POSITIVE_INFINITY });

  it.each([
    [HALF_HOUR + 1000 + 3 * 3600, 3 * 3600, "failed"], // silent for 46 minutes when it began
    [1700 + 3 * 3600, 3 * 3600, "running"], // for 28
    [1700 + 60, 2, "running"], // no outage, and 29 minutes
    [1801, 2, "failed"], // no outage
    [40 * DAY, 40 * DAY - 60, "running"],
  ])("that still goes on: silent for %i s, the last tick %i s ago, is %s", async (silent, lastTick, status) => {
    const id = await running();
    await age(id, silent);
    await setClock({ lastTick });
    await tidy();
    expect((await api.read(id)).status).toBe(status);
    expect(outcome(await api.progress(id, { attempt: 1 }))).toBe(status === "running" ? "200" : "409 session_over");
  });

  it.each([
    [1700 + 9000, [9000, 10], "running"], // it ended just now
    [1700 + 9000, [9000, 1790], "running"], // the half hour since is not over
    [1700 + 9000, [9000, 1810], "failed"],
    [1810 + 9000, [9000, 10], "failed"], // silent too long before
    [1790, [9000, 1810], "running"], // spoke within the half hour
  ] as Array<[number, [number, number], string]>)(
    "that is over: silent for %i s, away from %j s ago, is %s",
    async (silent, gap, status) => {
      const [run, pending] = [await running(), await api.make()];
      await age(run, silent);
      await age(pending, silent);
      await setClock({ lastTick: 0, gap });
      await tidy();
      await setClock({ lastTick: 0, gap });
      expect((await api.read(run)).status).toBe(status);
      expect((await api.read(pending)).status).toBe(status === "failed" ? "cancelled" : "pending");
      if (status === "failed") expect((await rowOf(run))?.ended_reason).toBe("silence");
    },
  );

  it("takes the run from no worker: whoever had it has a minute from the return", async () => {
    const claim = (id: string) => api.claim(id, { worker: "bob" }).then(outcome);
    const away = await running();
    await age(away, 3640);
    await setClock({ lastTick: 3600 });
    expect(await claim(away)).toBe("409 claimed");
    await setClock({ lastTick: 0, gap: [3600, 50] });
    expect(await claim(away)).toBe("409 claimed");
    await setClock({ lastTick: 0, gap: [3600, 61] });
    expect(await claim(away)).toBe("200");
  });

  it("gives no credit for the whole time", async () => {
    const id = await running({ timeout_seconds: 3600 });
    await age(id, 3700);
    await setClock({ lastTick: 3690 });
    expect(await api.read(id)).toMatchObject({ status: "failed", ended_reason: "deadline" });
  });
});

describe("the whole time", () => {
  it.each([
    [59, "running", null],
    [60, "failed", "deadline"],
    [61, "failed", "deadline"],
  ])("after %i s of 60 a run that has just reported is %s", async (seconds, status, reason) => {
    const session = await aged(
      async () => running({ timeout_seconds: 60 }),
      seconds,
      async (id) => {
        await db.sql`UPDATE batch_sessions SET last_report = clock_timestamp() WHERE session_id = ${id}`;
        return api.read(id);
      },
    );
    expect(session).toMatchObject({ status, ended_reason: reason });
    if (status === "running") return;
    expect(session.error_message).toBe("not done within 1 minute");
    const [row] = await db.sql`
      SELECT extract(epoch FROM completed_at - started_at)::int AS lived FROM batch_sessions WHERE session_id = ${session.session_id}`;
    expect(row?.lived).toBe(60);
  });

  it("is refused to the worker that still reports, and the cleanup comes for it by itself", async () => {
    const [reporting, left] = [await running({ timeout_seconds: 60 }), await running({ timeout_seconds: 60 })];
    for (const id of [reporting, left]) {
      for (let minute = 0; minute < 2; minute++) {
        await age(id, 25);
        expect(outcome(await api.progress(id, { attempt: 1 }))).toBe("200");
      }
      await api.put(id, "one");
      await age(id, 15);
    }
    expect((await api.put(reporting, "two", { attempt: 1 })).body).toMatchObject({
      code: "session_over",
      status: "failed",
      ended_reason: "deadline",
    });
    await cleanUpBatches(db.database, { retentionDays: 7, untilMs: Number.POSITIVE_INFINITY });
    expect(await rowOf(left)).toMatchObject({ status: "failed", ended_reason: "deadline" });
    expect(await api.read(left)).toMatchObject({ completed_nodes: 1, node_results: { one: { status: "success" } } });
  });

  it("does not run before the start, and begins anew with a resume", async () => {
    const id = await api.make({ timeout_seconds: 60 });
    await age(id, 600);
    expect(await api.read(id)).toMatchObject({ status: "pending", deadline_at: null });
    await api.claim(id);
    await age(id, 61);
    expect((await api.read(id)).ended_reason).toBe("deadline");
    const { session_id } = (await api.resume(id)).body;
    const claimed = (await api.claim(session_id)).body;
    expect(Date.parse(claimed.deadline_at) - Date.parse(claimed.started_at)).toBe(60_000);
  });

  it("of the two limits the one that comes first says why", async () => {
    const deadlineFirst = await running({ timeout_seconds: 1700 });
    const silenceFirst = await running({ timeout_seconds: 3600 });
    for (const id of [deadlineFirst, silenceFirst]) await age(id, 4000);
    expect((await api.read(deadlineFirst)).ended_reason).toBe("deadline");
    expect((await api.read(silenceFirst)).ended_reason).toBe("silence");
  });
});
