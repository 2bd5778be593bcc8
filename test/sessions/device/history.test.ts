import { describe, expect, it } from "vitest";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { newAccessKey, newSessionId } from "../../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);

const start = (access_key: string) =>
  app.post("/api/session/start", { access_key, session_id: newSessionId(), device: { name: "Jun's laptop" } });
const read = (access_key: string) => app.post("/api/session/history", { access_key });
const today = async () =>
  (await db.sql`SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day`)[0]?.day as string;

describe("POST /api/session/history", () => {
  it("tells how the last ten sessions of the key ended, the newest first", async () => {
    const { key, id } = await db.makeKey();
    for (let n = 0; n < 11; n++) await start(key);
    const { session_id } = (await start(key)).body;
    await app.post("/api/session/end", { session_id });
    await db.sql`UPDATE session_history SET ended_at = '2026-03-02T23:59:59.9Z' WHERE key_id = ${id} AND reason = 'replaced'`;
    const reply = await read(key);
    expect(reply.headers.get("cache-control")).toBe("no-store");
    expect(reply.body).toEqual({
      endings: [
        { day: await today(), reason: "ended" },
        ...Array.from({ length: 9 }, () => ({ day: "2026-03-02", reason: "replaced" })),
      ],
    });
  });

  it("tells of no other key, of no device, no session id and no time of day", async () => {
    const [{ key }, other] = await Promise.all([db.makeKey(), db.makeKey()]);
    for (let n = 0; n < 2; n++) await start(key);
    for (let n = 0; n < 3; n++) await start(other.key);
    const { body } = await read(key);
    expect(body.endings.map((ending: object) => Object.keys(ending))).toEqual([["day", "reason"]]);
  });

  it("tells of a session that fell silent before any cleanup, and has no ending of one that is live", async () => {
    const { key, id } = await db.makeKey();
    await start(key);
    expect((await read(key)).body).toEqual({ endings: [] });
    await db.age(id, 61);
    expect((await read(key)).body.endings).toEqual([{ day: await today(), reason: "expired" }]);
  });

  it("is readable by the owner of an expired or revoked key, and refused for an unknown one", async () => {
    const { key, id } = await db.makeKey();
    await start(key);
    await db.sql`SELECT revoke_key(${id}, 'Please call us')`;
    expect((await read(key)).body).toEqual({ endings: [{ day: await today(), reason: "revoked" }] });
    expect(await read(newAccessKey())).toMatchObject({ status: 403, body: { code: "invalid_key" } });
  });
});
