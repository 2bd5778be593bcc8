/** PUT and DELETE of a session: who may, what changes, and what an outdated version does. */
import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { gameApi, makeMatch, newPlayer, outcome, tally } from "./support/game.ts";

const db = useDatabase();
const app = useApp(db);
const api = gameApi(app);

const statuses = ["active", "paused", "completed", "terminated"] as const;
type Status = (typeof statuses)[number];

/** One that is so. */
async function sessionThatIs(status: Status, player: string): Promise<string> {
  const id = await api.make(player);
  if (status !== "active") expect(outcome(await api.update(id, player, { status }))).toBe("200");
  return id;
}
const rowOf = async (id: string) => (await db.sql`SELECT * FROM game_sessions WHERE session_id = ${id}`)[0];
const entriesOf = async (id: string) => [
  ...(await db.sql`
    SELECT e.id, e.event, e.data FROM game_log_entries e JOIN game_sessions s ON s.number = e.session
    WHERE s.session_id = ${id} ORDER BY e.id`),
];

describe("a change of a session", () => {
  it.each(statuses.flatMap((from) => statuses.map((to): [Status, Status] => [from, to])))(
    "from %s to %s is made, is none, or is refused as over",
    async (from, to) => {
      const player = newPlayer();
      const id = await sessionThatIs(from, player);
      const before = await rowOf(id);
      const reply = await api.update(id, player, { status: to });
      if (from === "completed" || from === "terminated") {
        expect(outcome(reply)).toBe("409 session_over");
        expect(reply.body.details).toMatchObject({
          status: from,
          ended_reason: "requested",
          ended_at: expect.any(String),
        });
        expect(await rowOf(id)).toEqual(before);
        return;
      }
      expect(reply.status).toBe(200);
      expect(reply.body).toMatchObject({ status: to, version: before?.version + (from === to ? 0 : 1) });
      expect(reply.headers.get("etag")).toBe(`"${reply.body.version}"`);
      expect((await api.read(id, player)).body).toEqual(reply.body);
      expect(await entriesOf(id)).toHaveLength(reply.body.version);
      const ended = to === "completed" || to === "terminated";
      expect(reply.body.ended_reason).toBe(ended ? "requested" : undefined);
    },
  );

  it("replaces each field that is given and leaves the others, as one change with one entry", async () => {
    const player = newPlayer();
    const id = await api.make(player, { metadata: { a: 1, b: null }, settings: { hud: true } });
    const one = (await api.update(id, player, { metadata: { c: [null, 2] } })).body;
    expect(one).toMatchObject({ version: 2, metadata: { c: [null, 2] }, settings: { hud: true }, status: "active" });
    expect(one.metadata).toEqual({ c: [null, 2] });
    const two = (await api.update(id, player, { status: "paused", metadata: {}, settings: { hud: null } })).body;
    expect(two).toMatchObject({ version: 3, status: "paused", metadata: {}, settings: { hud: null } });
    expect(Date.parse(two.updated_at)).toBeGreaterThanOrEqual(Date.parse(one.updated_at));
    const over = (await api.update(id, player, { status: "completed", settings: {} })).body;
    expect(over).toMatchObject({ version: 4, status: "completed", settings: {}, updated_at: over.ended_at });
    expect(await entriesOf(id)).toEqual([
      { id: 1, event: "created", data: null },
      { id: 2, event: "updated", data: { replaced: ["metadata"] } },
      { id: 3, event: "paused", data: { replaced: ["metadata", "settings"] } },
      { id: 4, event: "completed", data: { replaced: ["settings"], ended_reason: "requested" } },
    ]);
  });

  it("that gives nothing, or nulls, changes nothing, and is a call for it", async () => {
    const player = newPlayer();
    const id = await api.make(player, { metadata: { a: 1 } });
    await db.sql`UPDATE game_sessions SET last_call = last_call - interval '1 hour' WHERE session_id = ${id}`;
    const before = await rowOf(id);
    for (const body of [{}, { metadata: null, settings: null, status: null, version: null }, { status: "active" }]) {
      const reply = await api.update(id, player, body);
      expect([reply.status, reply.body.version, reply.headers.get("etag")]).toEqual([200, 1, '"1"']);
    }
    const after = await rowOf(id);
    expect(after?.last_call.getTime()).toBeGreaterThan(before?.last_call.getTime());
    expect({ ...after, last_call: 0 }).toEqual({ ...before, last_call: 0 });
    expect(await entriesOf(id)).toHaveLength(1);
  });

  it("is refused to an outdated version, by the body with 409, by If-Match with 412, and says the present one", async () => {
    const player = newPlayer();
    const id = await api.make(player);
    await api.update(id, player, { metadata: { a: 1 } });
    const before = await rowOf(id);
    const change = { metadata: { a: 2 } };
    const put = (body: object, ifMatch?: string) =>
      api.send("PUT", `/sessions/${id}`, player, body, ifMatch === undefined ? {} : { "If-Match": ifMatch });
    for (const [body, ifMatch, expected] of [
      [{ ...change, version: 1 }, undefined, "409 version_conflict"],
      [{ ...change, version: 3 }, undefined, "409 version_conflict"],
      [{ version: 1 }, undefined, "409 version_conflict"],
      [change, '"1"', "412 precondition_failed"],
      [change, '"another"', "412 precondition_failed"],
      [change, '"99999999999", "9999999999"', "412 precondition_failed"],
      [{ ...change, version: 1 }, '"1"', "412 precondition_failed"],
      [{ ...change, version: 1 }, '"2"', "409 version_conflict"],
      [change, "2", "400 invalid_request"],
      [change, '"2', "400 invalid_request"],
      [{ ...change, version: 0 }, undefined, "400 invalid_request"],
      [{ ...change, version: "2" }, undefined, "400 invalid_request"],
    ] as const) {
      const reply = await put(body, ifMatch);
      expect([body, ifMatch, outcome(reply)]).toEqual([body, ifMatch, expected]);
      if (reply.status === 409 || reply.status === 412) expect(reply.body.details.version).toBe(2);
    }
    expect(await rowOf(id)).toEqual(before);
    const taken = [
      await put({ ...change, version: 2 }),
      await put(change, '"3"'),
      await put(change, '"9", W/"4"'),
      await put(change, "*"),
      await put({ ...change, version: 6 }, '"6"'),
      await put(change),
    ];
    expect(taken.map(({ status, body }) => [status, body.version])).toEqual([3, 4, 5, 6, 7, 8].map((n) => [200, n]));
  });

  it("of fifty at once with one version is made once; without one all are, in one order", async () => {
    const player = newPlayer();
    const id = await api.make(player);
    const race = (body: (n: number) => object, headers = {}) =>
      Promise.all(Array.from({ length: 50 }, (_, n) => api.send("PUT", `/sessions/${id}`, player, body(n), headers)));
    expect(tally(await race((n) => ({ metadata: { n }, version: 1 })))).toEqual({
      "200": 1,
      "409 version_conflict": 49,
    });
    expect(tally(await race((n) => ({ metadata: { n } }), { "If-Match": '"2"' }))).toEqual({
      "200": 1,
      "412 precondition_failed": 49,
    });
    const all = await race((n) => ({ metadata: { n } }));
    expect(all.map(({ body }) => body.version).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, n) => n + 4),
    );
    const last = all.find(({ body }) => body.version === 53);
    expect((await api.read(id, player)).body).toEqual(last?.body);
    expect((await entriesOf(id)).map((entry) => entry.id)).toEqual(Array.from({ length: 53 }, (_, n) => n + 1));
    expect(tally(await race(() => ({ status: "completed", version: 53 })))).toEqual({
      "200": 1,
      "409 session_over": 49,
    });
  });

  it("is for who made it and for a service; another participant is told so, a stranger that there is none", async () => {
    const [player, guest, stranger] = [newPlayer(), newPlayer(), newPlayer()];
    const id = await makeMatch(api, player, [guest]);
    const before = await rowOf(id);
    for (const [as, expected] of [
      [guest, "403 forbidden"],
      [stranger, "404 session_not_found"],
    ] as const) {
      expect(outcome(await api.update(id, as, { metadata: { a: 1 } }))).toBe(expected);
      expect(outcome(await api.terminate(id, as))).toBe(expected);
    }
    expect(await rowOf(id)).toEqual(before);
    expect(outcome(await api.update(id, "service", { metadata: { a: 1 } }))).toBe("200");
    expect(outcome(await api.update(randomUUID(), player, {}))).toBe("404 session_not_found");
    expect(outcome(await api.terminate(randomUUID(), "service"))).toBe("404 session_not_found");
    expect(outcome(await api.terminate("no-id", "service"))).toBe("404 session_not_found");
    expect(outcome(await api.terminate(id, "service"))).toBe("200");
  });

  it("of more than 16 KiB of metadata or settings is refused, and 16 KiB are kept", async () => {
    const player = newPlayer();
    const id = await api.make(player);
    const filled = (bytes: number) => ({ text: "x".repeat(bytes - JSON.stringify({ text: "" }).length) });
    const largest = { metadata: filled(16_384), settings: filled(16_384) };
    expect((await api.update(id, player, largest)).body).toMatchObject(largest);
    expect(outcome(await api.update(id, player, { metadata: filled(16_385) }))).toBe("400 invalid_request");
    expect(outcome(await api.update(id, player, { settings: { a: "\0" } }))).toBe("400 invalid_request");
    expect((await api.read(id, player)).body).toMatchObject({ version: 2, ...largest });
  });
});

