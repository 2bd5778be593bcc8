/** Makes game sessions by the hundred thousand, and says what the database keeps of them. */
import type postgres from "postgres";
import type { Answer, Call } from "./calls.ts";

const TYPES = ["player", "auth", "custom", "combat"];
/** What a client may well send. */
const METADATA = { region: "eu-central", build: "2026.3.1", party: ["a", "b", "c"] };
const SETTINGS = { hud: true, difficulty: "normal", language: "de" };

const uuid = (group: number, n: number): string =>
  `00000000-0000-4000-8${String(group).padStart(3, "0")}-${String(n).padStart(12, "0")}`;

/** Of a session that is made here, by its number. Every third has ended. */
export const gameId = (n: number): string => uuid(0, n);
/** Ten sessions are one player's. */
export const playerOf = (n: number): string => uuid(1, Math.floor(n / 10));

export const newSession = (n: number) => ({
  type: TYPES[n % 3],
  player_id: playerOf(n),
  metadata: METADATA,
  settings: SETTINGS,
});

/** To pgbench a word after a colon is a variable. */
const spaced = (data: object) => JSON.stringify(data).replaceAll(":", ": ");

/** The statement of a create alone. */
export const CREATE_SCRIPT = `
SELECT outcome FROM create_game(gen_random_uuid(), gen_random_uuid(), 'player', '${spaced(METADATA)}', '${spaced(SETTINGS)}',
  'pgbench', NULL, NULL);
`;

/** Numbers `from` to `to - 1`, created within the last 24 hours: two of three live, the others over after up to three hours. */
export async function seedGames(sql: postgres.Sql, { from, to }: { from: number; to: number }): Promise<void> {
  await sql`
    WITH made AS (
      INSERT INTO game_sessions (session_id, type, player_id, status, metadata, settings, created_at, updated_at, ended_at,
                                 ended_reason, last_call, clock_steps, not_over_before, last_entry)
      SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, (${`{${TYPES}}`}::text[])[1 + n % 4],
             ('00000000-0000-4000-8001-' || lpad((n / 10)::text, 12, '0'))::uuid, CASE WHEN n % 3 > 0 THEN 'active' ELSE 'completed' END,
             ${sql.json(METADATA)}, ${sql.json(SETTINGS)}, c.at, c.at,
             CASE WHEN n % 3 = 0 THEN c.at + (n::bigint * 7919 % 10800) * interval '1 second' END, CASE WHEN n % 3 = 0 THEN 'requested' END,
             now(), s.clock_steps, CASE WHEN n % 3 > 0 THEN now() + game_silence() END, 1
      FROM generate_series(${from}::int, ${to - 1}::int) n, present_state() s,
        LATERAL (SELECT now() - (n::bigint * 7919 % 86400) * interval '1 second' AS at) c
      RETURNING number, created_at)
    INSERT INTO game_log_entries (session, id, at, event) SELECT m.number, 1, m.created_at, 'created' FROM made m`;
  await foldAll(sql);
}

/** As the cleanup does every ten seconds. */
export async function foldAll(sql: postgres.Sql): Promise<void> {
  for (let folded = 1; folded > 0; ) {
    const [row] = await sql`SELECT fold_game_rollups(20000) AS folded`;
    folded = row?.folded;
  }
}

export interface Match {
  id: string;
  players: string[];
}

/** So many matches of so many players each, in which nobody is ever hurt, made over the API. */
export async function makeMatches(
  call: Call,
  matches: { count: number; players: number; atOnce: number },
): Promise<Match[]> {
  const { count, atOnce } = matches;
  const made: Match[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < count) {
        const n = next++;
        const players = Array.from({ length: matches.players }, (_, place) => uuid(2, n * 100 + place));
        const rules = { damage: { attack: 0 }, score: { attack: 1 } };
        const { body } = await call("POST", "/combat/sessions", {
          mode: "arena",
          participants: players,
          settings: { rules },
        });
        made.push({ id: JSON.parse(body).session_id, players });
      }
    }),
  );
  return made;
}

/** The state is part of the answer. */
export function act(call: Call, { id, players }: Match, n: number): Promise<Answer> {
  const [player_id, target_id] = [players[n % players.length], players[(n + 1) % players.length]];
  return call("POST", `/combat/sessions/${id}/actions`, { action_type: "attack", player_id, target_id });
}

/** Of the sessions and all that belongs to them, indexes included; of the numbers, which do not grow with them. */
export async function readGameBytes(sql: postgres.Sql): Promise<{ all: number; numbers: number; rollups: number }> {
  const [row] = await sql`
    SELECT sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relname NOT IN ('game_rollups', 'game_performance'))::float AS all,
           sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relname IN ('game_rollups', 'game_performance'))::float AS numbers,
           (SELECT count(*)::int FROM game_rollups) AS rollups
    FROM pg_class c WHERE c.relname LIKE 'game\\_%' AND c.relkind = 'r'`;
  return row as unknown as { all: number; numbers: number; rollups: number };
}
