/**
 * G6: our own outage expires nobody. First the rule itself, with time moved by dates; then the real thing: the database
 * away, and all server processes away, with beating sessions and with such as had fallen silent before.
 *
 * At full size: OUTAGE_SECONDS=90 TIMEOUT_SECONDS=60 BEATING=2000 SILENT=200.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { useApp } from "../../support/app.ts";
import { cloneDatabase, useDatabase } from "../../support/database.ts";
import { startServer } from "../../support/process.ts";
import { startProxy } from "../../support/proxy.ts";
import { newSessionId } from "../../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);

/** The service ticked last so many seconds ago; and its last gap was from … to … seconds ago. */
async function setClock(seconds: { lastTick: number | null; gap?: [number, number] }): Promise<void> {
  const [began, ended] = seconds.gap ?? [null, null];
  await db.sql`
    UPDATE service_state SET last_tick = clock_timestamp() - make_interval(secs => ${seconds.lastTick}),
      gap_began = clock_timestamp() - make_interval(secs => ${began}),
      gap_ended = clock_timestamp() - make_interval(secs => ${ended})`;
}

async function silentFor(seconds: number) {
  const { key, id } = await db.makeKey();
  const session_id = newSessionId();
  await db.sql`UPDATE service_state SET last_tick = NULL, gap_began = NULL, gap_ended = NULL`;
  expect((await app.post("/api/session/start", { access_key: key, session_id })).status).toBe(200);
  await db.age(id, seconds);
  return { key, id, session_id };
}

const isLive = async (session: { key: string; session_id: string }) =>
  (await app.post("/api/session/status", { access_key: session.key })).body.active as boolean;
const beat = async (session: { session_id: string }) =>
  (await app.post("/api/session/heartbeat", { session_id: session.session_id })).status;

describe("the rule of session_cutoff", () => {
  it("counts from the last tick while nobody has ticked for over 3 seconds", async () => {
    for (const [silent, sinceTick, live] of [
      [100, 45, true], // silent for 55 s when the gap began
      [106, 45, false], // for 61 s: dead before
      [61, 2, false], // no gap
      [3600, 3590, true], // an hour's sleep
    ] as const) {
      const session = await silentFor(silent);
      await setClock({ lastTick: sinceTick });
      expect([silent, sinceTick, await isLive(session)]).toEqual([silent, sinceTick, live]);
      expect(await beat(session)).toBe(live ? 200 : 410);
    }
  });

  it("gives everybody who was live when the gap began a full timeout from its end, and not a second more", async () => {
    for (const [silent, gap, live] of [
      [150, [100, 10], true], // silent for 50 s before; the gap ended 10 s ago
      [161, [100, 10], false], // for 61 s before
      [150, [100, 59], true],
      [150, [100, 61], false], // the full timeout is over
      [70, [100, 61], false], // started to be silent within the gap
      [59, [100, 61], true],
    ] as const) {
      const session = await silentFor(silent);
      await setClock({ lastTick: 0, gap: [...gap] });
      expect([silent, gap, await isLive(session)]).toEqual([silent, gap, live]);
      expect(await beat(session)).toBe(live ? 200 : 410);
    }
  });

  it("dates an expiry after a gap at the gap's end plus the timeout", async () => {
    const session = await silentFor(150);
    await setClock({ lastTick: 0, gap: [100, 61] });
    const [row] = await db.sql`SELECT gap_ended FROM service_state`;
    const { body } = await app.post("/api/session/heartbeat", { session_id: session.session_id });
    expect(Date.parse(body.ended_at) - row?.gap_ended.getTime()).toBe(60_000);
  });

  it("notices a gap by a tick, continues it by a second one, and lets a late process extend nothing", async () => {
    const session = await silentFor(100);
    await setClock({ lastTick: 45 });
    await db.sql`SELECT serve_tick(NULL)`;
    const [first] = await db.sql`SELECT * FROM service_state`;
    expect(first?.gap_ended - first?.gap_began).toBeGreaterThan(44_000);
    for (let late = 0; late < 5; late++) await db.sql`SELECT serve_tick(NULL)`; // five processes start now
    const [same] = await db.sql`SELECT * FROM service_state`;
    expect([same?.gap_began, same?.gap_ended]).toEqual([first?.gap_began, first?.gap_ended]);
    // The service goes again for 30 s, before the first timeout is over.
    await db.sql`
      UPDATE service_state SET last_tick = last_tick - interval '30 s', gap_began = gap_began - interval '60 s',
        gap_ended = gap_ended - interval '60 s' + interval '25 s'`;
    await db.age(session.id, 60);
    await db.sql`SELECT serve_tick(NULL)`;
    const [second] = await db.sql`SELECT *, last_tick - gap_ended AS since FROM service_state`;
    expect(second?.gap_began).toEqual(new Date(first?.gap_began.getTime() - 60_000));
    expect(await isLive(session)).toBe(true);
  });

  it("makes no gap of a first start, of a restart within 3 seconds, and of one locked row", async () => {
    await setClock({ lastTick: null });
    await db.sql`SELECT serve_tick(NULL)`;
    await setClock({ lastTick: 2.5 });
    await db.sql`SELECT serve_tick(NULL)`;
    const [row] =
      await db.sql`SELECT gap_began, last_tick > clock_timestamp() - interval '1 s' AS fresh FROM service_state`;
    expect(row).toEqual({ gap_began: null, fresh: true });
  });

  it("keeps an expiry that was told final, though the outage began just before", async () => {
    const session = await silentFor(61);
    await setClock({ lastTick: 2 });
    expect(await beat(session)).toBe(410);
    await setClock({ lastTick: 5 }); // the tick was the last one: by it alone the session would still be live
    expect(await beat(session)).toBe(410);
    expect(await isLive(session)).toBe(false);
  });

  it("keeps what a status said final too, though the outage began just before", async () => {
    const session = await silentFor(61);
    await setClock({ lastTick: 2 });
    expect(await isLive(session)).toBe(false);
    await setClock({ lastTick: 5 });
    expect(await isLive(session)).toBe(false);
    expect(await beat(session)).toBe(410);
  });

  it("is obeyed by the cleanup", async () => {
    const [waiting, dead] = [await silentFor(100), await silentFor(200)];
    await setClock({ lastTick: 45 });
    await db.sql`SELECT expire_sessions('(0,0)', '(4294967295,0)', 1000)`;
    expect([await isLive(waiting), await isLive(dead)]).toEqual([true, false]);
    const left = await db.sql`SELECT key_id FROM active_sessions WHERE key_id IN (${waiting.id}, ${dead.id})`;
    expect(left.map((row) => row.key_id)).toEqual([waiting.id]);
  });
});

