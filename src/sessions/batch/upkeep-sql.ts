/** What the cleanup and the metrics ask of all runs. */
import type { Database } from "../../database/database.ts";
import type { SettleRow } from "../contract.ts";

/** Ends at most so many runs whose time is over. */
export async function settleBatchRows(
  database: Database,
  lane: "requests" | "background",
  atMost: number,
): Promise<SettleRow> {
  const [row] = await database[lane].query(
    (sql, waits) => sql`SELECT * FROM settle_batches(caller_waits(${waits}, ${atMost}::int))`,
  );
  return row as unknown as SettleRow;
}

/** Forgets runs that ended longer ago than the retention; several calls may be needed. Returns how many. */
export async function forgetBatches(database: Database, retentionDays: number): Promise<number> {
  const [row] = await database.background.query((sql) => sql`SELECT forget_batches(${retentionDays}) AS forgotten`);
  return row?.forgotten;
}

/** After the silence was made shorter: dates the next so many anew. Returns whether there may be more. */
export async function redateBatchRows(database: Database, atMost: number): Promise<boolean> {
  const [row] = await database.background.query((sql) => sql`SELECT redate_batches(${atMost}) AS more`);
  return row?.more;
}

export async function configureBatches(database: Database, silenceSeconds: number): Promise<void> {
  await database.background.query((sql) => sql`SELECT configure_batches(${silenceSeconds})`);
}

export interface BatchNumbers {
  pending: number;
  running: number;
  /** Of them, those that were claimed and whose worker was not heard of for a minute, and those that nobody claims for as long. */
  pending_alone: number;
  running_alone: number;
  /** Within the last hour, by why. */
  ended: Record<string, number>;
}

/** For the metrics, whether or not somebody has tidied; takes no lock. Only of a run that may be over the rules are asked. */
export async function selectBatchNumbers(database: Database): Promise<BatchNumbers> {
  const [row] = await database.background.query(
    (sql) => sql<BatchNumbers[]>`
      WITH present AS MATERIALIZED (
        SELECT c.at, silence_cutoff(c.at, batch_claim_lasts()) AS cutoff, c.at - interval '1 hour' AS hour_ago, c.clock_steps
        FROM (SELECT clock_timestamp() AS at, s.clock_steps FROM present_state() s) c
      ), unended AS MATERIALIZED (
        SELECT s.status = 'pending' AS pending,
          CASE WHEN s.status = 'pending' THEN s.created_at
               WHEN s.clock_steps = p.clock_steps THEN s.worker_seen
               ELSE by_present_clock(s.worker_seen, s.clock_steps) END <= p.cutoff AS alone,
          CASE WHEN s.not_over_before <= p.at OR s.clock_steps < p.clock_steps THEN (batch_overdue(s, p.at)).reason END AS reason,
          CASE WHEN s.not_over_before <= p.at OR s.clock_steps < p.clock_steps THEN (batch_overdue(s, p.at)).since END AS since
        FROM batch_sessions s, present p WHERE s.completed_at IS NULL
      ), endings AS (
        SELECT s.ended_reason AS reason FROM batch_sessions s WHERE s.completed_at > (SELECT p.hour_ago FROM present p)
        UNION ALL
        SELECT u.reason FROM unended u WHERE u.since > (SELECT p.hour_ago FROM present p)
      )
      SELECT count(*) FILTER (WHERE u.pending)::int AS pending, count(*) FILTER (WHERE NOT u.pending)::int AS running,
             count(*) FILTER (WHERE u.pending AND u.alone)::int AS pending_alone,
             count(*) FILTER (WHERE NOT u.pending AND u.alone)::int AS running_alone,
             (SELECT coalesce(json_object_agg(e.reason, e.n), '{}')
              FROM (SELECT reason, count(*) AS n FROM endings GROUP BY reason) e) AS ended
      FROM unended u WHERE u.reason IS NULL`,
  );
  return row as BatchNumbers;
}
