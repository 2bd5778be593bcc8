/** Faults of batch sessions that the random stories must find: of every rule of migrations/functions/batch.sql one or more. */
import type { Mutant } from "../../../support/mutants.ts";

type FunctionMutant = Extract<Mutant, { fn: string }>;

export const MUTANTS: FunctionMutant[] = [
  // The moves.
  {
    name: "a pending run may be completed",
    fn: "is_batch_move",
    swaps: [["('pending', 'running'),", "('pending', 'running'), ('pending', 'completed'),"]],
    also: "ALTER TABLE batch_sessions DROP CONSTRAINT batch_sessions_started",
  },
  {
    name: "a running run cannot be cancelled by its worker",
    fn: "is_batch_move",
    swaps: [[", ('running', 'cancelled')", ""]],
  },
  {
    name: "the same state again is legal",
    fn: "is_batch_move",
    swaps: [["('pending', 'running'),", "('pending', 'running'), ('running', 'running'),"]],
  },
  {
    name: "an ending may follow an ending",
    fn: "is_batch_move",
    swaps: [["('pending', 'running'),", "('pending', 'running'), ('cancelled', 'failed'), ('failed', 'completed'),"]],
  },
  {
    name: "a run with failures is completed when its worker says so",
    fn: "move_batch",
    swaps: [["SELECT c.failed > 0 FROM", "SELECT false FROM"]],
  },
  {
    name: "a worker that lost its run moves it all the same",
    fn: "move_batch",
    swaps: [["outcome := fence_batch(run, with_attempt);", "outcome := fence_batch(run, NULL);"]],
  },
  {
    name: "a cancel by transition is said to be reported",
    fn: "move_batch",
    swaps: [["CASE to_status WHEN 'cancelled' THEN 'cancelled' ELSE 'reported' END", "'reported'"]],
  },
  { name: "a start by transition is not told", fn: "move_batch", swaps: [[/run := write_batch_event[^;]*;/, ""]] },
  // The ending by the results.
  {
    name: "a run with failures is completed",
    fn: "complete_batch",
    swaps: [["counted.failed = 0 AND processed", "processed"]],
  },
  {
    name: "a run that is not done is completed",
    fn: "complete_batch",
    swaps: [["processed IN (0, run.node_count)", "true"]],
  },
  {
    name: "a run of which nothing was reported has failed",
    fn: "complete_batch",
    swaps: [["IN (0, run.node_count)", "= run.node_count"]],
  },
  {
    name: "no success at all is a partial failure",
    fn: "complete_batch",
    swaps: [["counted.completed = 0", "false"]],
  },
  {
    name: "a run that never began is completed",
    fn: "complete_batch",
    swaps: [["run.status = 'pending'", "false"]],
    also: `ALTER TABLE batch_sessions DROP CONSTRAINT batch_sessions_started;
           DROP TRIGGER batch_sessions_move ON batch_sessions`,
  },
  {
    name: "the last progress is forgotten",
    fn: "complete_batch",
    swaps: [["coalesce(percent, run.progress_sent)", "run.progress_sent"]],
  },
  { name: "the end is not told", fn: "end_batch", swaps: [[/run := write_batch_event\([\s\S]*?\)\);/, ""]] },
  {
    name: "an end is dated by who finds it",
    fn: "end_batch",
    swaps: [["run.completed_at := ended_at;", "run.completed_at := clock_timestamp();"]],
  },
  // Counts.
  {
    name: "skipped nodes count as successes",
    fn: "count_nodes",
    swaps: [["n.status = 'success'", "n.status IN ('success', 'skipped')"]],
  },
  {
    name: "failures are not counted as processed",
    fn: "view_batch",
    swaps: [["counts[1] + counts[2] + counts[3]", "counts[1] + counts[3]"]],
  },
  {
    name: "progress is rounded up to 100",
    fn: "batch_progress",
    swaps: [["floor(10000.0 * processed / run.node_count) / 100", "ceil(1.0 * processed / run.node_count) * 100"]],
  },
  {
    name: "what the worker sent of its progress is not shown",
    fn: "batch_progress",
    swaps: [["coalesce(run.progress_sent, CASE", "coalesce(NULL, CASE"]],
  },
  {
    name: "what was carried over makes the pace",
    fn: "view_batch",
    swaps: [["processed - run.carried_nodes", "processed"]],
  },
  // Claims.
  {
    name: "a claim takes the run of a worker that was heard of",
    fn: "claim_batch",
    swaps: [["NOT may_replace AND run.worker_seen", "false AND run.worker_seen"]],
  },
  { name: "replace does not replace", fn: "claim_batch", swaps: [["NOT may_replace AND", ""]] },
  {
    name: "a worker does not get its own run again",
    fn: "claim_batch",
    swaps: [["AND (run.worker = by_worker) IS NOT TRUE", ""]],
  },
  {
    name: "two workers without a name are one",
    fn: "claim_batch",
    swaps: [["(run.worker = by_worker) IS NOT TRUE", "run.worker IS DISTINCT FROM by_worker"]],
  },
  {
    name: "a claim of the own run gives the same attempt",
    fn: "claim_batch",
    swaps: [
      [
        "run.attempt := run.attempt + 1;",
        "IF run.worker IS DISTINCT FROM by_worker OR run.attempt = 0 THEN run.attempt := run.attempt + 1; END IF;",
      ],
    ],
  },
  {
    name: "a claim does not begin the run",
    fn: "claim_batch",
    swaps: [["run := start_batch(run, at);", ""]],
  },
  {
    name: "a claim begins the time of the run anew",
    fn: "claim_batch",
    swaps: [["IF run.status = 'pending' THEN", "IF true THEN"]],
  },
  { name: "a claim is not told", fn: "claim_batch", swaps: [[/run := write_batch_event[^;]*;/, ""]] },
  { name: "a worker is waited for two minutes", fn: "batch_claim_lasts", swaps: [["60 seconds", "120 seconds"]] },
  { name: "a worker is waited for 58 seconds", fn: "batch_claim_lasts", swaps: [["60 seconds", "58 seconds"]] },
  // Who is fenced.
  {
    name: "a worker that lost its run is heard",
    fn: "fence_batch",
    swaps: [["WHEN with_attempt < run.attempt THEN 'attempt_replaced'", ""]],
  },
  {
    name: "an attempt that was never given is believed",
    fn: "fence_batch",
    swaps: [["WHEN with_attempt > run.attempt THEN 'attempt_unknown'", ""]],
  },
  {
    name: "who names no attempt is fenced",
    fn: "fence_batch",
    swaps: [["WHEN with_attempt < run.attempt", "WHEN coalesce(with_attempt, 0) < run.attempt"]],
  },
  // Signs of life.
  { name: "a report is no sign of life", fn: "hear_batch", swaps: [["run.last_report := at;", ""]] },
  {
    name: "every report is a sign of life of the worker",
    fn: "hear_batch",
    swaps: [[/IF with_attempt = run\.attempt.*THEN/, "IF true THEN"]],
  },
  {
    name: "no report is a sign of life of the worker",
    fn: "hear_batch",
    swaps: [[/IF with_attempt = run\.attempt.*THEN/, "IF false THEN"]],
  },
  {
    name: "who says attempt 0 before the first claim holds the run",
    fn: "hear_batch",
    swaps: [[/IF with_attempt = run\.attempt.*THEN/, "IF with_attempt = run.attempt THEN"]],
  },
  {
    name: "the same result again is no sign of life",
    fn: "put_node",
    swaps: [
      ["run := hear_batch(run, with_attempt, at);", ""],
      ["outcome := 'stored';", "outcome := 'stored'; run := hear_batch(run, with_attempt, at);"],
    ],
  },
  {
    name: "progress of a pending run is kept",
    fn: "report_batch",
    swaps: [["run.status = 'running' AND", ""]],
  },
  {
    name: "a report without a number takes back the one before",
    fn: "report_batch",
    swaps: [["coalesce(percent, run.progress_sent)", "percent"]],
  },
  // The two limits.
  {
    name: "runs live for two seconds less",
    fn: "batch_silence",
    swaps: [["secs => s.silence_seconds", "secs => s.silence_seconds - 2"]],
  },
  {
    name: "runs live for two seconds more",
    fn: "batch_silence",
    swaps: [["secs => s.silence_seconds", "secs => s.silence_seconds + 2"]],
  },
  {
    name: "nobody falls silent",
    fn: "batch_overdue",
    swaps: [["silence_cutoff(at, batch_silence()) THEN", "silence_cutoff(at, batch_silence()) AND false THEN"]],
  },
  {
    name: "a run that reports lives past its deadline",
    fn: "batch_overdue",
    swaps: [["deadline <= least(at, since)", "deadline <= since"]],
  },
  {
    name: "the deadline counts from the creation",
    fn: "batch_deadline",
    swaps: [["run.started_at, run", "run.created_at, run"]],
  },
  {
    name: "silence ends a pending run as failed",
    fn: "settle_batch",
    swaps: [["CASE run.status WHEN 'running' THEN 'failed' ELSE 'cancelled' END", "'failed'"]],
    also: "ALTER TABLE batch_sessions DROP CONSTRAINT batch_sessions_started; DROP TRIGGER batch_sessions_move ON batch_sessions",
  },
  {
    name: "a reader sees a run whose time is over as live",
    fn: "read_batch",
    swaps: [["IS NOT NULL THEN", "IS NULL AND false THEN"]],
  },
  {
    name: "a call finds a run live whose time is over",
    fn: "enter_batch",
    swaps: [["RETURN settle_batch(run);", "RETURN run;"]],
  },
  {
    name: "the cleanup ends none",
    fn: "settle_batches",
    swaps: [["s.not_over_before <= at", "false"]],
  },
  {
    name: "the cleanup comes late to a run with a deadline",
    fn: "hear_batch",
    swaps: [[" OR run.not_over_before > until", ""]],
  },
  // Results.
  {
    name: "a node that execute did not name is taken in",
    fn: "put_node",
    swaps: [["WHEN run.plan IS NOT NULL THEN 'unknown_node'", "WHEN false THEN 'unknown_node'"]],
  },
  {
    name: "a run has one node more than it may",
    fn: "put_node",
    swaps: [[">= run.node_count", "> run.node_count"]],
  },
  { name: "the same result again is a new one", fn: "put_node", swaps: [["IF before = stored THEN", "IF false THEN"]] },
  {
    name: "another result is a duplicate",
    fn: "put_node",
    swaps: [["IF before = stored THEN", "IF before.status = stored.status THEN"]],
  },
  {
    name: "another result does not take the old one's place",
    fn: "put_node",
    swaps: [
      ["SET status = excluded.status, result = excluded.result", "SET status = excluded.status, result = n.result"],
    ],
  },
  {
    name: "a result leaves the number that was sent before it",
    fn: "put_node",
    swaps: [["run.progress_sent := NULL;", ""]],
  },
  {
    name: "a carried result that was done anew is still carried",
    fn: "put_node",
    swaps: [["completed_at = excluded.completed_at, carried = false", "completed_at = excluded.completed_at"]],
  },
  {
    name: "what results weigh is added, and never taken away",
    fn: "put_node",
    swaps: [["run.result_bytes + grown;", "run.result_bytes + greatest(grown, 0);"]],
  },
  { name: "a result is not told", fn: "put_node", swaps: [["run := tell_result(run, stored, before, at);", ""]] },
  // Groups.
  {
    name: "a group that is over is not told of",
    fn: "tell_result",
    swaps: [["became IN ('completed', 'failed') AND became <> was", "became = 'completed' AND became <> was"]],
  },
  {
    name: "a group is told to be over with its first result",
    fn: "batch_group_status",
    swaps: [
      [
        "WHEN completed + failed + skipped = total THEN 'completed'",
        "WHEN completed + failed + skipped > 0 THEN 'completed'",
      ],
    ],
  },
  {
    name: "a failure makes the whole group failed at once",
    fn: "batch_group_status",
    swaps: [["failed > 0 AND (run_is_over OR completed + failed + skipped = total)", "failed > 0"]],
  },
  {
    name: "the run's end leaves a group with failures running",
    fn: "batch_group_status",
    swaps: [["run_is_over OR completed", "completed"]],
  },
  // Resume.
  {
    name: "a completed run is resumed",
    fn: "resume_batch",
    swaps: [["OR old.status = 'completed'", ""]],
  },
  {
    name: "a run that still runs is resumed",
    fn: "resume_batch",
    swaps: [["old.completed_at IS NULL OR", "false OR"]],
  },
  {
    name: "resumed twice is two runs",
    fn: "resume_batch",
    swaps: [[/UPDATE batch_sessions s SET resumed_as = new_id[^;]*;/, ""]],
  },
  {
    name: "failures are carried over",
    fn: "resume_batch",
    swaps: [["n.run = old.run AND n.status = 'success'", "n.run = old.run AND n.status IN ('success', 'failed')"]],
  },
  {
    name: "skipped nodes are carried over, and not to be done",
    fn: "resume_batch",
    swaps: [["n.run = old.run AND n.status = 'success'", "n.run = old.run AND n.status IN ('success', 'skipped')"]],
  },
  {
    name: "what is still to do is forgotten",
    fn: "resume_batch",
    swaps: [["n.status IS DISTINCT FROM 'success' AND old.plan IS NOT NULL", "false"]],
  },
  {
    name: "what is carried over is not told",
    fn: "resume_batch",
    swaps: [["run := tell_carried(run, at);", ""]],
  },
  {
    name: "a group that was carried over is not told of",
    fn: "tell_carried",
    swaps: [["HAVING count(*) = (g.value ->> 'total_nodes')::integer", "HAVING false"]],
  },
  // Requests that come twice.
  {
    name: "a request that comes twice makes two runs",
    fn: "create_batch",
    swaps: [["IF request_key IS NOT NULL THEN", "IF false THEN"]],
  },
  {
    name: "another request with the same key gets that run",
    fn: "create_batch",
    swaps: [["known.request_hash = hash", "true"]],
  },
  // What goes; that nothing goes before its time is for silence.test.ts, as no story keeps a run alive for a week.
  {
    name: "an operator's end cancels",
    fn: "force_batch_end",
    swaps: [["CASE run.status WHEN 'running' THEN 'failed' ELSE 'cancelled' END", "'cancelled'"]],
  },
  { name: "nothing is ever forgotten", fn: "forget_batches", swaps: [["LIMIT 1000 FOR", "LIMIT 0 FOR"]] },
  {
    name: "an erased run is still there",
    fn: "erase_batch",
    swaps: [
      [
        "DELETE FROM batch_sessions s WHERE s.session_id = id RETURNING s.* INTO gone;",
        "SELECT s.* INTO gone FROM batch_sessions s WHERE s.session_id = id;",
      ],
    ],
  },
];