describe("the time paused", () => {
  it("is no part of the duration, whether it is over or not", async () => {
    const player = newPlayer();
    const id = await api.make(player);
    const pass = (seconds: number) => db.sql`
      UPDATE game_sessions SET created_at = created_at - make_interval(secs => ${seconds}),
        paused_at = paused_at - make_interval(secs => ${seconds}) WHERE session_id = ${id}`;
    const lasted = async () => (await api.details(id, player, "include_stats=true")).body.stats.duration_seconds;
    await pass(1_000);
    await api.update(id, player, { status: "paused" });
    await pass(100_000);
    const played = await lasted();
    expect(played).toBeGreaterThanOrEqual(1_000);
    expect(await lasted()).toBe(played);
    await api.update(id, player, { status: "active" });
    await pass(500);
    await api.update(id, player, { status: "paused" });
    await pass(100_000);
    await api.update(id, player, { status: "completed" });
    expect(await lasted()).toBeGreaterThanOrEqual(1_500);
    expect(await lasted()).toBeLessThan(100_000);
    expect((await rowOf(id))?.paused_ms).toBeGreaterThanOrEqual(200_000_000);
  });

  it("moves a match's end, and both moves are events of it", async () => {
    const player = newPlayer();
    const id = await makeMatch(api, player);
    const deadline = async () =>
      (await db.sql`SELECT game_deadline(s) AS at FROM game_sessions s WHERE session_id = ${id}`)[0]?.at;
    const before = await deadline();
    await api.update(id, player, { status: "paused" });
    expect(await deadline()).toBe(null);
    await db.sql`UPDATE game_sessions SET paused_at = paused_at - interval '1 day' WHERE session_id = ${id}`;
    expect((await api.update(id, player, { status: "active" })).body.status).toBe("active");
    const moved = (await deadline()).getTime() - before.getTime();
    expect(moved).toBeGreaterThanOrEqual(86_400_000);
    await api.update(id, player, { status: "completed" });
    const events = await db.sql`
      SELECT e.sequence, e.event FROM game_events e JOIN game_sessions s ON s.number = e.session
      WHERE s.session_id = ${id} ORDER BY e.sequence`;
    expect([...events].map(({ sequence, event }) => [sequence, event])).toEqual([
      [1, "paused"],
      [2, "resumed"],
      [3, "ended"],
    ]);
  });
});

