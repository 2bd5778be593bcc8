import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useDatabase } from "../../support/database.ts";
import { type RunningServer, startServer } from "../../support/process.ts";
import { newSessionId } from "../../support/secrets.ts";
import { type Watch, watch } from "../../support/watch.ts";

const db = useDatabase();
let here: RunningServer;
let there: RunningServer;

beforeAll(async () => {
  const env = { DATABASE_URL: db.url, CLEANUP_CRON: "", ADMIN_TOKEN: "token-for-the-watch-tests" };
  [here, there] = await Promise.all([startServer(env), startServer(env)]);
});
afterAll(async () => {
  for (const server of [here, there]) expect(await server.stop()).toBe(0);
});

async function startAndWatch(device?: object) {
  const { key, id } = await db.makeKey();
  const session_id = newSessionId();
  const { body } = await there.post("/api/session/start", { access_key: key, session_id, device });
  return { key, id, session_id, generation: body.generation as number, stream: await watch(here.url, session_id) };
}

describe("GET /api/session/watch", () => {
  it("says that the session is live, as a heartbeat would, without being one", async () => {
    const { key, id } = await db.makeKey();
    const session_id = newSessionId();
    const { body } = await there.post("/api/session/start", { access_key: key, session_id });
    await db.age(id, 20);
    const stream = await watch(here.url, session_id);
    expect(stream.events).toHaveLength(1);
    expect(stream.events[0]).toMatchObject({ event: "live", data: { success: true, generation: body.generation } });
    expect(stream.events[0]?.data.expires_in).toBeLessThan(41);
    const [row] =
      await db.sql`SELECT clock_timestamp() - last_heartbeat > interval '20 s' AS old FROM active_sessions WHERE key_id = ${id}`;
    expect(row?.old).toBe(true);
    stream.stop();
  });

  it("ends with replaced and by whom, when another process let another device take over", async () => {
    const { key, stream } = await startAndWatch({ name: "A" });
    const b = await there.post("/api/session/start", { access_key: key, device: { name: "B" } });
    const last = await stream.done;
    expect(last).toMatchObject({
      event: "replaced",
      data: {
        code: "session_replaced",
        ended_at: b.body.started_at,
        replaced_by: { started_at: b.body.started_at, device: { name: "B" } },
      },
    });
    expect(stream.events.map((event) => event.event)).toEqual(["live", "replaced"]);
  });

  it("ends with ended, and with revoked when the operator revokes the key", async () => {
    const [one, two] = [await startAndWatch(), await startAndWatch()];
    await there.post("/api/session/end", { session_id: one.session_id });
    expect((await one.stream.done)?.event).toBe("ended");
    await db.sql`SELECT revoke_key(${two.id}, NULL)`;
    expect(await two.stream.done).toMatchObject({ event: "revoked", data: { code: "session_revoked" } });
  });

  it("ends with expired when the cleanup sees it, and when nobody cleans up, by itself", async () => {
    const [swept, left] = [await startAndWatch(), await startAndWatch()];
    await db.age(swept.id, 61);
    await there.post("/api/admin/cleanup-sessions", {}, { Authorization: "Bearer token-for-the-watch-tests" });
    expect((await swept.stream.done)?.event).toBe("expired");
    await db.age(left.id, 61);
    expect((await left.stream.done)?.event).toBe("expired");
  });

  it("answers a session that is not live with the heartbeat's 404 or 410 at once, and 401 without an id", async () => {
    const { key, stream, session_id } = await startAndWatch();
    await there.post("/api/session/start", { access_key: key });
    await stream.done;
    const replaced = await watch(here.url, session_id);
    expect([replaced.status, replaced.events[0]?.data.code]).toEqual([410, "session_replaced"]);
    for (const id of [newSessionId(), "short", "a,b,c,d,e,f,g,h,i,j,k"]) {
      const unknown = await watch(here.url, id);
      expect([unknown.status, unknown.events[0]?.data.code]).toEqual([404, "session_not_found"]);
    }
    const nobody = await here.get("/api/session/watch");
    expect([nobody.status, nobody.body.code]).toEqual([401, "unauthorized"]);
  });

  it("tells all who watch one session, and forgets those who go away", async () => {
    const { session_id, stream, key } = await startAndWatch();
    const gone = await watch(here.url, session_id);
    gone.stop();
    const others = await Promise.all([1, 2, 3].map(() => watch(there.url, session_id)));
    await there.post("/api/session/start", { access_key: key });
    for (const each of [stream, ...others]) expect((await each.done)?.event).toBe("replaced");
    expect(gone.events).toHaveLength(1);
  });

  it("ends streams without a last event on shutdown, so that clients go elsewhere", async () => {
    const third = await startServer({ DATABASE_URL: db.url, CLEANUP_CRON: "" });
    const { key } = await db.makeKey();
    const session_id = newSessionId();
    await here.post("/api/session/start", { access_key: key, session_id });
    const stream = await watch(third.url, session_id);
    expect(await third.stop()).toBe(0);
    expect((await stream.done)?.event).toBe("live");
    const elsewhere = await watch(here.url, session_id);
    expect(elsewhere.status).toBe(200);
    elsewhere.stop();
  });
});

describe("1,000 watching devices and 200 takeovers through the other process", () => {
  const percentile = (sorted: number[], share: number) => sorted[Math.ceil(sorted.length * share) - 1] as number;

  async function crowd(size: number) {
    const sessions: Array<{ key: string; stream: Watch }> = [];
    while (sessions.length < size) {
      const some = Array.from({ length: 50 }, async () => {
        const { key } = await db.makeKey();
        const session_id = newSessionId();
        await there.post("/api/session/start", { access_key: key, session_id });
        return { key, stream: await watch(here.url, session_id) };
      });
      sessions.push(...(await Promise.all(some)));
    }
    return sessions;
  }

  /** From the newcomer's answer to the event of the device before, in milliseconds. */
  async function takeOver(session: { key: string; stream: Watch }): Promise<number> {
    const reply = await there.post("/api/session/start", { access_key: session.key });
    const answeredAt = performance.now();
    expect(reply.body.previous_session_terminated).toBe(true);
    const last = await session.stream.done;
    expect(last?.event).toBe("replaced");
    return (last?.at ?? Number.NaN) - answeredAt;
  }

  it("are all told, none missed, also when the LISTEN connection is killed in the middle", async () => {
    const sessions = await crowd(1000);
    for (const [name, from, killAt] of [
      ["undisturbed", 0, -1],
      ["LISTEN connection killed in the middle", 200, 100],
    ] as const) {
      const told: Array<Promise<number>> = [];
      for (const [at, session] of sessions.slice(from, from + 200).entries()) {
        if (at === killAt) {
          const killed = await db.sql`
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'keybeat listen'`;
          expect(killed.length).toBe(2); // one of each process, for all kinds
        }
        told.push(takeOver(session));
        await sleep(5);
      }
      const sorted = (await Promise.all(told)).sort((a, b) => a - b);
      const [p50, p99, max] = [percentile(sorted, 0.5), percentile(sorted, 0.99), sorted.at(-1) as number];
      console.log(
        `${name}: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, max ${max.toFixed(1)} ms, missed 0 of 200`,
      );
    }
    for (const session of sessions.slice(400)) {
      expect(session.stream.events).toHaveLength(1);
      session.stream.stop();
    }
  });
});
