/**
 * Races through two processes of the program on one database. Each proves a guarantee of all interleavings by what is true
 * afterwards in all of them; none relies on when anything happens.
 */
import { randomUUID } from "node:crypto";
import { describe, expect, inject, it, vi } from "vitest";
import { ADMIN_TOKEN, type Reply } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { play, shuffle, useTwoServers } from "../../support/two-servers.ts";
import { batchApi, outcome } from "./support/batch.ts";

// Thousands of requests: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000 });

const db = useDatabase();
const { here, there, next } = useTwoServers(db, batchApi);

const RACES = 1000 * inject("share");

const eventsOf = async (id: string) =>
  db.sql`
    SELECT e.id, e.event, e.data FROM batch_events e JOIN batch_sessions s USING (run)
    WHERE s.session_id = ${id} ORDER BY e.id`;
const times = <T>(count: number, make: (nth: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, nth) => make(nth)));
const countsOf = ({ completed_nodes, failed_nodes, skipped_nodes, progress_percent }: Reply["body"]) => ({
  completed_nodes,
  failed_nodes,
  skipped_nodes,
  progress_percent,
});

/** Calls that wait for a lock. */
const waiting = async () =>
  (await db.sql`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).length;

function tally(replies: Reply[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const reply of replies) counts[outcome(reply)] = (counts[outcome(reply)] ?? 0) + 1;
  return counts;
}

async function running(node_count = 3): Promise<string> {
  const id = await next().make({ node_count });
  expect((await next().claim(id, { worker: "ann" })).status).toBe(200);
  return id;
}

describe("100 results at once", () => {
  it("through two processes sum exactly, each told once and in order, also where each is sent twice", async () => {
    const id = await running(100);
    const status = (nth: number) => ["success", "success", "failed", "skipped"][nth % 4] as string;
    const sent = shuffle(Array.from({ length: 200 }, (_, nth) => nth % 100));
    const replies = await Promise.all(
      sent.map((nth) => next().put(id, `node ${nth}`, { status: status(nth), result: { nth }, attempt: 1 })),
    );
    expect(replies.map(outcome).filter((is) => is !== "200")).toEqual([]);
    expect(replies.filter(({ body }) => body.duplicate)).toHaveLength(100);
    const session = await here.read(id);
    expect(countsOf(session)).toEqual({
      completed_nodes: 50,
      failed_nodes: 25,
      skipped_nodes: 25,
      progress_percent: 100,
    });
    expect(Object.keys(session.node_results)).toHaveLength(100);
    const events = await eventsOf(id);
    expect(events.map((event) => event.id)).toEqual(Array.from({ length: 101 }, (_, at) => at + 1));
    const told = events.filter(({ event }) => event === "node_complete").map(({ data }) => data);
    expect(new Set(told.map(({ node_id }) => node_id)).size).toBe(100);
    const sums = told.map((data) => data.completed_nodes + data.failed_nodes + data.skipped_nodes);
    expect(sums).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
  });

  it("of a run for 60 nodes are 60 results and 40 refusals that change nothing", async () => {
    const id = await running(60);
    const replies = await times(100, (nth) => next().put(id, `node ${nth}`));
    expect(tally(replies)).toEqual({ "200": 60, "409 too_many_nodes": 40 });
    expect(countsOf(await there.read(id))).toMatchObject({ completed_nodes: 60, progress_percent: 100 });
  });

  it("for one node leave the last one's, whole", async () => {
    const id = await running(1);
    await times(100, (nth) => next().put(id, "one", { status: nth % 2 ? "failed" : "success", result: nth }));
    const { node_results, ...session } = await here.read(id);
    const { status, result } = node_results.one;
    expect(status).toBe(result % 2 ? "failed" : "success");
    expect([session.completed_nodes, session.failed_nodes]).toEqual(status === "failed" ? [0, 1] : [1, 0]);
    expect((await eventsOf(id)).at(-1)?.data).toMatchObject({ node_id: "one", status });
  });
});

describe("a cancel, a completion and two results at once", () => {
  it(`in ${RACES} races: one ends it for good, every answer agrees, and the worker's next call says so`, async () => {
    const won = { cancel: 0, complete: 0 };
    await play({ count: RACES, atOnce: 8 }, async () => {
      const id = await running();
      await next().put(id, "one", { attempt: 1 });
      const calls = shuffle(["cancel", "complete", "two", "three"]);
      const replies = new Map<string, Reply>();
      const send = async (call: string) => {
        const by = next();
        if (call === "cancel") return by.cancel(id, { reason: "enough" });
        if (call === "complete") return by.complete(id, { attempt: 1 });
        return by.put(id, call, { status: call === "two" ? "failed" : "success", attempt: 1 });
      };
      await Promise.all(calls.map(async (call) => replies.set(call, await send(call))));
      const after = await next().read(id);
      const of = (call: string) => replies.get(call) as Reply;
      const winner = of("cancel").status === 200 ? "cancel" : "complete";
      won[winner]++;
      const ending = { status: after.status, ended_reason: after.ended_reason, attempt: 1 };
      expect(after.ended_reason).toBe(winner === "cancel" ? "cancelled" : "reported");
      for (const [call, reply] of replies) {
        if (call === winner) expect(reply.status).toBe(200);
        else if (reply.status !== 200) expect(reply.body).toMatchObject({ code: "session_over", ...ending });
        if (call === "two" || call === "three") expect(call in after.node_results).toBe(reply.status === 200);
      }
      // What ended it knows what was in by then.
      if (winner === "complete") expect(countsOf(of("complete").body)).toEqual(countsOf(after));
      else expect(of("cancel").body.completed_count).toBe(after.completed_nodes);
      expect(of(winner === "cancel" ? "complete" : "cancel").status).toBe(409);
      for (const call of [() => next().progress(id, { attempt: 1 }), () => next().put(id, "two", { attempt: 1 })]) {
        expect((await call()).body).toMatchObject({ code: "session_over", ...ending });
      }
      expect(await next().read(id)).toEqual(after);
    });
    console.log(`races: ${won.cancel} cancelled, ${won.complete} completed`);
    expect(Math.min(won.cancel, won.complete)).toBeGreaterThan(0);
    const [wrong] = await db.sql`
      SELECT count(*)::int AS n FROM batch_sessions s
      WHERE (SELECT count(*) FROM batch_events e WHERE e.run = s.run AND e.event = 'complete') <> (s.completed_at IS NOT NULL)::int
         OR (SELECT count(*) FROM batch_events e WHERE e.run = s.run) <> s.last_event`;
    expect(wrong?.n).toBe(0);
  });
});

