/** The client against the real service on a real PostgreSQL, in this process. */
import { describe, expect, it } from "vitest";
import { type StartOptions, startSession } from "../../src/client/index.ts";
import { ADMIN_TOKEN, useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { nextEvent } from "./support/next-event.ts";
import { memoryStorage } from "./support/virtual-app.ts";

const db = useDatabase();
const app = useApp(db);

/** Notes when the stream is open, so that a test does not race with it. */
function connection() {
  let opened = () => {};
  const streaming = new Promise<void>((resolve) => {
    opened = resolve;
  });
  const fetch: StartOptions["fetch"] = async (url, init) => {
    const response = await app.fetch(new Request(url, init));
    if (url.endsWith("/watch")) opened();
    return response;
  };
  return { fetch, streaming };
}

async function start(accessKey: string, more: Partial<StartOptions> = {}) {
  const { fetch, streaming } = connection();
  const session = await startSession({ url: "http://keybeat.test", accessKey, fetch, ...more } as StartOptions);
  return { session, streaming };
}

describe("the client and the real service", () => {
  it("the replaced device learns it from the stream, the new one gives the key back", async () => {
    const { key } = await db.makeKey();
    const a = await start(key, { device: { name: "A" } });
    await a.streaming;
    const lost = nextEvent(a.session, "lost");
    const b = await start(key, { device: { name: "B" } });
    expect(await lost).toMatchObject({ reason: "replaced", by: { device: { name: "B" } } });
    expect(b.session.generation).toBeGreaterThan(a.session.generation);
    await b.session.end();
    expect((await app.post("/api/session/status", { access_key: key })).body).toEqual({ active: false });
  });

  it("a person who is asked sees the holder, and replaces that one only", async () => {
    const { key } = await db.makeKey();
    await start(key, { device: { name: "A" } });
    const shown: (string | undefined)[] = [];
    const c = await start(key, {
      onConflict: "ask",
      ask: async (holder) => {
        shown.push(holder.device?.name);
        if (shown.length === 1) await app.post("/api/session/start", { access_key: key, device: { name: "B" } });
        return true;
      },
    });
    expect(shown).toEqual(["A", "B"]);
    await c.session.end();
  });

  it("an app that starts again resumes its session, and starts anew after it ended", async () => {
    const { key } = await db.makeKey();
    const storage = { ...memoryStorage(), remove: () => {} };
    const first = await start(key, { storage });
    const again = await start(key, { storage, onConflict: "refuse" });
    expect(again.session.sessionId).toBe(first.session.sessionId);
    expect(again.session.generation).toBe(first.session.generation);
    await Promise.all([first.session.end(), again.session.end()]);
    const anew = await start(key, { storage, onConflict: "refuse" });
    expect(anew.session.generation).toBeGreaterThan(first.session.generation);
    await anew.session.end();
  });

  it("a session that the service let expire comes back by itself, with a higher generation", async () => {
    const { key, id } = await db.makeKey();
    const { session, streaming } = await start(key);
    await streaming;
    const { generation } = session;
    const live = nextEvent(session, "live");
    await db.age(id, 61);
    await app.post("/api/admin/cleanup-sessions", {}, { Authorization: `Bearer ${ADMIN_TOKEN}` });
    expect(await live).toMatchObject({ recovered: true, resumed: false });
    expect(session.generation).toBeGreaterThan(generation);
    await session.end();
  });

  it("a key that nobody knows, and a request that is malformed, are refused for good", async () => {
    await expect(start("no-such-key")).rejects.toMatchObject({ code: "invalid_key", message: "Invalid access key" });
    await expect(start("no such\0key")).rejects.toMatchObject({
      code: "invalid_request",
      data: { issues: [expect.any(Object)] },
    });
  });
});
