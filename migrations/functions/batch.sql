-- Batch sessions: runs over many nodes. Five rules:
--
--   * The run's row is its lock. Whoever reports, claims, ends or resumes holds it (enter_batch), so that results of many
--     callers come one after the other, and of an ending and a result one is first.
--   * Lock first, then read the clock, then decide; clock_timestamp() of the database alone decides.
--   * Counts are counts of batch_nodes, taken when they are wanted. Nothing is kept by adding.
--   * Every change that a watcher is told of is an event, written with the change, its id under the lock: without a gap,
--     and in the order of commits.
--   * A run whose time is over is over for whoever asks; whoever finds it so ends it (settle_batch).
--
--   pending ── claim, transition ──► running ──► completed | partial_failure | failed | cancelled
--     └── cancel, or silent ──► cancelled    └── silent, or past its deadline ──► failed

-- The legal moves: these 6 of the 36.
CREATE OR REPLACE FUNCTION is_batch_move(before text, after text) RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
  SELECT (before, after) IN (
    ('pending', 'running'), ('pending', 'cancelled'),
    ('running', 'completed'), ('running', 'partial_failure'), ('running', 'failed'), ('running', 'cancelled'))
$$;

CREATE OR REPLACE FUNCTION refuse_batch_move() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  RAISE check_violation USING MESSAGE = format('a run does not go from %s to %s', OLD.status, NEW.status);
END
$$;

-- Whoever writes the table: an ending is final.
CREATE OR REPLACE TRIGGER batch_sessions_move BEFORE UPDATE ON batch_sessions
FOR EACH ROW WHEN (OLD.status <> NEW.status AND NOT is_batch_move(OLD.status, NEW.status))
EXECUTE FUNCTION refuse_batch_move();

-- A shorter silence makes what lives be dated anew (redate_batches).
CREATE OR REPLACE FUNCTION configure_batches(silence integer) RETURNS void
LANGUAGE sql
SET lock_timeout = '2s'
AS $$
  UPDATE batch_settings s
  SET silence_seconds = silence,
      redated_to = CASE WHEN silence < s.silence_seconds THEN 0 ELSE s.redated_to END,
      lowered_at = CASE WHEN silence < s.silence_seconds THEN clock_timestamp() ELSE s.lowered_at END
  WHERE s.silence_seconds <> silence
$$;

-- BATCH_SILENCE_SECONDS.
CREATE OR REPLACE FUNCTION batch_silence() RETURNS interval
LANGUAGE sql STABLE
AS $$ SELECT make_interval(secs => s.silence_seconds) FROM batch_settings s $$;

-- Until when a run lives without a further report.
CREATE OR REPLACE FUNCTION batch_silent_until(run batch_sessions) RETURNS timestamptz
LANGUAGE sql STABLE
AS $$ SELECT silence_deadline(by_present_clock(run.last_report, run.clock_steps), batch_silence()) WHERE run.completed_at IS NULL $$;

-- Until when it lives whatever is reported. Null: it has no such limit, or has not begun.
CREATE OR REPLACE FUNCTION batch_deadline(run batch_sessions) RETURNS timestamptz
LANGUAGE sql STABLE
AS $$ SELECT by_present_clock(run.started_at, run.clock_steps) + make_interval(secs => run.timeout_seconds) $$;

-- Whether its time is over, by which limit (silence | deadline) and since when; reason null: it is not.
CREATE OR REPLACE FUNCTION batch_overdue(run batch_sessions, at timestamptz, OUT reason text, OUT since timestamptz)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  deadline timestamptz := batch_deadline(run);
BEGIN
  IF run.completed_at IS NOT NULL THEN
    RETURN;
  END IF;
  IF by_present_clock(run.last_report, run.clock_steps) <= silence_cutoff(at, batch_silence()) THEN
    reason := 'silence';
    since := least(at, batch_silent_until(run));
  END IF;
  IF deadline <= least(at, since) THEN
    reason := 'deadline';
    since := deadline;
  END IF;
END
$$;