const OUTAGE_SECONDS = Number(process.env.OUTAGE_SECONDS ?? 12);
const TIMEOUT_SECONDS = Number(process.env.TIMEOUT_SECONDS ?? 8);
const BEATING = Number(process.env.BEATING ?? 400);
const SILENT = Number(process.env.SILENT ?? 40);

describe.each(["the database", "all server processes"])("after an outage of %s", (what) => {
  it(`keeps all ${BEATING} beating sessions and none of the ${SILENT} that were silent before`, {
    timeout: 600_000,
  }, async () => {
    const own = await cloneDatabase();
    const proxy = await startProxy(own.url);
    const env = {
      DATABASE_URL: proxy.url,
      SESSION_TIMEOUT_SECONDS: String(TIMEOUT_SECONDS),
      CLEANUP_CRON: "* * * * * *",
    };
    let servers = await Promise.all([startServer(env), startServer(env)]);
    const beatMs = (TIMEOUT_SECONDS / 2) * 1000;
    const stopped = new AbortController();
    const counts = { perSecond: new Map<number, number>(), falseExpiries: 0, lastOkAt: new Map<string, number>() };
    const startedAt = performance.now();

    /** A device: beats every half timeout, after a failure again within 1 to 3 seconds. */
    const live = async (session_id: string) => {
      await sleep(Math.random() * beatMs);
      while (!stopped.signal.aborted) {
        const second = Math.floor((performance.now() - startedAt) / 1000);
        counts.perSecond.set(second, (counts.perSecond.get(second) ?? 0) + 1);
        const server = servers[Math.floor(Math.random() * 2)];
        const status = await server
          ?.post("/api/session/heartbeat", { session_id })
          .then((reply) => reply.status)
          .catch(() => 0);
        if (status === 410 || status === 404) {
          counts.falseExpiries++;
          return;
        }
        if (status === 200) counts.lastOkAt.set(session_id, performance.now());
        await sleep(status === 200 ? beatMs * (0.83 + Math.random() / 6) : 1000 + Math.random() * 2000);
      }
    };

    try {
      const ids = Array.from({ length: BEATING + SILENT }, newSessionId);
      for (const [at, session_id] of ids.entries()) {
        await own.sql`INSERT INTO keys (key_hash, key_prefix) VALUES (${own.hashKey(`key ${at}`)}, 'k')`;
        const silentSeconds = at < BEATING ? 0 : TIMEOUT_SECONDS * 3;
        await own.sql`
          INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat)
          SELECT id, 'k…', ${session_id}, 1, now(), clock_timestamp() - make_interval(secs => ${silentSeconds})
          FROM keys WHERE key_hash = ${own.hashKey(`key ${at}`)}`;
        if (at === BEATING - 1) await own.sql`UPDATE active_sessions SET last_heartbeat = clock_timestamp()`;
      }
      const devices = ids.slice(0, BEATING).map(live);
      await sleep(TIMEOUT_SECONDS * 1000);

      if (what === "the database") await proxy.set("refuse");
      else await Promise.all(servers.map((server) => server.stop("SIGKILL")));
      await sleep(OUTAGE_SECONDS * 1000);
      if (what === "the database") await proxy.set("pass");
      else servers = await Promise.all([startServer(env), startServer(env)]);
      const backSecond = Math.floor((performance.now() - startedAt) / 1000);
      await sleep((TIMEOUT_SECONDS + 3) * 1000);
      // While they beat: the machine may take longer for their end than the timeout is long.
      const [rows] = await own.sql`
        SELECT (SELECT count(*)::int FROM active_sessions WHERE last_heartbeat > session_cutoff(clock_timestamp())) AS live,
               (SELECT count(*)::int FROM session_history WHERE reason = 'expired') AS expired`;
      stopped.abort();
      await Promise.all(devices);
      const peak = Math.max(...Array.from({ length: 10 }, (_, s) => counts.perSecond.get(backSecond + s) ?? 0));
      const steady = Math.round(BEATING / ((beatMs / 1000) * 0.915));
      console.log(
        `${what} away for ${OUTAGE_SECONDS} s, timeout ${TIMEOUT_SECONDS} s: ${counts.falseExpiries} false expiries, ` +
          `${rows?.expired} right ones, peak ${peak} requests/s in the first 10 s after, steady ${steady}`,
      );
      expect(counts.falseExpiries).toBe(0);
      expect(rows).toEqual({ live: BEATING, expired: SILENT });
    } finally {
      stopped.abort();
      await Promise.all(servers.map((server) => server.stop().catch(() => null)));
      await proxy.close();
      await own.drop();
    }
  });
});
