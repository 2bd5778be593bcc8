-- How a device session starts. The rules of device.sql hold here, too: lock first, then read the clock, then decide.

-- Starts a session (start_device_session_at_once) unless it has to wait (outcome rate_limited, wait_seconds; nothing has
-- changed), because
--   takeovers_max sessions of the key ended within the last minute, whatever ended them: a client that starts and ends
--   in turn fills the history no faster than two that replace each other; or
--   this device and the holder, who both identify themselves, have taken the key from each other more than 20 times
--   within ten minutes: then it waits until the holder has had the key for 5 seconds, doubled with every third swap up
--   to a minute. Two programs that restart each other come to rest; a person who retries after the pause gets through.
-- A start that would be resumed or refused never waits; with takeovers_max 0 none does. swaps: of these two devices.
--
-- It looks before it locks, so several simultaneous starts may pass together. A key's generation contains the time of
-- its last start: if that is over a minute ago there is nothing to look up. Times from a clock that ran ahead are
-- ignored; they would hold up starts until then.
CREATE OR REPLACE FUNCTION start_device_session(
  hash bytea, masked_key text, id text, with_device jsonb, refuse boolean, expected_generation bigint,
  takeovers_max integer, proof jsonb, lease text,
  OUT outcome text, OUT generation bigint, OUT started_at timestamptz, OUT at timestamptz,
  OUT timeout_seconds integer, OUT holder jsonb, OUT heard_at timestamptz, OUT expires_at timestamptz, OUT challenge text,
  OUT leased_until timestamptz, OUT wait_seconds integer, OUT swaps integer
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  present record;
  looked_at timestamptz := clock_timestamp();
  free_at timestamptz := looked_at;
  crowded_until timestamptz;
BEGIN
  swaps := 0;
  IF takeovers_max > 0 THEN
    SELECT k.id AS key_id, s.session_id, s.generation, s.started_at, s.device INTO present
    FROM keys k
    LEFT JOIN active_sessions s ON s.key_id = k.id AND s.last_heartbeat > session_cutoff(looked_at)
    WHERE k.key_hash = hash AND key_fault(k, looked_at) IS NULL
      AND k.generation > extract(epoch FROM looked_at - interval '1 minute') * 1000000;
    IF FOUND AND (present.session_id IS NULL OR (present.session_id <> id AND NOT refuse
                  AND (expected_generation = present.generation) IS NOT FALSE)) THEN
      SELECT (array_agg(recent.ended_at ORDER BY recent.ended_at DESC))[takeovers_max] + interval '1 minute',
             count(*) FILTER (WHERE recent.reason = 'replaced' AND with_device <> present.device AND
               ((recent.device = with_device AND recent.replaced_by_device = present.device)
                OR (recent.device = present.device AND recent.replaced_by_device = with_device)))
      INTO crowded_until, swaps
      FROM (SELECT h.ended_at, h.reason, h.device, h.replaced_by_device FROM session_history h
            WHERE h.key_id = present.key_id
              AND h.ended_at BETWEEN looked_at - interval '10 minutes' AND looked_at + interval '1 second'
            ORDER BY h.generation DESC LIMIT greatest(takeovers_max, 60)) recent;
      free_at := greatest(crowded_until, free_at);
      IF swaps > 20 AND present.started_at <= looked_at + interval '1 second' THEN
        free_at := greatest(free_at, present.started_at
                            + make_interval(secs => least(60, 5 * 2 ^ least((swaps - 21) / 3, 10))));
      END IF;
    END IF;
  END IF;
  IF free_at > looked_at AND NOT EXISTS (SELECT FROM session_history h WHERE h.session_id = id) THEN
    outcome := 'rate_limited';
    wait_seconds := least(60, ceil(extract(epoch FROM free_at - looked_at)));
    RETURN;
  END IF;
  SELECT s.outcome, s.generation, s.started_at, s.at, s.timeout_seconds, s.holder, s.heard_at, s.expires_at, s.challenge,
         s.leased_until
  INTO outcome, generation, started_at, at, timeout_seconds, holder, heard_at, expires_at, challenge, leased_until
  FROM start_device_session_at_once(hash, masked_key, id, with_device, refuse, expected_generation, proof, lease) s;
END
$$;

-- For the version before, which knows of no proof and no lease: it may try again once it is replaced.
CREATE OR REPLACE FUNCTION start_session(
  hash bytea, masked_key text, id text, with_device jsonb, refuse boolean, expected_generation bigint,
  takeovers_max integer,
  OUT outcome text, OUT generation bigint, OUT started_at timestamptz, OUT at timestamptz,
  OUT timeout_seconds integer, OUT holder jsonb, OUT wait_seconds integer, OUT swaps integer
)
LANGUAGE plpgsql
AS $$
BEGIN
  SELECT s.outcome, s.generation, s.started_at, s.at, s.timeout_seconds, s.holder, s.wait_seconds, s.swaps
  INTO outcome, generation, started_at, at, timeout_seconds, holder, wait_seconds, swaps
  FROM start_device_session(hash, masked_key, id, with_device, refuse, expected_generation, takeovers_max, NULL, NULL) s;
  IF outcome = 'proof_required' THEN
    RAISE lock_not_available USING MESSAGE = 'the session takes only calls with proof';
  END IF;
END
$$;

-- Starts a session, takes over the key, or returns the same session again (G1, G2, G4).
--
-- outcome: started | resumed | invalid_key | key_expired | key_revoked | key_in_use | holder_changed | session_id_used
--          | proof_required | proof_challenge (challenge) | session_cloned (at: when it ended, by this start)
-- holder:  of started: the live session that this start ended, or null; of key_in_use, holder_changed: the one that stays.
-- leased_until: of key_in_use, where a lease keeps the key from everybody else (device-lease.sql).
-- heard_at, expires_at: of started and resumed. A start with proof that is the session's last beat is heard of no more.
--
-- lease: the id of the lease that this device has, or null; one that is over or was never given is none. A lease ends with
-- the session that is started, whichever it is.
--
-- proof: {instance, number, beat_id, answer}, or null. Any start but the one that creates the session is judged as any
-- other beat of it (take_beat).
--
-- Any outcome but started, resumed and session_cloned has changed nothing visible: at most it has moved an expired
-- session to the history.
CREATE OR REPLACE FUNCTION start_device_session_at_once(
  hash bytea, masked_key text, id text, with_device jsonb, refuse boolean, expected_generation bigint, proof jsonb,
  lease text,
  OUT outcome text, OUT generation bigint, OUT started_at timestamptz, OUT at timestamptz,
  OUT timeout_seconds integer, OUT holder jsonb, OUT heard_at timestamptz, OUT expires_at timestamptz, OUT challenge text,
  OUT leased_until timestamptz
)
LANGUAGE plpgsql
SET enable_seqscan = off -- plans made while the tables were empty must not survive their growth
SET jit = off            -- the price put on a sequential scan must not make one row worth compiling for
AS $$
DECLARE
  owner keys;
  present active_sessions;
  present_live boolean;
  leased leases;
BEGIN
  PERFORM limit_waiting();
  -- Serialises starts with one id, whatever their keys, so that "was this id ever used" has one answer.
  PERFORM pg_advisory_xact_lock(1262834004, hashtext(id));
  PERFORM limit_waiting();
  SELECT k.* INTO owner FROM keys k WHERE k.key_hash = hash FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    outcome := 'invalid_key';
    RETURN;
  END IF;
  -- Of those that resume, only one that may turn out to be a copy: the others need no history.
  IF EXISTS (SELECT FROM active_sessions s WHERE s.key_id = owner.id
             AND CASE WHEN s.session_id <> id THEN NOT refuse ELSE may_be_copy(s, proof) END) THEN
    PERFORM claim_endings();
  END IF;
  PERFORM limit_waiting();
  SELECT s.* INTO present FROM active_sessions s WHERE s.key_id = owner.id FOR NO KEY UPDATE;
  PERFORM limit_waiting();

  at := clock_timestamp();
  SELECT session_timeout_seconds INTO timeout_seconds FROM service_state WHERE singleton;
  outcome := key_fault(owner, at);
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;

  present_live := present.key_id IS NOT NULL AND present.last_heartbeat > session_cutoff(at);
  IF present_live THEN
    holder := holder_of(present);
  END IF;

  IF present.key_id IS NOT NULL AND NOT present_live THEN
    PERFORM record_expiry(present);
    present := NULL;
  END IF;

  heard_at := at;
  expires_at := at + make_interval(secs => timeout_seconds);
  IF present_live AND present.session_id = id THEN
    outcome := 'resumed';
    generation := present.generation;
    started_at := present.started_at;
    holder := NULL;
    IF proof IS NULL AND present.proof_instance IS NULL THEN
      UPDATE active_sessions s SET last_heartbeat = at WHERE s.key_id = owner.id;
      RETURN;
    END IF;
    SELECT coalesce(b.refused, outcome), b.challenge, b.heard_at INTO outcome, challenge, heard_at
    FROM take_beat(present, proof, at) b;
    IF heard_at <> at THEN
      expires_at := session_deadline(heard_at);
    END IF;
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM active_sessions s WHERE s.session_id = id)
     OR EXISTS (SELECT FROM session_history h WHERE h.session_id = id) THEN
    outcome := 'session_id_used';
    holder := NULL;
    RETURN;
  END IF;
  SELECT l.* INTO leased FROM leases l WHERE l.key_id = owner.id;
  IF leased.until > at AND leased.lease_id IS DISTINCT FROM lease THEN
    outcome := 'key_in_use';
    leased_until := leased.until;
    holder := coalesce(holder, lessee_of(leased));
    RETURN;
  END IF;
  IF present_live AND refuse THEN
    outcome := 'key_in_use';
    RETURN;
  END IF;
  IF present_live AND expected_generation <> present.generation THEN
    outcome := 'holder_changed';
    RETURN;
  END IF;

  -- The generation is raised on the key's row, under its lock, and outlives every session. Containing the time, it
  -- keeps rising when the row itself went back (a restore, an asynchronous failover). Exact in JSON until 2255.
  generation := greatest(owner.generation + 1, (extract(epoch FROM at) * 1000000)::bigint);
  UPDATE keys k SET generation = start_device_session_at_once.generation, last_used_at = at WHERE k.id = owner.id;
  IF leased.key_id IS NOT NULL THEN
    DELETE FROM leases l WHERE l.key_id = owner.id;
  END IF;
  IF present.key_id IS NULL THEN
    INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat, device,
                                 proof_instance, proof_number, proof_beat)
    VALUES (owner.id, masked_key, id, start_device_session_at_once.generation, at, at, with_device,
            proof->>'instance', (proof->>'number')::bigint, proof->>'beat_id');
  ELSE
    PERFORM record_ending(present, 'replaced', at, start_device_session_at_once.generation, with_device);
    UPDATE active_sessions s
    SET access_key = masked_key, session_id = id, generation = start_device_session_at_once.generation,
        proof_instance = proof->>'instance', proof_number = (proof->>'number')::bigint, proof_beat = proof->>'beat_id',
        proof_displaced = NULL, started_at = at, last_heartbeat = at, device = with_device
    WHERE s.key_id = owner.id;
  END IF;
  outcome := 'started';
  started_at := at;
  PERFORM limit_waiting();
END
$$;
