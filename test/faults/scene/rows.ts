/** What the database says of the load's keys, of the waiting room, of batch sessions and of matches, when all is over. */
import { setTimeout as sleep } from "node:timers/promises";
import type postgres from "postgres";
import type { BatchRun, Circumstances, MatchRow, RoomMove, RoomRows, Rows } from "../checker/history.ts";

export async function readRows(sql: postgres.Sql, keyIds: number[]): Promise<Rows> {
  const keys = await sql`SELECT id AS key, generation FROM keys WHERE id IN ${sql(keyIds)}`;
  const active = await sql`
    SELECT key_id AS key, session_id AS "sessionId", generation, ${millis(sql, "started_at")} AS "startedAt",
           ${millis(sql, "last_heartbeat")} AS "lastHeartbeat"
    FROM active_sessions WHERE key_id IN ${sql(keyIds)}`;
  const history = await sql`
    SELECT key_id AS key, session_id AS "sessionId", generation, ${millis(sql, "started_at")} AS "startedAt",
           ${millis(sql, "last_heartbeat")} AS "lastHeartbeat", ${millis(sql, "ended_at")} AS "endedAt", reason,
           replaced_by_generation AS "replacedByGeneration"
    FROM session_history WHERE key_id IN ${sql(keyIds)}`;
  const [gap] = await sql`
    SELECT ${millis(sql, "gap_began")} AS "beganAt", ${millis(sql, "gap_ended")} AS "endedAt"
    FROM service_state WHERE gap_ended IS NOT NULL`;
  const [room, batch, matches] = [await readRoom(sql), await readBatch(sql), await readMatches(sql)];
  return {
    keys: [...keys],
    active: [...active],
    history: [...history],
    gap: gap ?? null,
    room,
    batch,
    matches,
  } as unknown as Rows;
}

async function readBatch(sql: postgres.Sql): Promise<BatchRun[]> {
  const runs = await sql`
    SELECT b.canvas_path AS path, b.session_id AS "sessionId", b.attempt, b.status AS state, b.ended_reason AS reason,
           json_build_array(b.completed_nodes, b.failed_nodes, b.skipped_nodes) AS counts,
           (SELECT coalesce(json_object_agg(n.node_id, json_build_object('status', n.status, 'result', n.result)), '{}')
            FROM batch_nodes n WHERE n.run = s.run AND n.status IS NOT NULL) AS nodes,
           (SELECT coalesce(json_agg(json_build_object('id', e.id, 'event', e.event, 'data', e.data) ORDER BY e.id), '[]')
            FROM batch_events e WHERE e.run = s.run) AS events
    FROM batch_sessions s, view_batch(s) b WHERE s.canvas_path LIKE 'run-%'`; // what strangers make is not judged
  return [...runs] as unknown as BatchRun[];
}

/** As the service shows them, and their events as it tells them. */
async function readMatches(sql: postgres.Sql): Promise<MatchRow[]> {
  const matches = await sql`
    SELECT s.settings ->> 'name' AS match, s.session_id AS "sessionId", s.status AS state, s.ended_reason AS reason,
           (v.combat ->> 'version')::int AS version, v.combat -> 'winner' AS winner,
           json_build_array(v.combat -> 'total_actions', v.combat -> 'total_damage', v.combat -> 'eliminations') AS numbers,
           (SELECT json_agg(concat_ws(' ', p.one ->> 'player_id', p.one ->> 'status', p.one ->> 'health', p.one ->> 'score') ORDER BY p.nth)
            FROM json_array_elements(v.combat -> 'participants') WITH ORDINALITY AS p (one, nth)) AS standings,
           to_json(c.founders) AS founders, c.preparation_seconds > 0 AS "isPrepared", (c.rules ->> 'health')::int AS health,
           c.max_participants AS places,
           (SELECT coalesce(json_agg(json_build_object(
              'id', e.sequence, 'event', e.event, 'at', extract(epoch FROM e.at) * 1000,
              'data', json_build_object('data', combat_event_data(e, true))) ORDER BY e.sequence), '[]')
            FROM game_events e WHERE e.session = s.number) AS events
    FROM game_sessions s JOIN game_combats c ON c.session = s.number,
         LATERAL (SELECT view_combat(s, clock_timestamp()) AS combat) v
    WHERE s.settings ->> 'name' LIKE 'match-%'`;
  return [...matches] as unknown as MatchRow[];
}

async function readRoom(sql: postgres.Sql): Promise<RoomRows> {
  const moves = await sql`
    SELECT id, ${millis(sql, "at")} AS at, move, user_id, priority, ticket, amount FROM waiting_room_moves ORDER BY id`;
  const places = await sql`
    SELECT user_id, seated_at IS NOT NULL AS seated FROM waiting_room_places ORDER BY priority DESC, ticket`;
  const permits = await sql`SELECT permit_id FROM waiting_room_permits WHERE granted`;
  const [row] = await sql`
    SELECT active, (SELECT sum(n)::int FROM unnest(waiting) n) AS waiting, max_requests FROM waiting_room`;
  return {
    moves: [...moves] as unknown as RoomMove[],
    line: places.filter(({ seated }) => !seated).map((place) => place.user_id),
    seated: places.filter(({ seated }) => seated).map((place) => place.user_id),
    counts: { active: row?.active, waiting: row?.waiting },
    permits: permits.map((permit) => permit.permit_id),
    permitsMax: row?.max_requests,
  };
}

const millis = (sql: postgres.Sql, column: string) => sql`(extract(epoch FROM ${sql(column)}) * 1000)::float8`;

/** The database's clock relative to ours. Of several tries the quickest is the most accurate. */
export async function compareClocks(sql: postgres.Sql): Promise<Circumstances["clock"]> {
  let best = { offsetMs: 0, errorMs: Number.POSITIVE_INFINITY };
  for (let tries = 0; tries < 10; tries++) {
    const askedAt = performance.now();
    const [row] = await sql`SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS at`;
    const answeredAt = performance.now();
    const errorMs = (answeredAt - askedAt) / 2;
    if (errorMs < best.errorMs) best = { offsetMs: row?.at - (askedAt + answeredAt) / 2, errorMs };
    await sleep(5);
  }
  return best;
}
