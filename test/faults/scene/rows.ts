/** What the database says of the load's keys when all is over. */
import { setTimeout as sleep } from "node:timers/promises";
import type postgres from "postgres";
import type { Circumstances, Rows } from "../checker/history.ts";

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
  return { keys: [...keys], active: [...active], history: [...history], gap: gap ?? null } as unknown as Rows;
}

const millis = (sql: postgres.Sql, column: string) => sql`(extract(epoch FROM ${sql(column)}) * 1000)::float8`;

/** The database's clock beside ours. Of several tries the one with the shortest way tells most. */
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
