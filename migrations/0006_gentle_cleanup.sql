-- The cleanup goes through the table in pieces and rests between them: read at one go, a million sessions are a tenth of
-- a second in which devices wait. Hand-written; nothing of the tables changes.

-- Moves silent sessions of the pages from `first` up to, not including, `past` into the history, `at_most` of them. What
-- an update moves to another page meanwhile is for the next run.
CREATE FUNCTION expire_sessions_between(first tid, past tid, at_most integer)
RETURNS TABLE (access_key text, session_id text, expired_at timestamptz)
LANGUAGE plpgsql
SET jit = off
AS $$
DECLARE
  cutoff timestamptz := session_cutoff(clock_timestamp());
BEGIN
  RETURN QUERY
  WITH silent AS (
    SELECT s.ctid FROM active_sessions s
    WHERE s.ctid >= first AND s.ctid < past AND s.last_heartbeat <= cutoff
    LIMIT at_most FOR UPDATE SKIP LOCKED
  ), gone AS (
    DELETE FROM active_sessions s USING silent WHERE s.ctid = silent.ctid AND s.last_heartbeat <= cutoff RETURNING s.*
  ), recorded AS (
    INSERT INTO session_history (key_id, access_key, session_id, generation, started_at, last_heartbeat, ended_at,
                                 reason, device)
    SELECT g.key_id, g.access_key, g.session_id, g.generation, g.started_at, g.last_heartbeat,
           session_deadline(g.last_heartbeat), 'expired', g.device
    FROM gone g
    RETURNING session_history.access_key, session_history.session_id, session_history.ended_at
  )
  SELECT r.access_key, mask_session_id(r.session_id), r.ended_at FROM recorded r;
END
$$;
--> statement-breakpoint

-- Of the whole table at once, as the release before this one asks for it.
CREATE OR REPLACE FUNCTION expire_sessions(at_most integer)
RETURNS TABLE (access_key text, session_id text, expired_at timestamptz)
LANGUAGE sql
AS $$
  SELECT * FROM expire_sessions_between('(0,0)', '(4294967295,0)', at_most)
$$;
