/** GET /api/v1/game/analytics/sessions: who is told what, of which timeframe, and by which metric. */
import { beforeEach, describe, expect, it } from "vitest";
import { METRICS } from "../../src/analytics/contract.ts";
import { gameApi, newPlayer, outcome } from "../sessions/game/support/game.ts";
import { ADMIN_TOKEN, useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { countPlainly, FRAMES, type Frame, readPlainly, TYPES } from "./support/plain.ts";
import { PLAYERS, tellStory } from "./support/story.ts";

const db = useDatabase();
const app = useApp(db);
const api = gameApi(app);
const WORDS = Object.keys(FRAMES) as Frame[];

beforeEach(async () => {
  await db.sql`TRUNCATE game_sessions, game_performance CASCADE`;
});

const read = (as: string, query: Record<string, string> = {}) =>
  api.send("GET", `/analytics/sessions?${new URLSearchParams(query)}`, as);

async function readNumbers(as: string, query: Record<string, string> = {}) {
  const { status, body } = await read(as, query);
  expect(status).toBe(200);
  return body;
}

/** A match of a player and others, with actions of which some were refused. */
async function play(player: string, others: string[], actions = 0, refused = 0): Promise<void> {
  const id = await api.make(player, { type: "combat" });
  await db.sql`
    WITH g AS (UPDATE game_sessions SET max_duration_seconds = 60 WHERE session_id = ${id} RETURNING number, created_at)
    INSERT INTO game_combats (session, mode, rules, founders, started_at, total_actions, refused_actions)
    SELECT number, 'pvp', '{}', ARRAY[${player}::uuid], created_at, ${actions}, ${refused} FROM g`;
  for (const one of [player, ...others]) {
    await db.sql`
      INSERT INTO game_participants (session, player_id, place, joined_at, health)
      SELECT number, ${one}, 1, created_at, 100 FROM game_sessions WHERE session_id = ${id}`;
  }
}

/** So old, and over after so many seconds; null: it goes on. */
const age = (id: string, seconds: number, lasted: number | null) => db.sql`
  UPDATE game_sessions
  SET created_at = created_at - make_interval(secs => ${seconds}),
      ended_at = created_at - make_interval(secs => ${seconds}) + make_interval(secs => ${lasted}),
      status = CASE WHEN ${lasted}::int IS NULL THEN status ELSE 'completed' END,
      ended_reason = CASE WHEN ${lasted}::int IS NOT NULL THEN 'requested' END,
      not_over_before = CASE WHEN ${lasted}::int IS NULL THEN not_over_before END
  WHERE session_id = ${id}`;

describe("the numbers over game sessions", () => {
  it("are zeros without a null where there is no session, for every timeframe, type and metric", async () => {
    for (const timeframe of WORDS) {
      for (const session_type of [...TYPES, "all"]) {
        for (const metric of METRICS) {
          const { trends, ...told } = await readNumbers("service", { timeframe, session_type, metric });
          const has = (...metrics: string[]) => metrics.includes(metric) || metric === "all";
          expect(told).toEqual({
            timeframe,
            total_sessions: 0,
            ...(has("count") && {
              active_sessions: 0,
              sessions_by_type: { combat: 0, player: 0, auth: 0, custom: 0 },
              sessions_by_status: { active: 0, paused: 0, completed: 0, terminated: 0 },
            }),
            ...(has("errors") && { error_rate: 0 }),
            ...(has("performance") && { performance_metrics: { throughput_per_second: 0 } }),
          });
          expect(trends !== undefined).toBe(has("count", "duration"));
          if (trends) expect(trends.length).toBe(FRAMES[timeframe].lasts / FRAMES[timeframe].step + 1);
          for (const { sessions_created, sessions_completed } of trends ?? []) {
            expect([sessions_created, sessions_completed]).toEqual([0, 0]);
          }
        }
      }
    }
  });

  it("tell by default of all types and metrics of a day, in steps whose sums are the totals", async () => {
    const player = newPlayer();
    const [old, long, short] = [
      await api.make(player),
      await api.make(player, { type: "auth" }),
      await api.make(player),
    ];
    await api.make(player, { type: "custom" });
    await play(player, [], 3, 1);
    await age(old, 90_000, null);
    await age(long, 7_300, 3_600);
    await age(short, 70, 60);
    const numbers = await readNumbers("service");
    expect(numbers).toMatchObject({
      timeframe: "24h",
      total_sessions: 4,
      active_sessions: 3,
      average_duration_seconds: 1_830,
      sessions_by_type: { combat: 1, player: 1, auth: 1, custom: 1 },
      sessions_by_status: { active: 2, paused: 0, completed: 2, terminated: 0 },
      error_rate: 0.25,
    });
    expect(numbers.duration_seconds.p50 / 60).toBeCloseTo(1, 1);
    expect(Math.abs(numbers.duration_seconds.p95 / 3_600 - 1)).toBeLessThanOrEqual(0.025);
    const { trends } = numbers;
    const sum = (what: string) =>
      trends.reduce((all: number, step: Record<string, number>) => all + (step[what] ?? 0), 0);
    expect([sum("sessions_created"), sum("sessions_completed")]).toEqual([4, 2]);
    expect(trends.map(({ average_duration }: { average_duration?: number }) => average_duration ?? 0).sort()).toEqual(
      expect.arrayContaining([3_600, 60]),
    );
    const { sessions_by_type } = await readNumbers("service", { session_type: "custom" });
    expect(sessions_by_type).toEqual({ combat: 0, player: 0, auth: 0, custom: 1 });
    expect((await readNumbers("service", { timeframe: "7d" })).total_sessions).toBe(5);
  });

  it("are for a player its own sessions and the matches that it takes part in, and for a service all", async () => {
    const [creator, guest, stranger] = [newPlayer(), newPlayer(), newPlayer()];
    await api.make(creator);
    await play(creator, [guest], 9, 1);
    await api.make(guest, { type: "custom" });
    const told = async (as: string) => {
      const { total_sessions, active_sessions, sessions_by_type, error_rate } = await readNumbers(as);
      return [total_sessions, active_sessions, sessions_by_type, error_rate];
    };
    expect(await told(creator)).toEqual([2, 2, { combat: 1, player: 1, auth: 0, custom: 0 }, 0.1]);
    expect(await told(guest)).toEqual([2, 2, { combat: 1, player: 0, auth: 0, custom: 1 }, 0.1]);
    expect(await told(stranger)).toEqual([0, 0, { combat: 0, player: 0, auth: 0, custom: 0 }, 0]);
    expect(await told("service")).toEqual([3, 3, { combat: 1, player: 1, auth: 0, custom: 1 }, 0.1]);
  });

  it("want a token, and refuse words that they do not know", async () => {
    expect(outcome(await api.send("GET", "/analytics/sessions"))).toBe("401 unauthorized");
    expect(outcome(await read("a.bad.token"))).toBe("401 unauthorized");
    for (const [name, word] of [
      ["timeframe", "2h"],
      ["timeframe", ""],
      ["session_type", "pvp"],
      ["metric", "speed"],
    ] as const) {
      expect(outcome(await read("service", { [name]: word }))).toBe("400 invalid_request");
    }
  });

  it("call no session active whose time is over, whether or not somebody has settled it", async () => {
    const player = newPlayer();
    const id = await api.make(player);
    await db.sql`
      UPDATE game_sessions
      SET created_at = created_at - interval '86500 seconds', last_call = last_call - interval '86500 seconds',
          not_over_before = not_over_before - interval '86500 seconds'`;
    const tell = async (as: string) => {
      const { trends, performance_metrics, ...lasting } = await readNumbers(as, { timeframe: "7d" });
      return lasting;
    };
    const unsettled = await tell("service");
    expect(unsettled).toMatchObject({
      total_sessions: 1,
      active_sessions: 0,
      average_duration_seconds: 86_400,
      sessions_by_status: { active: 0, paused: 0, completed: 0, terminated: 1 },
    });
    expect((await api.read(id, player)).body.status).toBe("terminated");
    expect(await tell("service")).toEqual(unsettled);
    expect(await tell(player)).toEqual(unsettled);
  });

  it("are, as they are sent, those of the sessions: for every timeframe, type and metric, and after a cleanup", async () => {
    await tellStory(db, STORY, new Map());
    for (let cleaned = false; ; cleaned = true) {
      const sessions = await readPlainly(db, null);
      for (const timeframe of WORDS) {
        for (const type of [undefined, ...TYPES]) {
          for (const player of [undefined, PLAYERS[0]]) {
            const query = { timeframe, session_type: type ?? "all" };
            const numbers = await readNumbers(player ?? "service", query);
            const { duration_seconds, performance_metrics, ...told } = numbers;
            // Its last step is the one that it was asked in.
            const asOf = Date.parse(told.trends.at(-1).period) * 1000;
            const { durations, ...truth } = countPlainly(sessions, { frame: timeframe, type, player }, asOf);
            expect(told).toEqual(JSON.parse(JSON.stringify(truth)));
            expect(duration_seconds === undefined).toBe(durations.length === 0);
            for (const metric of METRICS) {
              const one = await readNumbers(player ?? "service", { ...query, metric });
              // A step may have passed since, and calls were measured.
              const lasting = Object.entries(one).filter(([name]) => !["trends", "performance_metrics"].includes(name));
              expect(numbers).toMatchObject(Object.fromEntries(lasting));
            }
          }
        }
      }
      if (cleaned) break;
      expect(
        (await app.post("/api/admin/cleanup-sessions", {}, { Authorization: `Bearer ${ADMIN_TOKEN}` })).status,
      ).toBe(200);
    }
  });
});

const STORY: Parameters<typeof tellStory>[1] = [
  ...TYPES.flatMap((type, n) => [
    { does: "make" as const, type, who: PLAYERS[n % 2] as string },
    { does: "make" as const, type, who: PLAYERS[0] as string },
  ]),
  ...[3_000, 3_001, 3_600].map((lasts) => ({ does: "play" as const, who: PLAYERS[1] as string, lasts })),
  { does: "join", which: 9, who: PLAYERS[0] as string },
  { does: "act", which: 9, actions: 3, refused: 2 },
  { does: "act", which: 10, actions: 2, refused: 1 },
  { does: "age", which: 8, seconds: 3_100, heard: true },
  { does: "pause", which: 1 },
  { does: "age", which: 1, seconds: 90_000, heard: false },
  { does: "age", which: 2, seconds: 90_000, heard: false },
  { does: "end", which: 3, as: "completed" },
  { does: "age", which: 3, seconds: 20_000, heard: false },
  { does: "age", which: 5, seconds: 1_000_000, heard: true },
  { does: "end", which: 5, as: "terminated" },
  { does: "erase", which: 7 },
];
