/** The statements of the published view. */
import type { Database } from "../../../database/database.ts";
import { overdue, selectSettled } from "../reading-sql.ts";
import type { BatchRow } from "../sql.ts";

export interface GroupRow {
  group_no: number;
  status: "pending" | "running" | "completed" | "failed";
  completed: number;
  results: Array<{ node_id: string; file_path: string | null; file_size: string | null }>;
  errors: Array<{ node_id: string; error_message: string | null }>;
}

/** What the nodes' times say; nulls where none has any. */
export interface TimesRow {
  average_seconds: number | null;
  sum_seconds: number | null;
  peak: number | null;
}

/** The run with its groups, in the order of the plan, of one moment. Undefined: there is no such run. */
export function selectGroupedRun(
  database: Database,
  sessionId: string,
): Promise<(BatchRow & { grouped: GroupRow[] } & TimesRow) | undefined> {
  return selectSettled(
    database,
    sessionId,
    (sql) => sql`
      SELECT b.*, ${overdue(sql)}, times.*, coalesce((
        SELECT json_agg(g ORDER BY g.group_no) FROM (
          SELECT n.group_no, count(*) FILTER (WHERE n.status = 'success') AS completed,
            batch_group_status(
              count(*)::int, (count(*) FILTER (WHERE n.status = 'success'))::int, (count(*) FILTER (WHERE n.status = 'failed'))::int,
              (count(*) FILTER (WHERE n.status = 'skipped'))::int, b.completed_at IS NOT NULL) AS status,
            coalesce(json_agg(json_build_object(
              'node_id', n.node_id, 'file_path', string_field(n.result, 'file_path'), 'file_size', string_field(n.result, 'file_size')
            ) ORDER BY n.node_id) FILTER (WHERE n.status = 'success'), '[]') AS results,
            coalesce(json_agg(json_build_object('node_id', n.node_id, 'error_message', n.error)
              ORDER BY n.node_id) FILTER (WHERE n.status = 'failed'), '[]') AS errors
          FROM batch_nodes n WHERE n.run = b.number AND n.group_no IS NOT NULL GROUP BY n.group_no) g), '[]') AS grouped
      FROM batch_sessions s, view_batch(s) b
      LEFT JOIN LATERAL batch_node_times(b.number) times ON b.completed_at IS NOT NULL
      WHERE s.session_id = ${sessionId}`,
  );
}