-- The nodes that are in, by their outcome: each a count in the index, as of 10,000 rows the heap costs twice as much.
CREATE OR REPLACE FUNCTION count_nodes(of_run bigint, OUT completed integer, OUT failed integer, OUT skipped integer)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off -- a plan made while the tables were empty must not live on when they are large
SET jit = off
AS $$
BEGIN
  completed := (SELECT count(*) FROM batch_nodes n WHERE n.run = of_run AND n.status = 'success');
  failed := (SELECT count(*) FROM batch_nodes n WHERE n.run = of_run AND n.status = 'failed');
  skipped := (SELECT count(*) FROM batch_nodes n WHERE n.run = of_run AND n.status = 'skipped');
END
$$;

-- The same of one group of its plan.
CREATE OR REPLACE FUNCTION count_group(of_run bigint, no smallint, OUT completed integer, OUT failed integer, OUT skipped integer)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
  completed := (SELECT count(*) FROM batch_nodes n WHERE n.run = of_run AND n.status = 'success' AND n.group_no = no);
  failed := (SELECT count(*) FROM batch_nodes n WHERE n.run = of_run AND n.status = 'failed' AND n.group_no = no);
  skipped := (SELECT count(*) FROM batch_nodes n WHERE n.run = of_run AND n.status = 'skipped' AND n.group_no = no);
END
$$;

-- In hundredths, rounded down: 100 only when every node is in. What the worker sent stands until the next result.
CREATE OR REPLACE FUNCTION batch_progress(run batch_sessions, processed integer) RETURNS double precision
LANGUAGE sql IMMUTABLE
AS $$
  SELECT coalesce(run.progress_sent, CASE
    WHEN run.node_count > 0 THEN floor(10000.0 * processed / run.node_count) / 100
    WHEN run.status = 'completed' THEN 100 ELSE 0 END)
$$;

-- completed, failed and skipped at this moment, for a statement that has waited for the run since it began: by itself it
-- would count what was there before.
CREATE OR REPLACE FUNCTION count_nodes_now(of_run bigint) RETURNS integer[]
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  RETURN (SELECT ARRAY[c.completed, c.failed, c.skipped] FROM count_nodes(of_run) c);
END
$$;

-- A run as its reader sees it, but for its results. counted: as count_nodes_now; null: the caller reads all of one moment.
CREATE OR REPLACE FUNCTION view_batch(run batch_sessions, counted integer[] DEFAULT NULL)
RETURNS TABLE (
  number bigint, session_id uuid, canvas_path text, node_count integer, status text, created_at timestamptz, updated_at timestamptz,
  started_at timestamptz, completed_at timestamptz, progress_percent double precision, completed_nodes integer,
  failed_nodes integer, skipped_nodes integer, error_message text, metadata jsonb, attempt integer, worker text,
  message text, ended_reason text, silent_until timestamptz, deadline_at timestamptz, resumed_from uuid, resumed_as uuid,
  estimated_completion timestamptz, silence_seconds integer, result_bytes bigint, last_event bigint, plan jsonb
)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  counts integer[] := coalesce(counted, (SELECT ARRAY[c.completed, c.failed, c.skipped] FROM count_nodes(run.run) c));
  processed integer := counts[1] + counts[2] + counts[3];
  done integer := processed - run.carried_nodes;
  at timestamptz := clock_timestamp();
BEGIN
  run.started_at := by_present_clock(run.started_at, run.clock_steps);
  RETURN QUERY SELECT
    run.run, run.session_id, run.canvas_path, run.node_count, run.status, run.created_at, run.updated_at, run.started_at,
    run.completed_at, batch_progress(run, processed), counts[1], counts[2], counts[3],
    run.error_message, run.metadata, run.attempt, run.worker, run.message, run.ended_reason, batch_silent_until(run),
    batch_deadline(run), run.resumed_from, run.resumed_as,
    CASE WHEN run.status = 'running' AND done > 0
         THEN at + greatest(run.node_count - processed, 0) * ((at - run.started_at) / done) END,
    (SELECT s.silence_seconds FROM batch_settings s), run.result_bytes, run.last_event, run.plan;
END
$$;

