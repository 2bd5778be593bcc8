/** Random stories of sessions whose numbers must be right at each step's edge, whatever is done to the rows. */
import fc from "fast-check";
import type { TestDatabase } from "../../support/database.ts";
import type { Tally } from "../../support/stories.ts";
import { FRAMES, type Frame, TYPES } from "./plain.ts";
import { askAll, findLies } from "./told.ts";

export const PLAYERS = [1, 2, 3].map((n) => `00000000-0000-4000-8000-00000000000${n}`);
const WORDS = Object.keys(FRAMES) as Frame[];

/** Of those that there are, mostly of the first few: what happens to one must come together. */
const which = fc.oneof(fc.nat(2), fc.nat(30));
const who = fc.constantFrom(...PLAYERS);
const seconds = fc.oneof(fc.nat(90), fc.nat(7_200), fc.nat(3_000_000));
const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ does: fc.constant("make" as const), type: fc.constantFrom(...TYPES), who }) },
  {
    weight: 3,
    arbitrary: fc.record({ does: fc.constant("play" as const), who, lasts: fc.integer({ min: 60, max: 3_600 }) }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("join" as const), which, who }) },
  {
    weight: 3,
    arbitrary: fc.record({ does: fc.constant("act" as const), which, actions: fc.nat(3), refused: fc.nat(2) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ does: fc.constantFrom("pause" as const, "pause" as const, "resume" as const), which }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant("end" as const), which, as: fc.constantFrom("completed", "terminated") }),
  },
  { weight: 4, arbitrary: fc.record({ does: fc.constant("age" as const), which, seconds, heard: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant("put" as const),
      which,
      frame: fc.constantFrom(...WORDS),
      beside: fc.constantFrom(-1, 0, 1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("erase" as const), which }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("forget match" as const), which }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constantFrom("settle" as const, "fold" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constant("gap" as const), began: fc.nat(200_000), lasted: fc.nat(100_000) }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("step" as const), ago: fc.nat(200_000) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("look" as const), frame: fc.constantFrom(...WORDS) }) },
);
type Command = typeof command extends fc.Arbitrary<infer One> ? One : never;

export const story = fc.array(command, { minLength: 5, maxLength: 30 });

/** What stories must have come to. */
export const REACHED = [
  ...[
    "make",
    "play",
    "join",
    "act",
    "pause",
    "resume",
    "end",
    "age",
    "put",
    "erase",
    "forget match",
    "settle",
    "fold",
    "gap",
    "step",
  ],
  ...["overdue silence active", "overdue silence paused", "overdue max_duration active"],
];

/** On a database of which nothing else is asked. Throws with what was told wrong, and after which commands. */
export async function tellStory(db: TestDatabase, commands: Command[], tally: Tally): Promise<void> {
  const reach = (what: string) => tally.set(what, (tally.get(what) ?? 0) + 1);
  await db.sql`TRUNCATE game_sessions CASCADE`;
  await db.sql`
    UPDATE service_state SET last_tick = NULL, gap_began = NULL, gap_ended = NULL, gaps = '{}', clock_steps = 0, clock_stepped_at = NULL`;
  const done: string[] = [];
  for (const one of [...commands, { does: "look" as const, frame: "24h" as const }]) {
    done.push(JSON.stringify(one));
    if (one.does === "look") await look(db, one.frame, done, reach);
    else if ((await run(db, one)) > 0) reach(one.does);
  }
}

async function look(db: TestDatabase, frame: Frame, done: string[], reach: (what: string) => void): Promise<void> {
  const overdue = await db.sql`
    SELECT DISTINCT concat_ws(' ', 'overdue', o.reason, s.status) AS what
    FROM game_sessions s, game_overdue(s, clock_timestamp()) o WHERE o.reason IS NOT NULL`;
  for (const { what } of overdue) reach(what);
  const [row] = await db.sql`SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::float8 AS now`;
  const { lasts, step } = FRAMES[frame];
  // When the next step leaves the timeframe, and just before and after.
  const edge = Math.ceil((row?.now - lasts) / step) * step + lasts;
  const everything = askAll(WORDS, [undefined, ...TYPES], [undefined, PLAYERS[0]]);
  const told = askAll([frame], [undefined, "combat"], [undefined, PLAYERS[1]]);
  for (const at of [row?.now, edge - 1, edge, edge + 1]) {
    const lies = await findLies(db, at, at === row?.now ? everything : told);
    if (lies.length > 0) throw new Error(`at ${at}:\n${lies.slice(0, 5).join("\n")}\nafter\n${done.join("\n")}`);
  }
}

