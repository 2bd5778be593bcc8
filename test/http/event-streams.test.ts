/** Every stream of events that is described, by the headers that bring it through proxies as it comes. */
import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import document from "../../src/http/openapi/openapi.json" with { type: "json" };
import { newUser } from "../sessions/waiting-room/support/room.ts";
import { ADMIN_TOKEN, useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { serviceToken } from "../support/player-token.ts";
import { newSessionId } from "../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);

/** How to be let in; a route that is not named here fails the test. */
const OPENERS: Record<string, () => Promise<{ path: string; token?: string }>> = {
  async "/api/session/watch"() {
    const { key } = await db.makeKey();
    const session_id = newSessionId();
    await app.post("/api/session/start", { access_key: key, session_id });
    return { path: "/api/session/watch", token: session_id };
  },
  async "/api/v1/session/events/{user_id}"() {
    const user_id = newUser();
    await app.post("/api/v1/session/create", { user_id, session_id: "a-page" });
    return { path: `/api/v1/session/events/${user_id}` };
  },
  async "/api/v1/batch/sessions/{session_id}/events"() {
    const { body } = await app.post("/api/v1/batch/sessions", { canvas_path: "a.canvas", node_count: 1 });
    return { path: `/api/v1/batch/sessions/${body.session_id}/events` };
  },
  async "/api/v1/game/combat/sessions/{session_id}/events"() {
    const token = serviceToken();
    const { body } = await app.post(
      "/api/v1/game/combat/sessions",
      { mode: "pve", participants: [randomUUID()] },
      { Authorization: `Bearer ${token}` },
    );
    return { path: `/api/v1/game/combat/sessions/${body.session_id}/events`, token };
  },
  async "/api/admin/events"() {
    return { path: "/api/admin/events", token: ADMIN_TOKEN };
  },
};

const streams = Object.entries(document.paths).flatMap(([path, item]) =>
  JSON.stringify((item as { get?: object }).get ?? {}).includes('"text/event-stream"') ? [path] : [],
);

describe("a stream of events", () => {
  it("is found in the description", () => {
    expect(streams.length).toBeGreaterThanOrEqual(3);
  });

  it.each(streams)("is not held back by proxies: %s", async (template) => {
    const { path, token } = (await OPENERS[template]?.()) ?? { path: "nobody has said how to open it" };
    const abort = new AbortController();
    const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
    const response = await fetch(app.url + path, { headers, signal: abort.signal });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    expect(response.headers.get("cache-control")).toBe("no-cache, no-transform");
    expect(response.headers.get("x-accel-buffering")).toBe("no");
    abort.abort();
  });
});