-- Adds an event, and takes away those beyond the last 200,000, a thousand at a time. The caller holds the run, and keeps it
-- (keep_batch).
CREATE OR REPLACE FUNCTION write_batch_event(run batch_sessions, at timestamptz, event text, data jsonb) RETURNS batch_sessions
LANGUAGE plpgsql
AS $$
BEGIN
  run.last_event := run.last_event + 1;
  INSERT INTO batch_events (run, id, at, event, data) VALUES (run.run, run.last_event, at, event, data);
  IF run.last_event % 1000 = 0 THEN
    DELETE FROM batch_events e WHERE e.run = write_batch_event.run.run AND e.id <= write_batch_event.run.last_event - 200000;
  END IF;
  RETURN run;
END
$$;

-- Keeps what the caller, who holds the run's lock, has made of it, and tells who watches.
CREATE OR REPLACE FUNCTION keep_batch(run batch_sessions) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
  UPDATE batch_sessions s
  SET status = run.status, updated_at = run.updated_at, started_at = run.started_at, completed_at = run.completed_at,
      ended_reason = run.ended_reason, error_message = run.error_message, message = run.message,
      progress_sent = run.progress_sent, attempt = run.attempt, worker = run.worker, claimed_at = run.claimed_at,
      worker_seen = run.worker_seen, last_report = run.last_report, clock_steps = run.clock_steps,
      not_over_before = run.not_over_before, result_bytes = run.result_bytes, last_event = run.last_event,
      resumed_as = run.resumed_as
  WHERE s.run = run.run;
  PERFORM pg_notify('keybeat_batch', run.session_id::text);
  PERFORM limit_waiting();
END
$$;

-- Ends it. The caller holds the run.
CREATE OR REPLACE FUNCTION end_batch(
  run batch_sessions, to_status text, reason text, with_message text, ended_at timestamptz
) RETURNS batch_sessions
LANGUAGE plpgsql
AS $$
DECLARE
  counted record := count_nodes(run.run);
BEGIN
  run.status := to_status;
  run.ended_reason := reason;
  run.error_message := with_message;
  run.completed_at := ended_at;
  run.updated_at := ended_at;
  run.not_over_before := NULL;
  run := write_batch_event(run, ended_at, 'complete', jsonb_build_object(
    'status', to_status, 'ended_reason', reason, 'error_message', with_message,
    'total_duration', round(greatest(0, extract(epoch FROM ended_at - coalesce(run.started_at, run.created_at))), 3),
    'success_count', counted.completed, 'failure_count', counted.failed, 'skipped_count', counted.skipped));
  PERFORM keep_batch(run);
  RETURN run;
END
$$;

-- Ends it if its time is over: a running one failed, one that never began cancelled. The caller holds the run.
CREATE OR REPLACE FUNCTION settle_batch(run batch_sessions) RETURNS batch_sessions
LANGUAGE plpgsql
AS $$
DECLARE
  over record := batch_overdue(run, clock_timestamp());
BEGIN
  IF over.reason IS NULL THEN
    RETURN run;
  END IF;
  RETURN end_batch(
    run, CASE run.status WHEN 'running' THEN 'failed' ELSE 'cancelled' END, over.reason,
    CASE over.reason WHEN 'silence' THEN 'no sign of life for ' || duration_in_words((SELECT s.silence_seconds FROM batch_settings s))
                     ELSE 'not done within ' || duration_in_words(run.timeout_seconds) END,
    over.since);
END
$$;

-- The run, locked, dated by the clock as it is now, and ended if its time is over. Nulls: there is none.
CREATE OR REPLACE FUNCTION enter_batch(id uuid) RETURNS batch_sessions
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  run batch_sessions;
  steps bigint;
BEGIN
  PERFORM limit_waiting();
  SELECT s.* INTO run FROM batch_sessions s WHERE s.session_id = id FOR NO KEY UPDATE;
  PERFORM limit_waiting();
  IF run.run IS NULL OR run.completed_at IS NOT NULL THEN
    RETURN run;
  END IF;
  steps := (SELECT s.clock_steps FROM present_state() s);
  IF run.clock_steps <> steps THEN
    run.started_at := by_present_clock(run.started_at, run.clock_steps);
    run.last_report := by_present_clock(run.last_report, run.clock_steps);
    run.worker_seen := by_present_clock(run.worker_seen, run.clock_steps);
    run.not_over_before := clock_timestamp();
    run.clock_steps := steps;
  END IF;
  RETURN settle_batch(run);
END
$$;

