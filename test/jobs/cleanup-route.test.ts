/** POST /api/admin/cleanup-sessions: the cleanup at an operator's word. */
import { beforeEach, describe, expect, it } from "vitest";
import { ADMIN_TOKEN, type Reply, readReply, useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { newSessionId } from "../support/secrets.ts";

const PATH = "/api/admin/cleanup-sessions";

const db = useDatabase();
const app = useApp(db);
const closed = useApp(db, { adminToken: undefined });

/** As a script sends it that knows of no body: `curl -X POST`. */
async function postBare(headers: Record<string, string>, to = app): Promise<Reply> {
  return readReply(await to.fetch(new Request(`http://localhost${PATH}`, { method: "POST", headers })));
}

async function addSilentSessions(count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const { key, id } = await db.makeKey();
    await app.post("/api/session/start", { access_key: key, session_id: newSessionId() });
    await db.age(id, 61);
  }
}

const countActive = async () => (await db.sql`SELECT FROM active_sessions`).length;

beforeEach(async () => {
  await db.sql`TRUNCATE active_sessions`;
  await addSilentSessions(2);
});

describe(`POST ${PATH}`, () => {
  it.each([
    ["a bearer token", { Authorization: `Bearer ${ADMIN_TOKEN}` }],
    ["a bearer token, the scheme in small letters", { Authorization: `bearer ${ADMIN_TOKEN}` }],
    ["X-Admin-Password, as older scripts send it", { "X-Admin-Password": ADMIN_TOKEN }],
  ])("runs with %s, with and without a body, and says how many it ended", async (_how, headers) => {
    const first = await postBare(headers);
    expect([first.status, first.body]).toEqual([200, { success: true, deleted: 2 }]);
    await addSilentSessions(1);
    expect((await app.post(PATH, { anything: true }, headers)).body).toEqual({ success: true, deleted: 1 });
    expect((await app.post(PATH, "no JSON at all", headers)).body).toEqual({ success: true, deleted: 0 });
  });

  it.each([
    ["nothing", {}],
    ["a wrong bearer token", { Authorization: "Bearer wrong" }],
    ["a wrong password", { "X-Admin-Password": "wrong" }],
    ["an empty password", { "X-Admin-Password": "" }],
    ["half of the token", { Authorization: `Bearer ${ADMIN_TOKEN.slice(0, 10)}` }],
    ["more than the token", { "X-Admin-Password": `${ADMIN_TOKEN}x` }],
    ["the token under another scheme", { Authorization: `Basic ${ADMIN_TOKEN}` }],
    ["a wrong bearer token beside the right password", { Authorization: "Bearer no", "X-Admin-Password": ADMIN_TOKEN }],
  ] as Array<[string, Record<string, string>]>)("answers %s with 401 and cleans nothing", async (_what, headers) => {
    const reply = await postBare(headers);
    expect([reply.status, reply.body.code]).toEqual([401, "unauthorized"]);
    expect(reply.headers.get("www-authenticate")).toMatch(/^Bearer/);
    expect(JSON.stringify(reply.body)).not.toContain(ADMIN_TOKEN);
    expect(await countActive()).toBe(2);
  });

  it("does not exist where no token is configured, whatever is sent", async () => {
    const all = [{}, { Authorization: `Bearer ${ADMIN_TOKEN}` }, { Authorization: "Bearer undefined" }];
    for (const headers of [...all, { "X-Admin-Password": "" }] as Array<Record<string, string>>) {
      const reply = await postBare(headers, closed);
      expect([reply.status, reply.body.code]).toEqual([404, "not_found"]);
    }
    expect(await countActive()).toBe(2);
  });

  it("is a POST: with the token, GET is 405 and cleans nothing", async () => {
    const reply = await app.get(PATH, { Authorization: `Bearer ${ADMIN_TOKEN}` });
    expect([reply.status, reply.headers.get("allow")]).toEqual([405, "POST"]);
    expect(await countActive()).toBe(2);
  });

  it("leaves the live ones alone, and says 0 where there is nothing to do", async () => {
    await postBare({ Authorization: `Bearer ${ADMIN_TOKEN}` });
    const { key } = await db.makeKey();
    const session_id = newSessionId();
    await app.post("/api/session/start", { access_key: key, session_id });
    const reply = await postBare({ Authorization: `Bearer ${ADMIN_TOKEN}` });
    expect(reply.body).toEqual({ success: true, deleted: 0 });
    expect((await app.post("/api/session/heartbeat", { session_id })).status).toBe(200);
  });
});
