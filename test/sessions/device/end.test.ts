import { describe, expect, it } from "vitest";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { newSessionId } from "../../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);

const start = (access_key: string, session_id: string) => app.post("/api/session/start", { access_key, session_id });
const end = async (session_id: string) => {
  const { status, body } = await app.post("/api/session/end", { session_id });
  expect(status).toBe(200);
  return body;
};

describe("POST /api/session/end", () => {
  it("ends a live session once, and frees the key at once", async () => {
    const { key } = await db.makeKey();
    const session_id = newSessionId();
    await start(key, session_id);
    expect(await end(session_id)).toEqual({ success: true });
    expect(await end(session_id)).toEqual({ success: false });
    expect((await app.post("/api/session/status", { access_key: key })).body).toEqual({ active: false });
  });

  it("never ends the successor: a late end from device A does not end device B's session", async () => {
    const { key } = await db.makeKey();
    const [a, b] = [newSessionId(), newSessionId()];
    await start(key, a);
    await start(key, b);
    expect(await end(a)).toEqual({ success: false });
    expect((await app.post("/api/session/heartbeat", { session_id: b })).status).toBe(200);
    expect((await app.post("/api/session/heartbeat", { session_id: a })).body.code).toBe("session_replaced");
  });

  it("does not turn an expired session into an ended one", async () => {
    const { key, id } = await db.makeKey();
    const session_id = newSessionId();
    await start(key, session_id);
    await db.age(id, 61);
    expect(await end(session_id)).toEqual({ success: false });
    expect((await app.post("/api/session/heartbeat", { session_id })).body.code).toBe("session_expired");
  });

  it("does nothing for an id that was never seen", async () => {
    expect(await end(newSessionId())).toEqual({ success: false });
  });

  it("writes one row of history, with what the session was", async () => {
    const { key, id } = await db.makeKey();
    const session_id = newSessionId();
    const { body } = await app.post("/api/session/start", { access_key: key, session_id, device: { name: "PC" } });
    await end(session_id);
    await end(session_id);
    const rows = await db.sql`SELECT * FROM session_history WHERE key_id = ${id}`;
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      session_id,
      reason: "ended",
      access_key: `${key.slice(0, 8)}…`,
      device: { name: "PC" },
      generation: body.generation,
      replaced_by_generation: null,
    });
  });
});