describe("of 20 endings at once", () => {
  it("one wins, and the other 19 are told which", async () => {
    const admin = { Authorization: `Bearer ${ADMIN_TOKEN}` };
    await play({ count: 25, atOnce: 2 }, async () => {
      const id = await running();
      await next().put(id, "one");
      const endings = [
        () => next().cancel(id),
        () => next().complete(id),
        () => next().move(id, "completed"),
        () => next().move(id, "failed"),
        () => next().move(id, "partial_failure"),
        () => next().move(id, "cancelled"),
        () => next().send("POST", `/parallel/cancel/${id}`),
        () => next().send("DELETE", `/parallel/cancel/${id}`),
        () => next().cancel(id),
        () => next().complete(id, { attempt: 1 }),
      ];
      const replies = await Promise.all(shuffle([...endings, ...endings]).map((end) => end()));
      expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
      const { status, ended_reason } = await next().read(id);
      for (const { body } of replies.filter((reply) => reply.status !== 200)) {
        expect(["session_over", "invalid_transition"]).toContain(body.code);
        expect(body.details ?? body).toMatchObject({ status, ended_reason });
      }
      const told = (await eventsOf(id)).filter(({ event }) => event === "complete");
      expect(told.map(({ data }) => data.status)).toEqual([status]);
      const forced = await next().send("POST", `/../admin/batch/${id}/end`, {}, admin);
      expect(forced.status).toBe(409);
    });
  });
});

