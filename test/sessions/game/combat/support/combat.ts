/** Calls of the routes of matches, as players and services make them. */
import { expect } from "vitest";
import type { Reply, TestApp } from "../../../../support/app.ts";
import type { TestDatabase } from "../../../../support/database.ts";
import { gameApi, newPlayer } from "../../support/game.ts";

/** `as`: a player's id, or `service`. */
export function combatApi(app: Pick<TestApp, "fetch">, at?: () => string) {
  const api = gameApi(app, at);
  const { send } = api;
  const match = (id: string) => `/combat/sessions/${id}`;
  const create = (as: string, body: object = {}, headers = {}) =>
    send("POST", "/combat/sessions", as, { mode: "pvp", participants: [as], ...body }, headers);
  return {
    ...api,
    create,
    /** Makes a match of those players, the first of whom asks, and returns its id. */
    async make(players: string[], body: object = {}): Promise<string> {
      const { status, body: made } = await create(players[0] as string, { participants: players, ...body });
      expect(status).toBe(201);
      return made.session_id;
    },
    read: (id: string, as: string) => send("GET", match(id), as),
    readState: (id: string, as: string) => send("GET", `${match(id)}/state`, as),
    readSession: (id: string, as: string) => send("GET", `/sessions/${id}`, as),
    list: (as: string, query = "") => send("GET", `/combat/sessions${query}`, as),
    join: (id: string, as: string, player_ids?: string[]) =>
      send("POST", `${match(id)}/join`, as, player_ids && { player_ids }),
    leave: (id: string, as: string, player_ids?: string[]) =>
      send("POST", `${match(id)}/leave`, as, player_ids && { player_ids }),
    pause: (id: string) => api.update(id, "service", { status: "paused" }),
    resume: (id: string) => api.update(id, "service", { status: "active" }),
    /** As the player, unless somebody else says it. */
    act: (id: string, player: string, action: object = {}, as = player) =>
      send("POST", `${match(id)}/actions`, as, { action_type: "attack", player_id: player, ...action }),
  };
}

export type CombatApi = ReturnType<typeof combatApi>;

export const players = (count: number): string[] => Array.from({ length: count }, newPlayer);

/** Lets so many seconds pass for a match, by dating it back. */
export async function age(db: TestDatabase, id: string, seconds: number): Promise<void> {
  const by = db.sql`make_interval(secs => ${seconds})`;
  const [row] = await db.sql`
    UPDATE game_sessions SET last_call = last_call - ${by}, not_over_before = not_over_before - ${by},
      created_at = created_at - ${by}, updated_at = updated_at - ${by}, paused_at = paused_at - ${by}
    WHERE session_id = ${id} RETURNING number`;
  await db.sql`UPDATE game_combats SET started_at = started_at - ${by} WHERE session = ${row?.number}`;
  await db.sql`
    UPDATE game_participants SET joined_at = joined_at - ${by}, ready_at = (
      SELECT jsonb_object_agg(r.key, (r.value #>> '{}')::timestamptz - ${by}) FROM jsonb_each(ready_at) r)
    WHERE session = ${row?.number}`;
  await db.sql`UPDATE game_events SET at = at - ${by} WHERE session = ${row?.number}`;
}

/** What the tables say of a match, in the shape of its fold. */
export async function stored(db: TestDatabase, id: string) {
  const [row] = await db.sql`
    SELECT jsonb_build_object(
      'phase', CASE WHEN s.ended_at IS NOT NULL THEN 'finished' WHEN c.started_at IS NOT NULL THEN 'active' ELSE 'preparation' END,
      'paused', s.paused_at IS NOT NULL, 'last_sequence', c.last_sequence, 'total_actions', c.total_actions,
      'total_damage', c.total_damage, 'eliminations', c.eliminations, 'winner', c.winner,
      'participants', (
        SELECT jsonb_agg(jsonb_build_object('player_id', p.player_id, 'place', p.place, 'joined_at', p.joined_at,
                 'status', p.status, 'score', p.score, 'health', p.health, 'defending', p.defending) ORDER BY p.place)
        FROM game_participants p WHERE p.session = c.session)) AS stored, fold_combat(s.session_id) AS folded
    FROM game_sessions s JOIN game_combats c ON c.session = s.number WHERE s.session_id = ${id}`;
  return row as unknown as { stored: unknown; folded: unknown };
}

export async function expectFolded(db: TestDatabase, id: string): Promise<void> {
  const { stored: due, folded } = await stored(db, id);
  expect(folded).toEqual(due);
}

/** Of a state or a match: by player, `status health score`. */
export const standings = ({ body }: Reply): string[] =>
  body.participants.map((one: Record<string, string | number>) => `${one.status} ${one.health} ${one.score}`);
