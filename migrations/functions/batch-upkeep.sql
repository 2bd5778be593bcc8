-- What time brings: runs that end by themselves, are forgotten or erased, and what their times say (batch.sql).

-- Ends at most so many runs whose time is over; those that somebody else holds are settled by whoever holds them. Returns how many
-- it has looked at: as many as it may means that there may be more.
CREATE OR REPLACE FUNCTION settle_batches(at_most integer, OUT looked_at integer, OUT ended integer)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  state service_state := present_state();
  at timestamptz := clock_timestamp();
  again timestamptz;
  run batch_sessions;
BEGIN
  looked_at := 0;
  ended := 0;
  -- One index each, in its order: with an OR, or with a clock that is read for each row, every run that lives is looked at.
  FOR run IN
    SELECT * FROM (
      SELECT s.* FROM batch_sessions s WHERE s.completed_at IS NULL AND s.not_over_before <= at
      ORDER BY s.not_over_before LIMIT at_most FOR NO KEY UPDATE SKIP LOCKED) due
    UNION ALL
    SELECT * FROM (
      SELECT s.* FROM batch_sessions s WHERE s.completed_at IS NULL AND s.clock_steps < state.clock_steps
      ORDER BY s.clock_steps LIMIT at_most FOR NO KEY UPDATE SKIP LOCKED) dated
    LIMIT at_most
  LOOP
    looked_at := looked_at + 1;
    run := enter_batch(run.session_id);
    IF run.completed_at IS NOT NULL THEN
      ended := ended + 1;
    ELSE
      -- At least a second away, or a run that lives by an outage of ours would be looked at again and again.
      again := greatest(least(batch_silent_until(run), batch_deadline(run)), clock_timestamp() + interval '1 second');
      UPDATE batch_sessions s
      SET started_at = run.started_at, last_report = run.last_report, worker_seen = run.worker_seen,
          clock_steps = run.clock_steps, not_over_before = again
      WHERE s.run = run.run;
    END IF;
  END LOOP;
END
$$;

-- After the silence was made shorter: takes the next so many runs, and dates of them the runs that live by the present silence,
-- or who asks for many would not see that they may be over. Returns whether there may be more.
CREATE OR REPLACE FUNCTION redate_batches(at_most integer) RETURNS boolean
LANGUAGE plpgsql
SET lock_timeout = '2s'
SET enable_seqscan = off
SET enable_bitmapscan = off -- by the primary key, so that locks are taken in its order
SET jit = off
AS $$
DECLARE
  redated bigint := (SELECT s.redated_to FROM batch_settings s);
  silence interval := batch_silence();
  go_on_after bigint;
BEGIN
  IF redated IS NULL THEN
    RETURN false;
  END IF;
  UPDATE batch_sessions s SET not_over_before = s.last_report + silence
  WHERE s.run > redated AND s.run <= redated + at_most AND s.completed_at IS NULL AND s.not_over_before > s.last_report + silence;
  go_on_after := (SELECT min(s.run) - 1 FROM batch_sessions s WHERE s.run > redated + at_most);
  -- What was being made while it was lowered is found by going through all once more.
  UPDATE batch_settings s
  SET redated_to = CASE WHEN go_on_after IS NULL AND s.lowered_at > clock_timestamp() - interval '10 seconds' THEN 0 ELSE go_on_after END
  WHERE s.redated_to = redated;
  RETURN go_on_after IS NOT NULL;
END
$$;

-- Forgets runs that ended longer ago than the retention, and what belongs to them: so many, that at most about 20,000 nodes go,
-- but one in any case. Returns how many.
CREATE OR REPLACE FUNCTION forget_batches(retention_days integer, OUT forgotten integer)
LANGUAGE plpgsql
SET lock_timeout = '100ms'
AS $$
BEGIN
  DELETE FROM batch_idempotency_keys k WHERE k.key = ANY (ARRAY(
    SELECT old.key FROM batch_idempotency_keys old WHERE old.created_at <= (SELECT clock_timestamp()) - interval '24 hours'
    LIMIT 10000 FOR UPDATE SKIP LOCKED));
  WITH old AS (
    SELECT s.run, sum(s.node_count) OVER (ORDER BY s.completed_at, s.run) - s.node_count AS before
    FROM (SELECT o.run, o.node_count, o.completed_at FROM batch_sessions o
          WHERE o.completed_at < (SELECT retention_clock()) - make_interval(days => retention_days)
          ORDER BY o.completed_at LIMIT 1000 FOR UPDATE SKIP LOCKED) s)
  DELETE FROM batch_sessions s USING old WHERE s.run = old.run AND old.before < 20000;
  GET DIAGNOSTICS forgotten = ROW_COUNT;
END
$$;

-- Takes away all that is known of a run, whatever its state, and what the audit log says of it beyond who did what and when.
-- Of a large one it may take longer than its caller waits, and then goes on: only its waits for others are bounded.
CREATE OR REPLACE FUNCTION erase_batch(id uuid, OUT known boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  gone batch_sessions;
BEGIN
  PERFORM limit_waiting();
  SELECT s.* INTO gone FROM batch_sessions s WHERE s.session_id = id;
  -- In one order, or two that erase a run and the one that resumes it wait for each other.
  PERFORM FROM batch_sessions s WHERE s.session_id IN (id, gone.resumed_from, gone.resumed_as) ORDER BY s.run FOR UPDATE;
  PERFORM limit_waiting();
  DELETE FROM batch_sessions s WHERE s.session_id = id RETURNING s.* INTO gone;
  known := FOUND;
  UPDATE batch_sessions s SET resumed_from = NULL WHERE s.session_id = gone.resumed_as;
  UPDATE batch_sessions s SET resumed_as = NULL WHERE s.session_id = gone.resumed_from;
  DELETE FROM batch_idempotency_keys k WHERE k.session_id = id;
  UPDATE audit_log a SET details = NULL WHERE a.details->>'batch_session_id' = erase_batch.id::text;
  known := known OR FOUND;
  PERFORM pg_notify('keybeat_batch', id::text);
END
$$;

-- A field of a result that is an object, where it is a string.
CREATE OR REPLACE FUNCTION string_field(result jsonb, name text) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$ SELECT CASE WHEN jsonb_typeof(result -> name) = 'string' THEN result ->> name END $$;

-- What the times of a run's nodes say: seconds on the average and in sum, and how many were under way at once; nulls where no
-- node has both its times.
CREATE OR REPLACE FUNCTION batch_node_times(
  of_run bigint, OUT average_seconds double precision, OUT sum_seconds double precision, OUT peak integer
)
LANGUAGE sql STABLE
AS $$
  WITH timed AS (
    SELECT n.started_at, n.completed_at FROM batch_nodes n
    WHERE n.run = of_run AND n.started_at IS NOT NULL AND n.completed_at IS NOT NULL AND NOT n.carried
  ), moves AS (
    -- Of one moment, those that end before those that begin.
    SELECT sum(m.step) OVER (ORDER BY m.at, m.step) AS under_way
    FROM timed t, LATERAL (VALUES (t.started_at, 1), (t.completed_at, -1)) AS m (at, step)
  )
  SELECT (SELECT avg(extract(epoch FROM t.completed_at - t.started_at)) FROM timed t),
         (SELECT sum(extract(epoch FROM t.completed_at - t.started_at)) FROM timed t),
         (SELECT greatest(max(m.under_way), 1)::integer FROM moves m HAVING count(*) > 0)
$$;
