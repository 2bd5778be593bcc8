/** Event streams with replay, through two processes: cut, behind, without LISTEN, and beyond what is kept. */
import { get, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { useDatabase } from "../../support/database.ts";
import { play, useTwoServers } from "../../support/two-servers.ts";
import { batchApi } from "./support/batch.ts";
import { type Following, follow, type Told } from "./support/follow.ts";

vi.setConfig({ testTimeout: 600_000 });

const db = useDatabase();
const { servers, here, there, next } = useTwoServers(db, batchApi);

const server = (nth: number) => servers[nth % 2] as (typeof servers)[number];
const kept = (told: Told[]) => told.filter(({ id }) => id !== undefined);
const idsOf = (told: Told[]) => kept(told).map(({ id }) => id as number);
/** Only says when to give up, on the slowest machine. */
const until = (is: () => boolean) => vi.waitUntil(is, { timeout: 120_000, interval: 2 });
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, at) => at + first);

describe("a follower", () => {
  it("that is cut off 100 times, under load, hears all that happens, once and in order", async () => {
    const NODES = 3000;
    const id = await next().make({ node_count: NODES });
    await next().claim(id);
    const told: Told[] = [];
    let cuts = 0;
    let working = true;
    const work = play({ count: NODES, atOnce: 6 }, async (nth) => {
      // The cuts are to fall within the work, however fast the machine is.
      while (nth / NODES > (cuts + 1) / 100) await sleep(5);
      await next().put(id, `node ${nth}`, nth % 7 ? "success" : "failed");
    }).then(async () => {
      working = false;
      expect((await next().complete(id)).status).toBe(200);
    });
    for (; cuts < 100; cuts++) {
      const last = told.at(-1)?.id ?? 0;
      const following = await follow(server(cuts + (cuts >> 3)), id, last);
      expect(following.status).toBe(200);
      // Fewer than the work may go ahead of the cuts.
      const enough = 1 + Math.floor(Math.random() * 20);
      await until(() => kept(following.told).length >= enough || !working);
      following.stop();
      await following.ended;
      told.push(...kept(following.told));
    }
    const rest = await follow(server(0), id, told.at(-1)?.id ?? 0);
    await Promise.all([work, rest.ended]);
    told.push(...kept(rest.told));
    expect(idsOf(told)).toEqual(upTo(NODES + 2));
    expect(told.at(-1)?.data.data).toMatchObject({ status: "partial_failure", success_count: NODES - 429 });
    const sums = told.flatMap(({ event, data: { data } }) =>
      event === "node_complete" ? [data.completed_nodes + data.failed_nodes] : [],
    );
    expect(sums).toEqual(upTo(NODES));
    expect((await follow(server(1), id, NODES + 2)).status).toBe(204);
  });

  it("of either process hears all of it, though both lose their LISTEN connection again and again", async () => {
    const NODES = 300;
    const id = await next().make({ node_count: NODES });
    await next().claim(id);
    const following = await Promise.all([0, 1, 0, 1].map((nth) => follow(server(nth), id, 0)));
    let killed = 0;
    await play({ count: NODES, atOnce: 2 }, async (nth) => {
      if (nth % 60 === 30) {
        const [row] = await db.sql`
          SELECT count(pg_terminate_backend(pid))::int AS n FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'keybeat listen'`;
        killed += row?.n;
      }
      await next().put(id, `node ${nth}`);
    });
    await next().cancel(id);
    await Promise.all(following.map(({ ended }) => ended));
    for (const { told } of following) expect(idsOf(told)).toEqual(upTo(NODES + 2));
    expect(killed).toBeGreaterThanOrEqual(4);
  });

  it("that takes nothing costs none of 50 others anything, and gets all of it when it does", async () => {
    const NODES = 1500;
    const id = await here.make({ node_count: NODES });
    const slow = await openUnread(`${server(0).url}/api/v1/batch/sessions/${id}/events`);
    const fast = await Promise.all(Array.from({ length: 50 }, () => follow(server(0), id, 0)));
    const error = "an error that takes some room ".repeat(33);
    await play({ count: NODES, atOnce: 6 }, async (nth) => {
      await next().put(id, `node ${nth}`, { status: "failed", error });
    });
    await until(() => fast.every(({ told }) => kept(told).length === NODES));
    for (const { told } of fast) expect(idsOf(told)).toEqual(upTo(NODES));
    // Nothing is kept for the one: the bytes that the others had would not fit between it and the server.
    const text = slow.read();
    await there.cancel(id);
    await Promise.all(fast.map(({ ended }) => ended));
    for (const { told } of fast) expect(told.at(-1)).toMatchObject({ id: NODES + 1, event: "complete" });
    const ids = [...(await text).matchAll(/^id: (\d+)$/gm)].map(([, at]) => Number(at));
    expect(ids).toEqual(upTo(NODES + 1));
  });
});