-- A sign of life, with the present attempt of its worker too.
CREATE OR REPLACE FUNCTION hear_batch(run batch_sessions, with_attempt integer, at timestamptz) RETURNS batch_sessions
LANGUAGE plpgsql
AS $$
DECLARE
  until timestamptz := least(at + batch_silence(), batch_deadline(run));
BEGIN
  run.last_report := at;
  IF with_attempt = run.attempt AND run.claimed_at IS NOT NULL THEN
    run.worker_seen := at;
  END IF;
  -- An index has it: once in a twentieth of the time is enough.
  IF run.not_over_before < until - batch_silence() / 20 OR run.not_over_before > until THEN
    run.not_over_before := until;
  END IF;
  RETURN run;
END
$$;

CREATE OR REPLACE FUNCTION start_batch(run batch_sessions, at timestamptz) RETURNS batch_sessions
LANGUAGE plpgsql
AS $$
BEGIN
  run.status := 'running';
  run.started_at := at;
  RETURN run;
END
$$;

-- Makes a run, from a request that has a key the first time only: whatever has happened since, the same request gives the
-- same run. outcome: created | repeated | idempotency_conflict
CREATE OR REPLACE FUNCTION create_batch(
  id uuid, path text, nodes integer, with_metadata jsonb, timeout integer, request_key text, hash bytea,
  with_plan jsonb DEFAULT NULL, named jsonb DEFAULT NULL,
  OUT outcome text, OUT run batch_sessions
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  at timestamptz;
  known batch_idempotency_keys;
BEGIN
  PERFORM limit_waiting();
  IF request_key IS NOT NULL THEN
    LOOP
      INSERT INTO batch_idempotency_keys (key, request_hash, session_id, created_at)
      VALUES (request_key, hash, id, clock_timestamp()) ON CONFLICT DO NOTHING;
      EXIT WHEN FOUND;
      -- A statement of its own sees what it has waited for: the run of the one that was first.
      SELECT k.* INTO known FROM batch_idempotency_keys k WHERE k.key = request_key FOR UPDATE;
      -- Another request put a new key in the place of the one that this has waited for.
      CONTINUE WHEN NOT FOUND;
      SELECT s.* INTO run FROM batch_sessions s WHERE s.session_id = known.session_id;
      IF FOUND AND known.created_at > clock_timestamp() - interval '24 hours' THEN
        outcome := CASE WHEN known.request_hash = hash THEN 'repeated' ELSE 'idempotency_conflict' END;
        RETURN;
      END IF;
      DELETE FROM batch_idempotency_keys k WHERE k.key = request_key;
    END LOOP;
  END IF;
  at := clock_timestamp();
  INSERT INTO batch_sessions (session_id, canvas_path, node_count, metadata, plan, timeout_seconds, created_at, updated_at,
                              last_report, clock_steps, not_over_before)
  SELECT id, path, nodes, with_metadata, with_plan, timeout, at, at, at, s.clock_steps, at + batch_silence() FROM present_state() s
  RETURNING * INTO run;
  INSERT INTO batch_nodes (run, node_id, group_no)
  SELECT run.run, n.node_id, n.group_no FROM jsonb_to_recordset(named) AS n (node_id text, group_no smallint);
  outcome := 'created';
  PERFORM limit_waiting();
END
$$;

-- outcome: moved | results_disagree | invalid_transition | session_not_found | attempt_replaced | attempt_unknown
CREATE OR REPLACE FUNCTION move_batch(
  id uuid, to_status text, with_message text, with_attempt integer, OUT outcome text, OUT run batch_sessions
)
LANGUAGE plpgsql
AS $$
DECLARE
  at timestamptz;
BEGIN
  run := enter_batch(id);
  at := clock_timestamp();
  outcome := fence_batch(run, with_attempt);
  IF outcome IS NULL OR outcome = 'session_over' THEN
    outcome := CASE WHEN NOT is_batch_move(run.status, to_status) THEN 'invalid_transition'
                    WHEN to_status = 'completed' AND (SELECT c.failed > 0 FROM count_nodes(run.run) c) THEN 'results_disagree' END;
  END IF;
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;
  outcome := 'moved';
  run := hear_batch(run, with_attempt, at);
  IF to_status <> 'running' THEN
    run := end_batch(run, to_status, CASE to_status WHEN 'cancelled' THEN 'cancelled' ELSE 'reported' END, with_message, at);
    RETURN;
  END IF;
  run := start_batch(run, at);
  run.updated_at := at;
  run.error_message := with_message;
  run := hear_batch(run, with_attempt, at);
  run := write_batch_event(run, at, 'started', jsonb_build_object('status', run.status, 'attempt', run.attempt));
  PERFORM keep_batch(run);
END
$$;

-- Ends it as its results say. outcome: moved, or as of move_batch
CREATE OR REPLACE FUNCTION complete_batch(
  id uuid, with_message text, percent double precision, with_attempt integer, OUT outcome text, OUT run batch_sessions
)
LANGUAGE plpgsql
AS $$
DECLARE
  at timestamptz;
  counted record;
  processed integer;
BEGIN
  run := enter_batch(id);
  at := clock_timestamp();
  outcome := fence_batch(run, with_attempt);
  IF outcome IS NULL AND run.status = 'pending' THEN
    outcome := 'invalid_transition';
  END IF;
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;
  outcome := 'moved';
  counted := count_nodes(run.run);
  processed := counted.completed + counted.failed + counted.skipped;
  run := hear_batch(run, with_attempt, at);
  run.progress_sent := coalesce(percent, run.progress_sent);
  run := end_batch(
    run, CASE WHEN counted.failed = 0 AND processed IN (0, run.node_count) THEN 'completed'
              WHEN counted.completed = 0 THEN 'failed' ELSE 'partial_failure' END, 'reported', with_message, at);
END
$$;

-- A sign of life, with what the worker says of its progress; of a run that has not begun that alone counts.
-- outcome: reported | session_not_found | session_over | attempt_replaced | attempt_unknown
CREATE OR REPLACE FUNCTION report_batch(
  id uuid, percent double precision, with_message text, with_attempt integer, OUT outcome text, OUT run batch_sessions
)
LANGUAGE plpgsql
AS $$
DECLARE
  at timestamptz;
BEGIN
  run := enter_batch(id);
  at := clock_timestamp();
  outcome := fence_batch(run, with_attempt);
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;
  outcome := 'reported';
  run := hear_batch(run, with_attempt, at);
  IF run.status = 'running' AND (percent, with_message) IS DISTINCT FROM (NULL::double precision, NULL::text) THEN
    run.progress_sent := coalesce(percent, run.progress_sent);
    run.message := coalesce(with_message, run.message);
    run.updated_at := at;
  END IF;
  PERFORM keep_batch(run);
END
$$;

-- Ends it on somebody's wish. outcome: cancelled | session_not_found | session_over
CREATE OR REPLACE FUNCTION cancel_batch(id uuid, why text, OUT outcome text, OUT run batch_sessions)
LANGUAGE plpgsql
AS $$
BEGIN
  run := enter_batch(id);
  outcome := fence_batch(run, NULL);
  IF outcome IS NULL THEN
    outcome := 'cancelled';
    run := end_batch(run, 'cancelled', 'cancelled', why, clock_timestamp());
  END IF;
END
$$;

-- Ends it by an operator: what runs has failed, what never began is cancelled. outcome: ended | session_not_found | session_over
CREATE OR REPLACE FUNCTION force_batch_end(id uuid, why text, OUT outcome text, OUT run batch_sessions)
LANGUAGE plpgsql
AS $$
BEGIN
  run := enter_batch(id);
  outcome := fence_batch(run, NULL);
  IF outcome IS NULL THEN
    outcome := 'ended';
    run := end_batch(
      run, CASE run.status WHEN 'running' THEN 'failed' ELSE 'cancelled' END, 'operator', coalesce(why, 'ended by an operator'),
      clock_timestamp());
  END IF;
END
$$;

-- The run as it is to its reader: ended, if its time is over. Only then is it locked.
CREATE OR REPLACE FUNCTION read_batch(id uuid) RETURNS batch_sessions
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  run batch_sessions;
BEGIN
  SELECT s.* INTO run FROM batch_sessions s WHERE s.session_id = id;
  IF (SELECT o.reason FROM batch_overdue(run, clock_timestamp()) o) IS NOT NULL THEN
    run := enter_batch(id);
  END IF;
  RETURN run;
END
$$;
