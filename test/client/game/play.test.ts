/** A player of keybeat/game against the real program, over networks that lose things. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CombatState, type GameOptions, openGames } from "../../../src/client/game/index.ts";
import { useDatabase } from "../../support/database.ts";
import { freePort } from "../../support/free-port.ts";
import { JWT_SECRET, playerToken, serviceToken } from "../../support/player-token.ts";
import { type RunningServer, startServer } from "../../support/process.ts";
import { createRandom, cutStreams, loseAnswers, shortTimers } from "../support/networks.ts";

const db = useDatabase();
let server: RunningServer;
let port: number;
const start = () =>
  startServer({ DATABASE_URL: db.url, HOST: "127.0.0.1", PORT: String(port), CLEANUP_CRON: "", JWT_SECRET });
beforeAll(async () => {
  port = await freePort();
  server = await start();
});
afterAll(async () => void (await server.stop()));

/** So long that the timers leave it as it is. */
const REQUEST_TIMEOUT_MS = 60_000;

const code = (wanted: string, data: object = {}) =>
  expect.objectContaining({ name: "KeybeatError", code: wanted, data: expect.objectContaining(data) });
const games = (token: GameOptions["token"], options: Partial<GameOptions> = {}) =>
  openGames({ url: server.url, token, timers: shortTimers, requestTimeoutMs: REQUEST_TIMEOUT_MS, ...options });
const service = () => games(serviceToken());
const newPlayers = (count: number) => Array.from({ length: count }, () => randomUUID());

async function newMatch(participants: string[], rules: Record<string, unknown> = {}): Promise<string> {
  return (await service().createMatch({ mode: "arena", participants, settings: { rules } })).session_id;
}

const sequences = (id: string) => db.sql`
  SELECT e.sequence::int AS sequence, e.event FROM game_events e JOIN game_sessions s ON s.number = e.session
  WHERE s.session_id = ${id} ORDER BY e.sequence`;

/** But for the time, which goes on. */
const standing = ({ time_remaining, ...state }: CombatState) => state;