/** Gives how many rows it has changed. */
async function run({ sql }: TestDatabase, one: Exclude<Command, { does: "look" }>): Promise<number> {
  const nth = (n: number) => sql`
    (SELECT x.number FROM (SELECT number, row_number() OVER (ORDER BY number) - 1 AS place, count(*) OVER () AS n
                           FROM game_sessions) x WHERE x.place = ${n} % x.n)`;
  switch (one.does) {
    case "make":
      return (
        await sql`SELECT insert_game(gen_random_uuid(), ${one.who}, ${one.type}, NULL, NULL, NULL, clock_timestamp())`
      ).count;
    case "play":
      return (
        await sql`
          WITH g AS MATERIALIZED (
            SELECT insert_game(gen_random_uuid(), ${one.who}, 'combat', NULL, NULL, ${one.lasts}, clock_timestamp()) AS game)
          INSERT INTO game_combats (session, mode, rules, founders, started_at, total_actions)
          SELECT (g.game).number, 'pvp', '{}', ARRAY[${one.who}::uuid], (g.game).created_at, ${one.lasts % 2} FROM g`
      ).count;
    case "join":
      return (
        await sql`
          INSERT INTO game_participants (session, player_id, place, joined_at, health)
          SELECT c.session, ${one.who}, 1, clock_timestamp(), 100 FROM game_combats c WHERE c.session = ${nth(one.which)}
          ON CONFLICT DO NOTHING`
      ).count;
    case "act":
      return (
        await sql`
          UPDATE game_combats SET total_actions = total_actions + ${one.actions}, refused_actions = refused_actions + ${one.refused}
          WHERE session = ${nth(one.which)}`
      ).count;
    case "pause":
      return (
        await sql`
          UPDATE game_sessions SET status = 'paused', paused_at = clock_timestamp()
          WHERE number = ${nth(one.which)} AND status = 'active'`
      ).count;
    case "resume":
      return (
        await sql`
          UPDATE game_sessions s
          SET status = 'active', paused_ms = paused_ms + ms_between(paused_at, clock_timestamp()), paused_at = NULL,
              not_over_before = clock_timestamp()
          WHERE number = ${nth(one.which)} AND status = 'paused'`
      ).count;
    case "end":
      return (
        await sql`
          SELECT end_game(s, ${one.as}, 'requested', clock_timestamp()) FROM game_sessions s
          WHERE s.number = ${nth(one.which)} AND s.ended_at IS NULL`
      ).count;
    case "age":
      // As if all of it had happened so much earlier; or it was called for just now.
      return (
        await sql`
          UPDATE game_sessions s
          SET created_at = created_at - d.by, paused_at = paused_at - d.by, ended_at = ended_at - d.by,
              last_call = CASE WHEN ${one.heard} THEN clock_timestamp() ELSE last_call - d.by END,
              not_over_before = CASE WHEN ended_at IS NULL THEN least(not_over_before - d.by, clock_timestamp()) END
          FROM (SELECT make_interval(secs => ${one.seconds}) AS by) d WHERE s.number = ${nth(one.which)}`
      ).count;
    case "put": {
      const { lasts, step } = FRAMES[one.frame];
      return (
        await sql`
          UPDATE game_sessions s
          SET created_at = date_bin(${step}::float8 * interval '1 microsecond', clock_timestamp() - ${lasts}::float8 * interval '1 microsecond',
                                    timestamptz 'epoch') + ${one.beside}::float8 * interval '1 microsecond',
              last_call = clock_timestamp(), not_over_before = CASE WHEN ended_at IS NULL THEN clock_timestamp() END
          WHERE s.number = ${nth(one.which)}`
      ).count;
    }
    case "erase":
      return (await sql`DELETE FROM game_sessions WHERE number = ${nth(one.which)}`).count;
    case "forget match":
      // It is no match any more, or its end would be told in its events.
      return (
        await sql`
          WITH gone AS (DELETE FROM game_combats WHERE session = ${nth(one.which)} RETURNING session)
          UPDATE game_sessions SET max_duration_seconds = NULL FROM gone WHERE number = gone.session`
      ).count;
    case "settle":
      return (await sql`SELECT FROM settle_games(1000) s WHERE s.ended > 0`).count;
    case "fold":
      return (await sql`SELECT FROM fold_game_rollups(1000) f WHERE f > 0`).count;
    case "gap":
      return (
        await sql`
          UPDATE service_state s
          SET last_tick = clock_timestamp(), gap_began = e.at - make_interval(secs => ${one.lasted + 1}), gap_ended = e.at
          FROM (SELECT clock_timestamp() - make_interval(secs => ${one.began}) AS at) e`
      ).count;
    case "step":
      return (
        await sql`
          UPDATE service_state
          SET clock_steps = clock_steps + 1, clock_stepped_at = clock_timestamp() - make_interval(secs => ${one.ago})`
      ).count;
  }
}
