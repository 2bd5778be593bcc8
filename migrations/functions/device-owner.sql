-- What the owner of a key does with nothing but the key, from the page /key.

-- Ends the key's live session as "ended", with a note to its device, if it has that generation: never one that started
-- since. What a takeover could not do at this moment, it cannot either: the key must be good, and once endings_max sessions
-- of it have ended within the last minute, it waits as a start does (outcome rate_limited, wait_seconds); 0: never.
--
-- outcome: signed_out | nobody_live | invalid_key | key_expired | key_revoked | holder_changed | rate_limited
-- holder:  of holder_changed: the session that stays.
--
-- Any outcome but signed_out has changed nothing visible: at most it has moved an expired session to the history.
CREATE OR REPLACE FUNCTION sign_out_session(
  hash bytea, expected_generation bigint, with_note text, endings_max integer,
  OUT outcome text, OUT holder jsonb, OUT wait_seconds integer
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  owner keys;
  present active_sessions;
  at timestamptz;
  free_at timestamptz;
BEGIN
  PERFORM limit_waiting();
  SELECT k.* INTO owner FROM keys k WHERE k.key_hash = hash FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    outcome := 'invalid_key';
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM active_sessions s WHERE s.key_id = owner.id) THEN
    PERFORM claim_endings();
  END IF;
  PERFORM limit_waiting();
  SELECT s.* INTO present FROM active_sessions s WHERE s.key_id = owner.id FOR UPDATE;
  PERFORM limit_waiting();

  at := clock_timestamp();
  outcome := key_fault(owner, at);
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;
  IF present.key_id IS NOT NULL AND present.last_heartbeat <= session_cutoff(at) THEN
    PERFORM record_expiry(present);
    present := NULL;
  END IF;
  IF present.key_id IS NULL THEN
    outcome := 'nobody_live';
    RETURN;
  END IF;
  IF present.generation IS DISTINCT FROM expected_generation THEN
    outcome := 'holder_changed';
    holder := holder_of(present);
    RETURN;
  END IF;
  IF endings_max > 0 THEN
    SELECT h.ended_at + interval '1 minute' INTO free_at FROM session_history h
    WHERE h.key_id = owner.id AND h.ended_at BETWEEN at - interval '1 minute' AND at + interval '1 second'
    ORDER BY h.ended_at DESC OFFSET endings_max - 1 LIMIT 1;
    IF free_at > at THEN
      outcome := 'rate_limited';
      wait_seconds := least(60, ceil(extract(epoch FROM free_at - at)));
      RETURN;
    END IF;
  END IF;
  DELETE FROM active_sessions s WHERE s.key_id = present.key_id;
  PERFORM record_noted_ending(present, 'ended', at, with_note);
  outcome := 'signed_out';
  PERFORM limit_waiting();
END
$$;
