import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { newSessionId } from "../../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);

const beat = (session_id: string) => app.post("/api/session/heartbeat", { session_id });

async function startNew(device?: object) {
  const { key, id } = await db.makeKey();
  const session_id = newSessionId();
  const { body } = await app.post("/api/session/start", { access_key: key, session_id, device });
  return { key, id, session_id, generation: body.generation as number };
}

describe("POST /api/session/heartbeat", () => {
  it("keeps a session live and says until when", async () => {
    const { id, session_id, generation } = await startNew();
    await db.age(id, 40);
    const { status, body } = await beat(session_id);
    expect(status).toBe(200);
    expect(body).toMatchObject({ success: true, generation, expires_in: 60 });
    expect(Date.parse(body.expires_at) - Date.parse(body.server_time)).toBe(60_000);
    expect(body.heartbeat_in).toBeGreaterThanOrEqual(25);
    expect(body.heartbeat_in).toBeLessThanOrEqual(30);
    const [row] = await db.sql`SELECT last_heartbeat FROM active_sessions WHERE key_id = ${id}`;
    expect(row?.last_heartbeat.toISOString()).toBe(body.server_time);
  });

  it("is accepted after 59 seconds of silence and refused after 60 and 61, for good", async () => {
    for (const [seconds, live] of [
      [59, true],
      [60, false],
      [61, false],
    ] as const) {
      const { id, session_id } = await startNew();
      await db.age(id, seconds);
      const { status, body } = await beat(session_id);
      expect([seconds, status]).toEqual([seconds, live ? 200 : 410]);
      if (live) continue;
      expect(body.code).toBe("session_expired");
      expect((await beat(session_id)).body).toMatchObject({ code: "session_expired", ended_at: body.ended_at });
    }
  });

  it("dates an expiry at the last heartbeat plus the timeout, whoever saw it first", async () => {
    const [seen, swept] = [await startNew(), await startNew()];
    const [row] = await db.sql`
      UPDATE active_sessions SET last_heartbeat = clock_timestamp() - interval '75 seconds'
      WHERE key_id IN (${seen.id}, ${swept.id}) RETURNING last_heartbeat`;
    const before = (await beat(seen.session_id)).body;
    await db.sql`SELECT expire_sessions('(0,0)', '(4294967295,0)', 1000)`;
    const after = (await beat(swept.session_id)).body;
    expect(Date.parse(before.ended_at)).toBe(row?.last_heartbeat.getTime() + 60_000);
    expect(after).toMatchObject({ code: before.code, error: before.error });
    expect(Math.abs(Date.parse(after.ended_at) - Date.parse(before.ended_at))).toBeLessThan(100);
  });

  it("makes an expiry final by telling it: it is in the history from then on", async () => {
    const { id, session_id } = await startNew();
    await db.age(id, 61);
    await beat(session_id);
    await db.sql`UPDATE active_sessions SET last_heartbeat = clock_timestamp() WHERE key_id = ${id}`;
    expect((await beat(session_id)).body.code).toBe("session_expired");
    const rows = await db.sql`SELECT reason FROM session_history WHERE key_id = ${id}`;
    expect(rows.map((row) => row.reason)).toEqual(["expired"]);
  });

  it("tells the replaced device when, and by which device", async () => {
    const { key, session_id } = await startNew({ name: "A" });
    const b = await app.post("/api/session/start", { access_key: key, device: { name: "B", platform: "mac" } });
    const { status, body } = await beat(session_id);
    expect([status, body.code]).toEqual([410, "session_replaced"]);
    expect(body.ended_at).toBe(b.body.started_at);
    expect(body.replaced_by).toEqual({ started_at: b.body.started_at, device: { name: "B", platform: "mac" } });
  });

  it("tells ended and revoked apart", async () => {
    const [a, b] = [await startNew(), await startNew()];
    await app.post("/api/session/end", { session_id: a.session_id });
    await db.sql`SELECT revoke_key(${b.id}, NULL)`;
    expect((await beat(a.session_id)).body.code).toBe("session_ended");
    expect((await beat(b.session_id)).body.code).toBe("session_revoked");
  });

  it("answers 404 to an id that was never seen, and creates nothing", async () => {
    const session_id = newSessionId();
    const { status, body } = await beat(session_id);
    expect([status, body.code, body.error]).toEqual([404, "session_not_found", "Session not found or expired"]);
    const [row] = await db.sql`SELECT count(*)::int AS n FROM active_sessions WHERE session_id = ${session_id}`;
    expect(row?.n).toBe(0);
  });

  it("does not revive a session whose deadline passed while the heartbeat waited for a row lock", async () => {
    const { id, session_id } = await startNew();
    await db.age(id, 59);
    const release = await db.holdRow("active_sessions", id);
    const waiting = beat(session_id);
    await sleep(1500);
    await release();
    expect((await waiting).body.code).toBe("session_expired");
    expect((await app.post("/api/session/status", { access_key: "x" })).body.active).toBe(false);
  });

  it("gives up with 503 in time when the row stays locked, and has changed nothing", async () => {
    const { id, session_id } = await startNew();
    const release = await db.holdRow("active_sessions", id);
    const { status, body, headers } = await beat(session_id);
    await release();
    expect([status, body.code]).toEqual([503, "unavailable"]);
    expect(headers.get("retry-after")).toMatch(/^[1-3]$/);
    expect((await beat(session_id)).status).toBe(200);
  });

  it("answers each of many callers in one batch from its own row", async () => {
    const sessions: Array<Awaited<ReturnType<typeof startNew>>> = [];
    for (let n = 0; n < 30; n++) sessions.push(await startNew());
    for (const [at, session] of sessions.entries()) {
      if (at % 3 === 1) await app.post("/api/session/end", { session_id: session.session_id });
      if (at % 3 === 2) await db.age(session.id, 61);
    }
    const unknown = newSessionId();
    const ids = [...sessions.map((session) => session.session_id), unknown, sessions[0]?.session_id as string];
    const replies = await Promise.all(ids.map(beat));
    for (const [at, session] of sessions.entries()) {
      const { status, body } = replies[at] as { status: number; body: { code: string; generation: number } };
      if (at % 3 === 0) expect([status, body.generation]).toEqual([200, session.generation]);
      else expect([status, body.code]).toEqual([410, at % 3 === 1 ? "session_ended" : "session_expired"]);
    }
    expect(replies[30]?.status).toBe(404);
    expect(replies[31]?.body.generation).toBe(sessions[0]?.generation);
  });

  it("updates heap-only, so that a heartbeat writes no index", async () => {
    const { session_id } = await startNew();
    const share = await db.sql.begin(async (tx) => {
      const count = async () => {
        const [row] = await tx`
          SELECT pg_stat_get_xact_tuples_updated('active_sessions'::regclass)::int AS all,
                 pg_stat_get_xact_tuples_hot_updated('active_sessions'::regclass)::int AS hot`;
        return row as unknown as { all: number; hot: number };
      };
      const before = await count();
      for (let n = 0; n < 10; n++) await tx`SELECT beat_sessions(${session_id})`;
      const after = await count();
      return { all: after.all - before.all, hot: after.hot - before.hot };
    });
    expect(share).toEqual({ all: 10, hot: 10 });
  });

  it("commits without waiting for the log's flush, while a start waits for it", async () => {
    const [heartbeat] = await db.sql`SELECT prosrc FROM pg_proc WHERE proname = 'beat_sessions'`;
    expect(heartbeat?.prosrc).toContain("set_config('synchronous_commit', 'off', true)");
    const setting = async (call: string) => {
      const [row] = await db.sql.begin(async (tx) => {
        await tx.unsafe(call);
        return tx`SELECT current_setting('synchronous_commit') AS now`;
      });
      return row?.now;
    };
    expect(await setting("SELECT beat_sessions('none')")).toBe("off");
    expect(await setting("SELECT end_session('none')")).toBe("on");
    expect(await setting("SELECT start_session('', '', 'none', NULL, false, NULL, 0)")).toBe("on");
  });
});