describe("of a run's events", () => {
  /** So many events, as if they had happened. */
  /** As told of the first node of one. */
  const TOLD = {
    node_id: "one",
    status: "success",
    completed_nodes: 1,
    failed_nodes: 0,
    skipped_nodes: 0,
    total_nodes: 1,
    progress_percent: 100,
  };
  async function grow(id: string, last: number): Promise<void> {
    await db.sql`
      INSERT INTO batch_events (run, id, at, event, data)
      SELECT s.run, n, clock_timestamp(), 'node_complete', ${db.sql.json(TOLD)}
      FROM batch_sessions s, generate_series(s.last_event + 1, ${last}) n WHERE s.session_id = ${id}`;
    await db.sql`UPDATE batch_sessions SET last_event = ${last} WHERE session_id = ${id}`;
  }
  const oldest = async (id: string) => {
    const [row] = await db.sql`
      SELECT min(e.id) AS first, max(e.id) AS last, count(*)::int AS n FROM batch_events e JOIN batch_sessions s USING (run)
      WHERE s.session_id = ${id}`;
    return row;
  };

  it("the last 200,000 are kept, and whoever names an older one begins with how things stand", async () => {
    const id = await here.make({ node_count: 1 });
    await grow(id, 200_998);
    await here.put(id, "one");
    expect(await oldest(id)).toEqual({ first: 1, last: 200_999, n: 200_999 });
    await here.put(id, "one", "failed");
    expect(await oldest(id)).toEqual({ first: 1001, last: 201_000, n: 200_000 });

    const tooOld = await follow(server(1), id, 999);
    await until(() => tooOld.told.length > 0);
    expect(tooOld.told[0]).toMatchObject({
      id: 201_000,
      event: "reset",
      data: { data: { session_id: id, failed_nodes: 1, node_results: { one: { status: "failed" } } } },
    });
    const justRight = await follow(server(1), id, 1000);
    await until(() => justRight.told.length > 0);
    expect(justRight.told[0]).toMatchObject({ id: 1001, event: "node_complete" });
    justRight.stop();
    await here.cancel(id);
    await tooOld.ended;
    expect(idsOf(tooOld.told)).toEqual([201_000, 201_001]);
  });

  it("whoever was left behind for so long is sent away, without a gap, and comes back to how things stand", async () => {
    const id = await here.make({ node_count: 1 });
    await grow(id, 20);
    const following: Following = await follow(server(0), id, 10);
    await until(() => kept(following.told).length === 10);
    await db.sql.begin(async (sql) => {
      await sql`UPDATE batch_sessions SET last_event = 40 WHERE session_id = ${id}`;
      await sql`
        INSERT INTO batch_events (run, id, at, event, data)
        SELECT run, n, clock_timestamp(), 'node_complete', ${sql.json(TOLD)} FROM batch_sessions, generate_series(31, 40) n
        WHERE session_id = ${id}`;
      await sql`DELETE FROM batch_events e USING batch_sessions s WHERE e.run = s.run AND s.session_id = ${id} AND e.id <= 30`;
      await sql`SELECT pg_notify('keybeat_batch', ${id}::text)`;
    });
    await following.ended;
    expect(idsOf(following.told)).toEqual(upTo(20, 11));
    const again = await follow(server(0), id, 20);
    await until(() => again.told.length > 0);
    expect(again.told[0]).toMatchObject({ id: 40, event: "reset" });
    again.stop();
  });
});

/** A stream of which nothing is read until it is asked for. */
async function openUnread(url: string): Promise<{ read(): Promise<string> }> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { headers: { "Last-Event-ID": "0" } }, resolve).on("error", reject);
  });
  response.pause();
  return {
    async read() {
      let text = "";
      for await (const chunk of response.setEncoding("utf8")) text += chunk;
      return text;
    },
  };
}
