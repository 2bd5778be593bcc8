-- Which batch runs are not over, who works on them, how far are they? Longest without a report first; at most 100 rows,
-- `runs` counts all of this state.
--
-- How to read it: a `running` run is reported every few seconds, so a `silent_for` of minutes means that its worker is
-- gone or that a node takes long; `worker_seen` is the last call of the worker that claimed it (empty: nobody claimed
-- it, so nobody need be). A `pending` one waits for a worker: many of them mean that too few run. At `ends_in` 0 it ends
-- by silence (BATCH_SILENCE_SECONDS) or at its deadline, whichever is first, unless it is reported before. `overdue`: it
-- is over for whoever asks, and only waits for the cleanup (CLEANUP_CRON, or `keybeat cleanup`).
WITH rule AS MATERIALIZED (
  SELECT clock_timestamp() AS at
), unended AS (
  SELECT s, s.status, count(*) OVER (PARTITION BY s.status) AS runs
  FROM batch_sessions s
  WHERE s.completed_at IS NULL
  ORDER BY s.last_report, s.run
  LIMIT 100
)
SELECT CASE WHEN (batch_overdue(u.s, rule.at)).reason IS NULL THEN u.status ELSE 'overdue' END AS state,
       mask_session_id((u.s).session_id::text) AS session,
       (u.s).canvas_path,
       (u.s).worker,
       (u.s).attempt,
       date_trunc('second', rule.at - (u.s).worker_seen) AS worker_seen,
       date_trunc('second', rule.at - (u.s).last_report) AS silent_for,
       date_trunc('second', greatest(least(v.silent_until, v.deadline_at) - rule.at, interval '0')) AS ends_in,
       v.progress_percent,
       v.completed_nodes AS completed,
       v.failed_nodes AS failed,
       v.skipped_nodes AS skipped,
       v.node_count AS nodes,
       date_trunc('second', rule.at - (u.s).created_at) AS age,
       u.runs
FROM rule, unended u, view_batch(u.s) v
ORDER BY (u.s).last_report, (u.s).run;