describe("a termination", () => {
  it("answers with the session, keeps the reason in its log, and again leaves it as it is", async () => {
    const player = newPlayer();
    const id = await api.make(player);
    const { status, body } = await api.terminate(id, player, { reason: "left", force: true });
    expect([status, body]).toMatchObject([200, { status: "terminated", ended_reason: "requested", version: 2 }]);
    expect((await entriesOf(id)).at(-1)).toEqual({
      id: 2,
      event: "terminated",
      data: { reason: "left", ended_reason: "requested" },
    });
    const before = await rowOf(id);
    for (const again of [{ reason: "again" }, undefined]) {
      const reply = await api.terminate(id, player, again);
      expect([reply.status, reply.body, reply.headers.get("etag")]).toEqual([200, body, '"2"']);
    }
    expect(await rowOf(id)).toEqual(before);
    const completed = await sessionThatIs("completed", player);
    expect((await api.terminate(completed, player)).body.status).toBe("completed");
  });

  it("takes a paused one, without a body, with a long reason cut, and not one that has changed since", async () => {
    const player = newPlayer();
    const id = await sessionThatIs("paused", player);
    const stale = await api.send("DELETE", `/sessions/${id}`, player, undefined, { "If-Match": '"1"' });
    expect(outcome(stale)).toBe("412 precondition_failed");
    expect((await api.read(id, player)).body.status).toBe("paused");
    expect(outcome(await api.terminate(id, player))).toBe("200");
    const long = await api.make(player);
    await api.terminate(long, player, { reason: "é".repeat(1_001) });
    expect((await entriesOf(long)).at(-1)?.data.reason).toBe("é".repeat(1_000));
    expect(outcome(await api.terminate(long, player, { reason: 1 }))).toBe("400 invalid_request");
  });
});
