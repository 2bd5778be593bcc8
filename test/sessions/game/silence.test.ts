/**
 * The two limits of a session, silence and a match's whole time, with the cleanup off; and our own outages, which count as nobody's
 * silence (G6). Time moves by dating rows back.
 */
import { afterEach, describe, expect, it } from "vitest";
import { cleanUpGames } from "../../../src/sessions/game/cleanup.ts";
import { configureGames } from "../../../src/sessions/game/upkeep-sql.ts";
import { useApp } from "../../support/app.ts";
import { resetClock, setTicks } from "../../support/clock.ts";
import { useDatabase } from "../../support/database.ts";
import { age as ageOf, gameApi, makeMatch, newPlayer, outcome } from "./support/game.ts";

const db = useDatabase();
const app = useApp(db);
const api = gameApi(app);
const age = (id: string, seconds: number) => ageOf(db, id, seconds);

const DAY = 86_400;
const HOUR = 3600;
const player = newPlayer();

afterEach(async () => {
  await resetClock(db);
  await configureGames(db.database, DAY);
  await db.sql`DELETE FROM game_sessions`;
});

const tidy = () => cleanUpGames(db.database, { retentionDays: 30, untilMs: Number.POSITIVE_INFINITY });
const paused = async (make: () => Promise<string> = () => api.make(player)) => {
  const id = await make();
  await api.update(id, player, { status: "paused" });
  return id;
};
const rowOf = async (id: string) => {
  const [row] = await db.sql`
    SELECT s.*, extract(epoch FROM ended_at - last_call)::float8 AS lived FROM game_sessions s WHERE session_id = ${id}`;
  return row;
};
const LOST = { status: "terminated", ended_reason: "silence" };

describe("silence", () => {
  it("ends a session after 24 hours and not before, whatever the moment is asked of", async () => {
    const id = await api.make(player);
    const at = (seconds: number) => db.sql`
      SELECT o.reason, extract(epoch FROM o.since - s.last_call)::float8 AS after
      FROM game_sessions s, game_overdue(s, s.last_call + make_interval(secs => ${seconds})) o WHERE s.session_id = ${id}`;
    expect([...(await at(DAY - 1)), ...(await at(DAY - 0.000001)), ...(await at(DAY)), ...(await at(DAY + 1))]).toEqual(
      [
        { reason: null, after: null },
        { reason: null, after: null },
        { reason: "silence", after: DAY },
        { reason: "silence", after: DAY },
      ],
    );
  });

  const CALLS: Record<string, [call: (id: string) => Promise<unknown>, seen: unknown]> = {
    "a reader": [async (id) => (await api.read(id, player)).body.status, "terminated"],
    "a reader of its log": [
      async (id) => (await api.logs(id, player)).body.logs.map((one: { event_type: string }) => one.event_type),
      ["created", "terminated"],
    ],
    "a reader of all": [
      async (id) => (await api.details(id, player, "include_logs=true&include_stats=true")).body.stats.duration_seconds,
      DAY,
    ],
    "a list": [async () => (await api.list(player)).body.sessions[0].status, "terminated"],
    "a list of what is active": [async () => (await api.list("service", "status=active")).body.total_count, 0],
    "a change": [async (id) => outcome(await api.update(id, player, { metadata: {} })), "409 session_over"],
    "an end": [async (id) => outcome(await api.update(id, player, { status: "completed" })), "409 session_over"],
    "a termination": [async (id) => (await api.terminate(id, player)).body.ended_reason, "silence"],
    "the cleanup": [() => tidy(), { ended: 1, forgotten: 0 }],
  };
  it.each(Object.entries(CALLS))("is found by whoever comes first, here %s, and dated when it was", async (_, call) => {
    const [look, seen] = call;
    const id = await api.make(player);
    await age(id, DAY + 10);
    expect(await look(id)).toEqual(seen);
    expect(await rowOf(id)).toMatchObject({ ...LOST, lived: DAY, version: 2, last_entry: 2 });
  });

  it("is broken by any call for the session, a look at it too, and by no list and no operator's look", async () => {
    const id = await api.make(player);
    const calls = [
      () => api.read(id, player),
      () => api.read(id, "service"),
      () => api.details(id, player, "include_stats=true"),
      () => api.logs(id, player),
      () => api.update(id, player, {}),
      () => api.update(id, player, { metadata: {} }),
      () => api.update(id, player, { status: "paused" }),
      () => api.update(id, player, { status: "active" }),
    ];
    for (const call of calls) {
      await age(id, DAY - 100);
      expect((await call()).status).toBe(200);
    }
    await age(id, DAY - 100);
    await api.list(player);
    await db.sql`SELECT look_at_game(${id})`;
    await age(id, 110);
    expect((await api.read(id, player)).body).toMatchObject(LOST);
  });

  it("ends what is paused too, a match as well, and says how long the limit is", async () => {
    const ids = [await paused(), await paused(() => makeMatch(api, player))];
    for (const id of ids) {
      await age(id, DAY - 10);
      expect((await api.read(id, player)).body.status).toBe("paused");
      await age(id, DAY + 1);
      const { body } = await api.details(id, player, "include_logs=true");
      expect(body).toMatchObject(LOST);
      expect(body.logs.at(-1).message).toBe("no call for 24 hours");
    }
    await configureGames(db.database, 90);
    const short = await api.make(player);
    await age(short, 91);
    const { logs } = (await api.details(short, player, "include_logs=true")).body;
    expect(logs.at(-1).message).toBe("no call for 90 seconds");
  });
});

