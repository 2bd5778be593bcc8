-- Which worker has a run: claims, attempts and reports that come too late, by the rules of batch sessions (batch.sql).

-- A worker that claimed a run and was not heard of for so long may be followed by another.
CREATE OR REPLACE FUNCTION batch_claim_lasts() RETURNS interval
LANGUAGE sql IMMUTABLE
AS $$ SELECT interval '60 seconds' $$;

-- Why a report does not count: session_over | attempt_replaced | attempt_unknown; null: it does.
CREATE OR REPLACE FUNCTION fence_batch(run batch_sessions, with_attempt integer) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE WHEN run.run IS NULL THEN 'session_not_found' WHEN run.completed_at IS NOT NULL THEN 'session_over'
              WHEN with_attempt < run.attempt THEN 'attempt_replaced'
              WHEN with_attempt > run.attempt THEN 'attempt_unknown' END
$$;

-- A worker takes the run. While the one before it is heard of it keeps the run, unless the new one may replace it or has its
-- name. outcome: claimed | held | session_not_found | session_over
CREATE OR REPLACE FUNCTION claim_batch(id uuid, by_worker text, may_replace boolean, OUT outcome text, OUT run batch_sessions)
LANGUAGE plpgsql
AS $$
DECLARE
  at timestamptz;
BEGIN
  run := enter_batch(id);
  at := clock_timestamp();
  outcome := fence_batch(run, NULL);
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;
  IF NOT may_replace AND run.worker_seen > silence_cutoff(at, batch_claim_lasts()) AND (run.worker = by_worker) IS NOT TRUE THEN
    outcome := 'held';
    RETURN;
  END IF;
  outcome := 'claimed';
  IF run.status = 'pending' THEN
    run := start_batch(run, at);
  END IF;
  run.attempt := run.attempt + 1;
  run.worker := by_worker;
  run.claimed_at := at;
  run.updated_at := at;
  run := hear_batch(run, run.attempt, at);
  run := write_batch_event(run, at, 'attempt', jsonb_build_object('attempt', run.attempt, 'worker', run.worker));
  PERFORM keep_batch(run);
END
$$;