describe("a player of keybeat/game", () => {
  it("makes one match and has every action once, though answers are lost after their calls were carried out", async () => {
    const [a, b] = newPlayers(2) as [string, string];
    const seen = new Set<string>();
    let calls = 0;
    // The first answer of each kind, and one of four of all.
    const network = loseAnswers((kind) => (seen.has(kind) ? calls++ % 4 === 0 : Boolean(seen.add(kind))));
    const player = games(playerToken(a), { fetch: network.fetch });
    const match = await player.createMatch({ mode: "pvp", participants: [a, b] });
    for (let n = 1; n <= 9; n++) {
      const { sequence, damage_dealt, new_state } = await player.act(match.session_id, {
        action_type: "attack",
        player_id: a,
        target_id: b,
      });
      expect([sequence, damage_dealt, new_state.participants[1]?.health]).toEqual([n, 10, 100 - 10 * n]);
    }
    expect(network.lost).toEqual(expect.arrayContaining(["POST sessions", "POST actions"]));
    expect(network.lost.length).toBeGreaterThan(3);
    expect(await sequences(match.session_id)).toHaveLength(9);
    expect(await db.sql`SELECT FROM game_sessions WHERE player_id = ${a}`).toHaveLength(1);
  });

  it("has its change taken for its own when its answer was lost, and another's for another's", async () => {
    const [a] = newPlayers(1) as [string];
    const network = loseAnswers((kind) => kind.startsWith("PUT"));
    /** The first answer to a PUT is lost, after which `meanwhile` happens. */
    const loseFirst = (meanwhile: () => Promise<unknown>) => {
      let puts = 0;
      return games(playerToken(a), {
        async fetch(url, init) {
          if (init.method !== "PUT" || puts++ > 0) return fetch(url, init);
          return network.fetch(url, init).finally(meanwhile);
        },
      });
    };
    const nothing = async () => {};
    const make = async () => (await service().createSession({ type: "custom", player_id: a })).session_id;
    const metadata = { level: 3, at: { y: [1, { b: null, a: "x" }], x: 2 }, gone: undefined };

    const id = await make();
    expect(await loseFirst(nothing).updateSession(id, { status: "paused", metadata, version: 1 })).toMatchObject({
      status: "paused",
      version: 2,
      metadata: { level: 3, at: { x: 2, y: [1, { a: "x", b: null }] } },
    });
    expect(await loseFirst(nothing).updateSession(id, { settings: {}, version: 2 })).toMatchObject({ version: 3 });
    expect(await loseFirst(nothing).updateSession(id, { status: "completed" })).toMatchObject({
      status: "completed",
      version: 4,
      ended_reason: "requested",
    });

    // What the session is now is no more what was sent, or was so before.
    const conflict = { metadata: { n: 1 }, version: 1 };
    const [changed, taken, ended] = [await make(), await make(), await make()];
    const again = loseFirst(() => service().updateSession(changed, { settings: { n: 2 } }));
    await expect(again.updateSession(changed, conflict)).rejects.toEqual(code("version_conflict", { version: 3 }));
    await service().updateSession(taken, { metadata: { n: 2 } });
    await expect(loseFirst(nothing).updateSession(taken, conflict)).rejects.toEqual(code("version_conflict"));
    const late = loseFirst(() => service().endSession(ended));
    await expect(late.updateSession(ended, { status: "completed" })).resolves.toMatchObject({ status: "completed" });
    await expect(loseFirst(nothing).updateSession(ended, { status: "paused" })).rejects.toEqual(code("session_over"));
    await expect(loseFirst(nothing).updateSession(ended, { metadata: { n: 1 } })).rejects.toEqual(code("session_over"));
    await expect(loseFirst(nothing).updateSession(ended, { status: "terminated" })).rejects.toEqual(
      code("session_over"),
    );
    expect(network.lost).toHaveLength(9);
    // An answer that came at once is what it is.
    await service().updateSession(changed, { metadata: { n: 1 }, version: 3 });
    await expect(service().updateSession(changed, { metadata: { n: 1 }, version: 3 })).rejects.toEqual(
      code("version_conflict", { version: 4 }),
    );
  });

  it("has left when the answer was lost, also where its going has ended the match", async () => {
    const [a, b] = newPlayers(2) as [string, string];
    const id = await newMatch([a, b], { open: true });
    let drops = 0;
    const network = loseAnswers((kind) => kind === "POST leave" && drops++ === 0);
    const left = await games(playerToken(a), { fetch: network.fetch }).leave(id);
    expect(network.lost).toEqual(["POST leave"]);
    expect(left).toMatchObject({
      status: "completed",
      participants: [{ status: "disconnected" }, {}],
      stats: { winner: b },
    });
    expect((await sequences(id)).map(({ event }) => event)).toEqual(["left", "ended"]);
  });

  it("has an action once under the same action_id, and is told when another one takes it", async () => {
    const [a, b] = newPlayers(2) as [string, string];
    const id = await newMatch([a, b]);
    const player = games(playerToken(a));
    const action = { action_type: "attack", player_id: a, target_id: b, action_id: randomUUID() } as const;
    const first = await player.act(id, action);
    expect(await player.act(id, action)).toEqual(first);
    await expect(player.act(id, { ...action, action_type: "ability" })).rejects.toEqual(code("action_conflict"));
    expect(await sequences(id)).toHaveLength(1);
  });

  it("waits as long as the service asks it to, and takes what is not the service's for no answer", async () => {
    const [a] = newPlayers(1) as [string];
    const pauses: number[] = [];
    const timers = {
      ...shortTimers,
      setTimeout: (run: () => void, ms: number) => {
        pauses.push(ms);
        return setTimeout(run, ms === REQUEST_TIMEOUT_MS ? ms : ms / 1_000);
      },
    };
    const answers = [
      new Response('{"code":503}', { status: 503, headers: { "Retry-After": "7" } }),
      new Response("<html>sign in</html>", { status: 200 }),
      new Response('{"code":404,"message":"no","details":{"code":"not_found"}}', { status: 404 }),
      new Response(null, { status: 429, headers: { "Retry-After": "9" } }),
    ];
    const player = games(playerToken(a), {
      timers,
      random: () => 0,
      fetch: async (url, init) => answers.shift() ?? fetch(url, init),
    });
    const made = await player.createSession({ type: "player", player_id: a });
    expect(made).toMatchObject({ type: "player", player_id: a, status: "active", version: 1 });
    // Beside the limits of the five requests.
    expect(pauses.filter((ms) => ms !== REQUEST_TIMEOUT_MS)).toEqual([7_000, 2_000, 4_000, 9_000]);
  });

  it("goes on when the service is killed and comes back, as if nothing had been", async () => {
    const [a, b] = newPlayers(2) as [string, string];
    const id = await newMatch([a, b], { health: 1_000 });
    const player = games(playerToken(a));
    const told: CombatState[] = [];
    const ended = player.follow(id, { onChange: (state) => told.push(state) });
    await expect.poll(() => told.length).toBe(1);
    const act = () => player.act(id, { action_type: "attack", player_id: a, target_id: b });
    for (let n = 0; n < 5; n++) await act();
    await server.stop("SIGKILL");
    const during = Array.from({ length: 5 }, act);
    server = await start();
    const results = await Promise.all(during);
    expect(results.map(({ sequence }) => sequence).sort((x, y) => x - y)).toEqual([6, 7, 8, 9, 10]);
    await expect(player.endSession(id, "enough")).rejects.toEqual(code("forbidden"));
    await service().endSession(id, "enough");
    const end = await ended;
    expect(end.phase).toBe("finished");
    expect(end.events.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 11 }, (_, at) => at + 1));
    expect(standing(end)).toEqual(standing(await player.readState(id)));
  });

  it("is told in the service's words what it may not, and asks for a token each time", async () => {
    const [a, b, stranger] = newPlayers(3) as [string, string, string];
    const id = await newMatch([a, b], { cooldown_ms: { attack: 60_000 } });
    const tokens = ["no token", "no token", playerToken(a)];
    const player = games(async () => tokens.shift() ?? playerToken(a));
    await expect(player.readMatch(id)).rejects.toEqual(code("unauthorized"));
    await expect(player.follow(id)).rejects.toEqual(code("unauthorized"));
    const attack = { action_type: "attack", player_id: a, target_id: b } as const;
    await player.act(id, attack);
    await expect(player.act(id, attack)).rejects.toEqual(code("cooldown", { ready_in: expect.any(Number) }));
    await expect(player.act(id, { ...attack, player_id: b })).rejects.toEqual(code("forbidden"));
    await expect(player.act(id, { ...attack, action_type: "move", target_id: stranger })).rejects.toEqual(
      code("unknown_target"),
    );
    await expect(player.join(id)).rejects.toEqual(code("not_open"));
    await expect(games(playerToken(stranger)).follow(id)).rejects.toEqual(code("session_not_found"));
    await expect(player.readSession("no id/../at all")).rejects.toEqual(code("session_not_found"));
    await expect(player.createSession({ type: "chess" as "auth", player_id: a })).rejects.toEqual(
      code("invalid_request", { issues: [expect.objectContaining({ path: "type" })] }),
    );
    expect(() => openGames({ url: server.url, token: "" })).toThrow(TypeError);
  });

  it("pauses, resumes, lists and ends sessions, with their log and what has happened in them", async () => {
    const [a] = newPlayers(1) as [string];
    const player = games(playerToken(a));
    const made = [];
    for (let n = 0; n < 3; n++) made.push((await player.createSession({ type: "custom", player_id: a })).session_id);
    const id = made[0] as string;
    const paused = await player.updateSession(id, { status: "paused", version: 1 });
    expect(paused).toMatchObject({ status: "paused", version: 2 });
    await expect(player.updateSession(id, { status: "active", version: 1 })).rejects.toEqual(
      code("version_conflict", { version: 2 }),
    );
    const page = await player.listSessions({ status: "active", limit: 1 });
    expect(page).toMatchObject({ has_more: true, total_count: 2 });
    const next = await player.listSessions({ status: "active", limit: 1, cursor: page.next_cursor as string });
    expect([...page.sessions, ...next.sessions].map(({ session_id }) => session_id)).toEqual([made[2], made[1]]);
    expect(await player.endSession(id, "done")).toMatchObject({ status: "terminated", ended_reason: "requested" });
    expect(await player.endSession(id)).toMatchObject({ status: "terminated", version: 3 });
    const { logs, stats } = await player.readSession(id, { logs: true, stats: true });
    expect(logs?.map(({ event_type }) => event_type)).toEqual(["created", "paused", "terminated"]);
    expect(stats).toMatchObject({ events_count: 3 });
  });

  it("gives up when time is up, or when it is told to", async () => {
    const away = async () => {
      throw new TypeError("nobody there");
    };
    const [a] = newPlayers(1) as [string];
    await expect(games(playerToken(a), { fetch: away, giveUpMs: 1 }).readState(randomUUID())).rejects.toEqual(
      code("unreachable"),
    );
    const stop = new AbortController();
    const stopped = games(playerToken(a), { fetch: away }).readState(randomUUID(), { signal: stop.signal });
    stop.abort(new Error("the page is gone"));
    await expect(stopped).rejects.toThrow("the page is gone");
    const id = await newMatch([a]);
    const leaving = new AbortController();
    const followed = games(playerToken(a)).follow(id, { signal: leaving.signal, onChange: () => leaving.abort() });
    await expect(followed).rejects.toThrow(/abort/);
  });
});

