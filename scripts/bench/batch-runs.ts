/** Makes batch runs by the hundred thousand, and says what the database keeps of them. */
import type postgres from "postgres";

/** Of a run that is made here, by its number. */
export const runId = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;

/** What each node reports; the sizes of rows are told beyond it. */
export const RESULT = { file_path: "pages/a-page-of-the-manual.html", file_size: "48213" };

/** The statement of a node's result alone, on one of so many runs. */
export const putScript = (runs: number): string => `
\\set n random(1, ${runs})
\\set node random(1, 1000000000)
SELECT outcome FROM put_node(('00000000-0000-4000-8000-' || lpad(:n::text, 12, '0'))::uuid, 'pgbench-' || :node, 'success',
  '${JSON.stringify(RESULT)}', NULL, now() - interval '1 second', now(), NULL, 1073741824);
`;

/** Running, claimed and heard of just now; a plan has its groups of equal size. */
export async function seedRuns(
  sql: postgres.Sql,
  runs: { from: number; count: number; nodes: number; groups?: number },
): Promise<void> {
  const { from, count, nodes, groups } = runs;
  const plan = groups && {
    max_concurrent: 12,
    groups: Array.from({ length: groups }, (_, n) => ({ group_id: n, agent_type: "a", total_nodes: nodes / groups })),
  };
  await sql`
    INSERT INTO batch_sessions (session_id, canvas_path, node_count, metadata, plan, status, created_at, updated_at, started_at,
                                attempt, worker, claimed_at, worker_seen, last_report, clock_steps, not_over_before)
    SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'run-' || n || '.canvas', ${nodes}, '{}',
           ${plan ? sql.json(plan) : null}, 'running', now(), now(), now(), 1, 'bench', now(), now(), now(), s.clock_steps,
           now() + batch_silence()
    FROM generate_series(${from}::int, ${from + count - 1}::int) n, present_state() s`;
}

/** As they are written while a run is under way: nobody has vacuumed or analysed since. */
export async function seedResults(sql: postgres.Sql, run: number, results: { count: number; groups?: number }) {
  await sql`
    INSERT INTO batch_nodes (run, node_id, group_no, status, result, started_at, completed_at)
    SELECT s.run, 'node-' || n, n % ${results.groups ?? null}::int, 'success', ${sql.json(RESULT)}, now(), now()
    FROM batch_sessions s, generate_series(1, ${results.count}::int) n WHERE s.session_id = ${runId(run)}`;
}

export interface Kept {
  nodes: number;
  nodeBytes: number;
  eventBytes: number;
  contentBytes: number;
  updates: number;
  heapOnlyUpdates: number;
}

export async function readKept(sql: postgres.Sql): Promise<Kept> {
  await sql`SELECT pg_stat_force_next_flush()`;
  const [row] = await sql`
    SELECT n.nodes::float AS nodes, n.content::float AS "contentBytes",
           pg_total_relation_size('batch_nodes')::float AS "nodeBytes",
           pg_total_relation_size('batch_events')::float AS "eventBytes",
           s.n_tup_upd::float AS updates, s.n_tup_hot_upd::float AS "heapOnlyUpdates"
    FROM pg_stat_user_tables s,
      (SELECT count(*) AS nodes, coalesce(sum(length(n.node_id) + pg_column_size(n.result)), 0) AS content FROM batch_nodes n) n
    WHERE s.relname = 'batch_sessions'`;
  return row as unknown as Kept;
}