describe("resumes at once", () => {
  it("two, or ten, make one run, which carries every success once", async () => {
    await play({ count: 60, atOnce: 4 }, async (nth) => {
      const id = await running();
      await next().put(id, "one", { result: nth });
      await next().put(id, "two", "failed");
      await next().cancel(id);
      const replies = await times(nth % 2 ? 2 : 10, () => next().resume(id));
      const made = new Set(replies.map(({ body }) => body.session_id));
      expect(made.size).toBe(1);
      expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
      expect(replies.every(({ body }) => body.completed_nodes === 1)).toBe(true);
      const [row] = await db.sql`SELECT count(*)::int AS n FROM batch_sessions WHERE resumed_from = ${id}`;
      expect(row?.n).toBe(1);
      expect((await next().read(id)).resumed_as).toBe([...made][0]);
    });
  });
});

describe("creates at once with one Idempotency-Key", () => {
  const made = async (path: string) =>
    (await db.sql`SELECT count(*)::int AS n FROM batch_sessions WHERE canvas_path = ${path}`)[0]?.n;

  it("50 of one request make one run, and all get the same answer", async () => {
    for (let nth = 0; nth < 10; nth++) {
      const [key, path] = [randomUUID(), `create ${nth}.canvas`];
      const replies = await times(50, () =>
        next().create({ canvas_path: path, metadata: { nth } }, { "Idempotency-Key": key }),
      );
      expect(new Set(replies.map(({ status, body }) => JSON.stringify([status, body]))).size).toBe(1);
      expect(replies[0]?.status).toBe(201);
      expect(await made(path)).toBe(1);
      // Whatever became of it since.
      const id = replies[0]?.body.session_id;
      await next().claim(id);
      await next().cancel(id);
      const again = await next().create({ canvas_path: path, metadata: { nth } }, { "Idempotency-Key": key });
      expect([again.status, again.body]).toEqual([201, replies[0]?.body]);
    }
  });

  it("50 of execute make one run too, and of two requests one wins", async () => {
    for (let nth = 0; nth < 5; nth++) {
      const key = { "Idempotency-Key": randomUUID() };
      const run = (path: string) => ({
        canvas_path: path,
        groups: [{ group_id: 1, agent_type: "writer", node_ids: ["a", "b"] }],
      });
      const [path, other] = [`execute ${nth}.canvas`, `other ${nth}.canvas`];
      const replies = await times(50, (at) => next().execute(run(at % 2 ? path : other), key));
      const won = new Set(replies.filter(({ status }) => status === 202).map(({ body }) => body.task_id));
      expect(won.size).toBe(1);
      expect(replies.filter((reply) => outcome(reply) === "409 idempotency_conflict")).toHaveLength(25);
      expect((await made(path)) + (await made(other))).toBe(1);
    }
  });

  it("of a key that is a day old, or whose run was erased, make one new run", async () => {
    for (const gone of ["old", "erased"]) {
      const [key, path] = [randomUUID(), `${gone}.canvas`];
      const before = (await here.create({ canvas_path: path }, { "Idempotency-Key": key })).body.session_id;
      if (gone === "erased") await db.sql`DELETE FROM batch_sessions WHERE session_id = ${before}`;
      else {
        await db.sql`UPDATE batch_idempotency_keys SET created_at = created_at - interval '24 hours' WHERE key = ${key}`;
      }
      const replies = await times(50, () => next().create({ canvas_path: path }, { "Idempotency-Key": key }));
      const ids = new Set(replies.map(({ body }) => body.session_id));
      expect([ids.size, ids.has(before)]).toEqual([1, false]);
      expect(await made(path)).toBe(gone === "old" ? 2 : 1);
    }
  });
});

describe("an Idempotency-Key that is a day old", () => {
  it("makes one run of two requests that wait for the same row of it", async () => {
    const [key, path] = [randomUUID(), "waited.canvas"];
    await here.create({ canvas_path: path }, { "Idempotency-Key": key });
    await db.sql`UPDATE batch_idempotency_keys SET created_at = created_at - interval '24 hours' WHERE key = ${key}`;
    let replies: Array<Promise<Reply>> = [];
    await db.sql.begin(async (sql) => {
      await sql`SELECT FROM batch_idempotency_keys WHERE key = ${key} FOR UPDATE`;
      replies = [here, there].map((api) => api.create({ canvas_path: path }, { "Idempotency-Key": key }));
      await vi.waitUntil(async () => (await waiting()) === 2, { timeout: 10_000 });
    });
    const [one, other] = await Promise.all(replies);
    expect(one?.body).toEqual(other?.body);
    const [row] = await db.sql`SELECT count(*)::int AS n FROM batch_sessions WHERE canvas_path = ${path}`;
    expect(row?.n).toBe(2);
  });
});