describe("a follower of keybeat/game", () => {
  it.each([1, 2, 3])(
    "folds what it is told, over cut after cut of its stream, to what GET says, and hears each event once (%i)",
    async (seed) => {
      const players = newPlayers(4) as [string, string, string, string];
      const late = randomUUID();
      const rules = { open: true, health: 60, damage: { move: 3 }, preparation_seconds: seed === 3 ? 1 : 0 };
      const id = await newMatch(players, rules);
      const random = createRandom(seed);
      const { fetch, cuts } = cutStreams(random, 6_000);
      const told: CombatState[] = [];
      const heard: number[] = [];
      const ended = games(playerToken(players[0]), { fetch }).follow(id, {
        onChange: (state) => told.push(state),
        onEvent: ({ sequence }) => heard.push(sequence),
      });
      const backend = service();
      await expect.poll(() => told.length).toBeGreaterThan(0);
      const firstHeard = (told[0]?.events.at(-1)?.sequence ?? 0) + 1;
      const everybody = [...players, late];
      const types = ["attack", "ability", "move", "defend"] as const;
      const some = () => everybody[Math.floor(random() * everybody.length)] as string;
      await backend.join(id, [late]);
      for (let step = 0; step < 60; step++) {
        const [action_type, player_id, target_id] = [types[step % 4] as "attack", some(), some()];
        await backend.act(id, { action_type, player_id, target_id }).catch((error) => {
          expect(["not_active", "session_over", "cooldown"]).toContain(error.code);
        });
        if (step === 20) await backend.leave(id, [late]).catch((error) => expect(error.code).toBe("session_over"));
        if (step === 30) await backend.join(id, [late]).catch((error) => expect(error.code).toMatch(/over|active/));
        if (step === 5) await expect.poll(() => told.at(-1)?.phase, { timeout: 20_000 }).toBe("active");
        if (step === 10) await backend.updateSession(id, { status: "paused" });
        if (step === 10) await backend.updateSession(id, { status: "active" });
        if (step !== 40) continue;
        const now = standing(await backend.readState(id));
        await expect.poll(() => standing(told.at(-1) as CombatState)).toEqual(now);
      }
      await backend.endSession(id);
      const end = await ended;
      expect(end).toEqual(await backend.readState(id));
      expect(end).toBe(told.at(-1));
      expect(cuts()).toBeGreaterThan(1);
      expect(new Set(told).size).toBe(told.length); // each a new object, for pages that compare
      const last = (await sequences(id)).at(-1)?.sequence;
      expect(heard).toEqual(Array.from({ length: last - firstHeard + 1 }, (_, at) => firstHeard + at));
    },
  );

  it("tells all from the first, or after an event, over cut after cut, of a match that goes on and of one that is over", async () => {
    const [a, b] = newPlayers(2) as [string, string];
    const id = await newMatch([a, b], { damage: { attack: 0 } });
    const backend = service();
    const strike = () => backend.act(id, { action_type: "attack", player_id: a, target_id: b });
    for (let n = 0; n < 120; n++) await strike(); // more than a state has
    const follow = (after: number, options: Partial<GameOptions> = {}) => {
      const [heard, stood]: [number[], number[]] = [[], []];
      const onChange = ({ events }: CombatState) => stood.push(events.at(-1)?.sequence ?? 0);
      const onEvent = ({ sequence }: { sequence: number }) => heard.push(sequence);
      const ended = games(playerToken(a), options).follow(id, { after, onChange, onEvent });
      return { heard, stood, ended };
    };
    const upTo = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, at) => first + at);
    const { fetch, cuts } = cutStreams(createRandom(4), 6_000);
    const [all, some] = [follow(0, { fetch }), follow(100)];
    await expect.poll(() => [all.heard.at(-1), some.heard.at(-1)], { timeout: 20_000 }).toEqual([120, 120]);
    for (let n = 0; n < 5; n++) await strike();
    await backend.endSession(id);
    const end = await backend.readState(id);
    expect(await all.ended).toEqual(end);
    expect(await some.ended).toEqual(end);
    expect(cuts()).toBeGreaterThan(1);
    expect(all.heard).toEqual(upTo(1, 126));
    expect(some.heard).toEqual(upTo(101, 126));
    expect(all.stood).toEqual(upTo(120, 126)); // how it stands now, whatever is told of before
    const late = follow(0);
    expect(await late.ended).toEqual(end);
    expect(late.heard).toEqual(upTo(1, 126));
    const nothing = follow(126);
    expect([await nothing.ended, nothing.heard]).toEqual([end, []]);
    await expect(games(playerToken(a)).follow(id, { after: -1 })).rejects.toThrow(/after must be/);
  });

  it("resolves at once for a match that is over", async () => {
    const [a, b] = newPlayers(2) as [string, string];
    const id = await newMatch([a, b]);
    const backend = service();
    await backend.act(id, { action_type: "attack", player_id: a, target_id: b, damage: 1_000 });
    const end = await games(playerToken(b)).follow(id);
    expect(end).toMatchObject({ phase: "finished", time_remaining: 0 });
    expect(end.participants[1]).toMatchObject({ player_id: b, status: "eliminated", health: 0 });
    expect(await backend.readMatch(id)).toMatchObject({ status: "completed", stats: { winner: a } });
  });
});