describe("our own outage", () => {
  it.each([
    [DAY + 1000 + 9 * HOUR, 9 * HOUR, "terminated"], // silent for too long when it began
    [DAY - 1000 + 9 * HOUR, 9 * HOUR, "active"],
    [DAY + 10, 2, "terminated"], // no outage
    [40 * DAY, 40 * DAY - 60, "active"],
  ])("that still goes on: silent for %i s, the last tick %i s ago, is %s", async (silent, lastTick, status) => {
    const id = await api.make(player);
    await age(id, silent);
    await setTicks(db, { lastTick });
    await tidy();
    const { sessions } = (await api.list(player, `status=${status}`)).body;
    expect(sessions).toHaveLength(1);
    expect((await api.read(id, player)).body.status).toBe(status);
    expect(outcome(await api.update(id, player, {}))).toBe(status === "active" ? "200" : "409 session_over");
  });

  it.each([
    [DAY - 100 + 9000, [9000, 10], "active"], // it ended just now
    [DAY - 100 + 2 * DAY, [2 * DAY, DAY - 10], "active"], // the day since is not over
    [DAY - 100 + 2 * DAY, [2 * DAY, DAY + 10], "terminated"],
    [DAY + 10 + 9000, [9000, 10], "terminated"], // silent too long before
  ] as Array<[number, [number, number], string]>)(
    "that is over: silent for %i s, away from %j s ago, is %s",
    async (silent, gap, status) => {
      const [one, standing] = [await api.make(player), await paused()];
      await age(one, silent);
      await age(standing, silent);
      await setTicks(db, { lastTick: 0, gap });
      await tidy();
      await setTicks(db, { lastTick: 0, gap });
      expect((await api.read(one, player)).body.status).toBe(status);
      expect((await api.read(standing, player)).body.status).toBe(status === "active" ? "paused" : status);
    },
  );

  it("gives a match no credit for its whole time", async () => {
    const id = await makeMatch(api, player);
    await age(id, 100);
    await setTicks(db, { lastTick: 90 });
    expect((await api.read(id, player)).body).toMatchObject({ status: "completed", ended_reason: "max_duration" });
  });
});

describe("a match's whole time", () => {
  it.each([
    [50, "active", undefined],
    [60, "completed", "max_duration"],
    [61, "completed", "max_duration"],
    [40 * DAY, "completed", "max_duration"], // silent too, but that came later
  ])("after %i s of 60 it is %s", async (seconds, status, ended_reason) => {
    const id = await makeMatch(api, player);
    await age(id, seconds);
    const { body } = await api.details(id, player, "include_stats=true&include_logs=true");
    expect(body).toMatchObject({ status, ...(ended_reason && { ended_reason }) });
    if (status === "active") return;
    expect(Date.parse(body.ended_at) - Date.parse(body.created_at)).toBe(60_000);
    expect(body.stats.duration_seconds).toBe(60);
    expect(body.logs.at(-1).message).toBe("played for 1 minute");
  });

  it("does not run while it is paused, and ends it so much later", async () => {
    const id = await makeMatch(api, player);
    await age(id, 30);
    await api.update(id, player, { status: "paused" });
    await age(id, 1000);
    expect((await api.read(id, player)).body.status).toBe("paused");
    await api.update(id, player, { status: "active" });
    await age(id, 15);
    expect((await api.read(id, player)).body.status).toBe("active");
    await age(id, 20);
    const { body } = await api.details(id, player, "include_stats=true");
    expect(body).toMatchObject({ status: "completed", ended_reason: "max_duration" });
    expect(body.stats.duration_seconds).toBe(60);
    expect(Date.parse(body.ended_at) - Date.parse(body.created_at)).toBeGreaterThan(1_060_000 - 1);
  });
});