describe("20 claims at once", () => {
  it("give the run to one of 20 workers", async () => {
    await play({ count: 20, atOnce: 2 }, async () => {
      const id = await next().make();
      const replies = await times(20, (nth) => next().claim(id, { worker: `worker ${nth}` }));
      const [won, ...others] = replies.filter(({ status }) => status === 200);
      expect(others).toEqual([]);
      expect(won?.body.attempt).toBe(1);
      for (const { status, body } of replies.filter((reply) => reply !== won)) {
        expect([status, body.code, body.holder]).toMatchObject([
          409,
          "claimed",
          { worker: won?.body.worker, attempt: 1 },
        ]);
      }
    });
  });

  it("that replace each other have an attempt each, and only the last one's results count", async () => {
    await play({ count: 20, atOnce: 2 }, async () => {
      const id = await next().make({ node_count: 20 });
      const replies = await times(20, (nth) => next().claim(id, { worker: `worker ${nth}`, on_conflict: "replace" }));
      const attempts = replies.map(({ body }) => body.attempt).sort((a, b) => a - b);
      expect(attempts).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
      const puts = await Promise.all(attempts.map((attempt) => next().put(id, `by ${attempt}`, { attempt })));
      expect(puts.map(outcome)).toEqual(attempts.map((at) => (at === 20 ? "200" : "409 attempt_replaced")));
      const told = (await eventsOf(id)).filter(({ event }) => event === "attempt").map(({ data }) => data.attempt);
      expect(told).toEqual(attempts);
      expect(Object.keys((await next().read(id)).node_results)).toEqual(["by 20"]);
    });
  });
});

describe("whoever waits for a run", () => {
  const waits = () => vi.waitUntil(async () => (await waiting()) > 0, { timeout: 20_000, interval: 5 });

  it.each(["complete", "cancel", "claim", "progress", "resume"] as const)(
    "counts in its answer what came in meanwhile: %s",
    async (call) => {
      const id = await running();
      if (call === "resume") await next().cancel(id);
      const [{ run } = {}] = await db.sql`SELECT run FROM batch_sessions WHERE session_id = ${id}`;
      const letGo = await db.hold(`SELECT FROM batch_sessions WHERE run = ${run} FOR NO KEY UPDATE`); // lets the row of a node refer to it
      const answer = call === "claim" ? here.claim(id, { worker: "ann" }) : here[call](id);
      await waits();
      await db.sql`INSERT INTO batch_nodes (run, node_id, status) VALUES (${run}, 'meanwhile', 'success')`;
      await letGo();
      const { status, body } = await answer;
      expect(status).toBe(call === "resume" ? 201 : 200);
      if (call === "cancel") expect(body.completed_count).toBe(1);
      else if (call === "progress") expect(body.progress_percent).toBe(33.33);
      else expect(countsOf(body)).toMatchObject({ completed_nodes: 1, progress_percent: 33.33 });
    },
  );
});

describe("readers beside a worker", () => {
  it("see each run at one moment: as many results as are counted, and all of them once it is completed", async () => {
    let reads = 0;
    await play({ count: Math.ceil(RACES / 4), atOnce: 3 }, async () => {
      const id = (
        await next().execute({
          canvas_path: "x.canvas",
          groups: [{ group_id: 1, agent_type: "writer", node_ids: ["a", "b", "c"] }],
        })
      ).body.task_id;
      await here.claim(id);
      let over = false;
      const read = async () => {
        while (!over) {
          const session = await there.read(id);
          expect(Object.keys(session.node_results)).toHaveLength(session.completed_nodes);
          if (session.status === "completed") expect(session.completed_nodes).toBe(3);
          const { body } = await there.status(id);
          expect(body.groups[0].completed_nodes).toBe(body.completed_nodes);
          if (body.status === "completed") expect(body.groups[0].status).toBe("completed");
          reads++;
        }
      };
      const readers = [read(), read()];
      for (const node of ["a", "b", "c"]) await here.put(id, node);
      await here.complete(id);
      over = true;
      await Promise.all(readers);
    });
    console.log(`readers: ${reads} looks`);
  });
});
