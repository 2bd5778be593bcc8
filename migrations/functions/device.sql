-- One live device per key: every transition of a device session is one function here, so that it is one round trip
-- and one transaction, whatever happens to the caller. Three rules hold in all of them:
--
--   * Lock first, then read the clock, then decide. A clock read before a lock wait revives the dead.
--   * clock_timestamp() of the database alone decides; now() stands still while a transaction waits.
--   * Locks are taken in one order (waits.sql). What works on many sessions skips locked rows.

-- SESSION_TIMEOUT_SECONDS of the installation. This and its callers are PL/pgSQL, which keeps its plans across
-- transactions: they are part of every heartbeat.
CREATE OR REPLACE FUNCTION session_timeout() RETURNS interval
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN (SELECT make_interval(secs => s.session_timeout_seconds) FROM service_state s WHERE s.singleton);
END
$$;

-- A device session is live while last_heartbeat > session_cutoff(clock_timestamp()).
CREATE OR REPLACE FUNCTION session_cutoff(at timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN silence_cutoff(at, session_timeout());
END
$$;

-- When a session with that last heartbeat expires or expired.
CREATE OR REPLACE FUNCTION session_deadline(last_heartbeat timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN silence_deadline(last_heartbeat, session_timeout());
END
$$;

-- The part of a session id that people may see: never all of it.
CREATE OR REPLACE FUNCTION mask_session_id(session_id text) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$ SELECT left(session_id, 8) || '…' $$;

-- Waits for the history before the caller locks a live session in order to end it: its heartbeats must not wait for
-- what somebody does to the history.
CREATE OR REPLACE FUNCTION claim_endings() RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting();
  LOCK TABLE session_history IN ROW EXCLUSIVE MODE;
END
$$;

-- Writes an ended session to the history. The caller has locked the session's row and deletes it in the same
-- transaction, so that an id is always in exactly one of active_sessions and the history.
CREATE OR REPLACE FUNCTION record_ending(
  ended active_sessions, why text, ended_at timestamptz,
  by_generation bigint DEFAULT NULL, by_device jsonb DEFAULT NULL
) RETURNS void
LANGUAGE sql
AS $$
  INSERT INTO session_history (key_id, access_key, session_id, generation, started_at, last_heartbeat, ended_at,
                               reason, device, replaced_by_generation, replaced_by_device)
  VALUES (ended.key_id, ended.access_key, ended.session_id, ended.generation, ended.started_at, ended.last_heartbeat,
          ended_at, why, ended.device, by_generation, by_device)
$$;

-- The same, with a note to the device.
CREATE OR REPLACE FUNCTION record_noted_ending(ended active_sessions, why text, at timestamptz, with_note text) RETURNS void
LANGUAGE sql
AS $$
  SELECT record_ending(ended, why, at);
  UPDATE session_history h SET note = with_note
  WHERE with_note IS NOT NULL AND h.key_id = ended.key_id AND h.generation = ended.generation AND h.ended_at = at;
$$;

-- Who holds a key, as others may know it.
CREATE OR REPLACE FUNCTION holder_of(present active_sessions) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
  RETURN jsonb_build_object(
    'session_id', mask_session_id(present.session_id), 'generation', present.generation,
    'started_at', present.started_at, 'last_heartbeat', present.last_heartbeat, 'device', present.device);
END
$$;

-- Moves a silent session to the history. The caller has locked its row and seen that it is not live: telling anybody
-- that a session expired makes it so, and no outage that begins now can bring it back.
CREATE OR REPLACE FUNCTION record_expiry(silent active_sessions) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM record_ending(silent, 'expired', session_deadline(silent.last_heartbeat));
  DELETE FROM active_sessions s WHERE s.key_id = silent.key_id;
END
$$;

-- Beats many sessions in one statement (G3). Ids are joined by commas, which no id contains.
--
-- beaten: "id generation,id generation,…" of the live ones, now beaten at beat_at. look_at_sessions tells what became of
-- the others.
--
-- It creates and revives nothing: it only advances last_heartbeat of rows that are live once locked, and none with proof
-- (see beat_with_proof). It waits for no row and touches only the sessions, so trouble with the history never affects a
-- healthy session.
CREATE OR REPLACE FUNCTION beat_sessions(
  session_ids text, OUT beat_at timestamptz, OUT timeout_seconds integer, OUT beaten text
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET lock_timeout = '1s' -- bounds waiting for a table lock; nobody waits longer for a batch
AS $$
DECLARE
  asked text[] := string_to_array(session_ids, ',');
  locked tid[];
  cutoff timestamptz;
BEGIN
  -- A database crash may lose the last second of heartbeats, and nothing else (G7). A SET clause of the function would
  -- have no effect, because the setting is read at commit.
  PERFORM set_config('synchronous_commit', 'off', true);
  -- Skips rows that others hold: one stuck client must not stall everybody's heartbeat, and two batches that lock in
  -- different orders must not deadlock.
  locked := ARRAY(SELECT s.ctid FROM active_sessions s WHERE s.session_id = ANY (asked) FOR NO KEY UPDATE SKIP LOCKED);
  beat_at := clock_timestamp();
  SELECT session_timeout_seconds INTO timeout_seconds FROM service_state WHERE singleton;
  cutoff := session_cutoff(beat_at);
  WITH live AS (
    UPDATE active_sessions s SET last_heartbeat = beat_at
    WHERE s.ctid = ANY (locked) AND s.last_heartbeat > cutoff AND s.proof_instance IS NULL
    RETURNING s.session_id, s.generation
  )
  SELECT string_agg(live.session_id || ' ' || live.generation, ',') INTO beaten FROM live;
END
$$;

-- What became of these sessions (ids joined by commas). Looking is no heartbeat, but a session found silent too long
-- expires here: telling anybody that it expired makes it so, and no outage that begins now can bring it back.
--
-- outcome: replaced | expired | ended | revoked | cloned, moment = when it ended;
--          locked: silent too long, but its row or the history is locked, so nobody may be told yet: ask again;
--          if asked for, live, moment = when it would expire, proven: whether it takes only beats with proof. An id without a row was never seen, or forgotten.
--
-- Waits for the history a tenth of a second at most; throws lock_not_available if it cannot even be read.
CREATE OR REPLACE FUNCTION look_at_sessions(session_ids text, with_live boolean)
RETURNS TABLE (
  session_id text, outcome text, moment timestamptz, replaced_by_device jsonb, generation bigint, note text, proven boolean
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET lock_timeout = '100ms'
AS $$
DECLARE
  asked text[] := string_to_array(session_ids, ',');
  cutoff timestamptz := session_cutoff(clock_timestamp());
BEGIN
  IF EXISTS (SELECT FROM active_sessions s WHERE s.session_id = ANY (asked) AND s.last_heartbeat <= cutoff) THEN
    BEGIN
      PERFORM record_expiry(silent.session) FROM (
        SELECT s AS session FROM active_sessions s
        WHERE s.session_id = ANY (asked) AND s.last_heartbeat <= cutoff
          -- Judged again by a clock read after the row was locked: it may have gone back meanwhile.
          AND s.last_heartbeat <= session_cutoff(clock_timestamp()) FOR UPDATE SKIP LOCKED) silent;
    EXCEPTION WHEN lock_not_available THEN
      NULL; -- they stay as they are
    END;
  END IF;
  RETURN QUERY
  SELECT e.session_id, e.outcome, e.ended_at, e.replaced_by_device, NULL::bigint, e.note, NULL::boolean
  FROM find_endings(asked) e WHERE e.outcome <> 'locked'
  UNION ALL
  SELECT s.session_id, CASE WHEN s.last_heartbeat > cutoff THEN 'live' ELSE 'locked' END,
         session_deadline(s.last_heartbeat), NULL, s.generation, NULL, s.proof_instance IS NOT NULL
  FROM active_sessions s WHERE s.session_id = ANY (asked) AND (with_live OR s.last_heartbeat <= cutoff);
END
$$;

-- For the version before, which knows no session that is cloned.
CREATE OR REPLACE FUNCTION settle_sessions(session_ids text, with_live boolean)
RETURNS TABLE (session_id text, outcome text, moment timestamptz, replaced_by_device jsonb, generation bigint, note text)
LANGUAGE sql
AS $$
  SELECT l.session_id, CASE l.outcome WHEN 'cloned' THEN 'revoked' ELSE l.outcome END, l.moment, l.replaced_by_device,
         l.generation, CASE l.outcome WHEN 'cloned' THEN 'This session''s id is in use on two devices' ELSE l.note END
  FROM look_at_sessions(session_ids, with_live) l
$$;

-- How the sessions with these ids ended, with the operator's notes; only those in the history.
CREATE OR REPLACE FUNCTION find_endings(asked text[])
RETURNS TABLE (session_id text, outcome text, ended_at timestamptz, replaced_by_device jsonb, note text)
LANGUAGE sql STABLE
SET enable_seqscan = off
SET jit = off
AS $$
  SELECT h.session_id, h.reason, h.ended_at, h.replaced_by_device, h.note
  FROM session_history h WHERE h.session_id = ANY (asked)
  UNION ALL
  SELECT s.session_id, 'locked', NULL, NULL, NULL
  FROM active_sessions s WHERE s.session_id = ANY (asked)
$$;

-- Ends the session with that id if it is live, and no other: never one that started later, never one that expired. A
-- start with that id in progress goes first: its caller has given it up, and it must not be live after this.
CREATE OR REPLACE FUNCTION end_session(id text, OUT ended boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  present active_sessions;
  at timestamptz;
BEGIN
  PERFORM limit_waiting();
  PERFORM pg_advisory_xact_lock(1262834004, hashtext(id));
  IF EXISTS (SELECT FROM active_sessions s WHERE s.session_id = id) THEN
    PERFORM claim_endings();
  END IF;
  PERFORM limit_waiting();
  SELECT s.* INTO present FROM active_sessions s WHERE s.session_id = id FOR UPDATE;
  PERFORM limit_waiting();
  at := clock_timestamp();
  ended := present.key_id IS NOT NULL AND present.last_heartbeat > session_cutoff(at);
  IF ended THEN
    DELETE FROM active_sessions s WHERE s.key_id = present.key_id;
    PERFORM record_ending(present, 'ended', at);
  ELSIF present.key_id IS NOT NULL THEN
    PERFORM record_expiry(present);
  END IF;
  PERFORM limit_waiting();
END
$$;

-- Frees a key on an operator's word, or only if its session, or its lease, is of that generation: ends the session as
-- "revoked" if it is live, else as "expired", which it was, and the lease. A session started since stays.
--
-- revoked: whether a live session ended; lease_freed: whether a lease did that still held.
CREATE OR REPLACE FUNCTION free_key(
  of_key bigint, only_generation bigint, with_note text, OUT revoked boolean, OUT lease_freed boolean
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  present active_sessions;
  leased_until timestamptz;
  at timestamptz;
BEGIN
  IF EXISTS (SELECT FROM active_sessions s WHERE s.key_id = of_key) THEN
    PERFORM claim_endings();
  END IF;
  PERFORM limit_waiting();
  SELECT s.* INTO present FROM active_sessions s
  WHERE s.key_id = of_key AND s.generation = coalesce(only_generation, s.generation) FOR UPDATE;
  PERFORM limit_waiting();
  DELETE FROM leases l WHERE l.key_id = of_key AND l.generation = coalesce(only_generation, l.generation)
  RETURNING l.until INTO leased_until;
  PERFORM limit_waiting();
  at := clock_timestamp();
  lease_freed := coalesce(leased_until > at, false);
  revoked := present.key_id IS NOT NULL AND present.last_heartbeat > session_cutoff(at);
  IF revoked THEN
    DELETE FROM active_sessions s WHERE s.key_id = of_key;
    PERFORM record_noted_ending(present, 'revoked', at, with_note);
  ELSIF present.key_id IS NOT NULL THEN
    PERFORM record_expiry(present);
  END IF;
  PERFORM limit_waiting();
END
$$;

-- The same for who asks only whether a live session ended, the version before among them.
CREATE OR REPLACE FUNCTION kick_session(of_key bigint, only_generation bigint, with_note text, OUT revoked boolean)
LANGUAGE sql
AS $$ SELECT f.revoked FROM free_key(of_key, only_generation, with_note) f $$;

-- Redates sessions after the clock went back: at most 10,000 of those last heard of in the future are dated `moment`.
-- With dead_until, the cutoff of the last tick, sessions dead by it stay dead: they are moved back as far as the clock.
-- A row not in the future may be from before or after the jump; it is from before if the transaction that wrote it was
-- over at the last tick, which is certain of those before `ticked_after`. Rows that others hold wait for the next call.
-- Returns the number redated.
CREATE OR REPLACE FUNCTION redate_sessions(
  at timestamptz, moment timestamptz, dead_until timestamptz, back interval, ticked_after xid8
) RETURNS integer
LANGUAGE plpgsql
SET jit = off
AS $$
DECLARE
  cutoff timestamptz := session_cutoff(at);
  redated integer;
BEGIN
  UPDATE active_sessions s
  SET last_heartbeat = CASE WHEN s.last_heartbeat <= dead_until THEN s.last_heartbeat - back ELSE moment END
  WHERE s.ctid = ANY (ARRAY(
    SELECT late.ctid FROM active_sessions late
    WHERE late.last_heartbeat > clock_timestamp() -- read after the row was locked: it may have been beaten since `at`
       OR (late.last_heartbeat > cutoff AND late.last_heartbeat <= dead_until AND age(late.xmin) > age(ticked_after::xid))
    LIMIT 10000 FOR NO KEY UPDATE SKIP LOCKED));
  GET DIAGNOSTICS redated = ROW_COUNT;
  RETURN redated;
END
$$;

-- Moves silent sessions from the pages in [first, past) to the history, at most `at_most` of them. Rows that an update
-- moves to another page meanwhile wait for the next run.
CREATE OR REPLACE FUNCTION expire_sessions(first tid, past tid, at_most integer)
RETURNS TABLE (access_key text, session_id text, expired_at timestamptz)
LANGUAGE plpgsql
SET jit = off
SET lock_timeout = '100ms'
AS $$
DECLARE
  cutoff timestamptz := session_cutoff(clock_timestamp());
BEGIN
  RETURN QUERY
  WITH silent AS (
    SELECT s.ctid FROM active_sessions s
    WHERE s.ctid >= first AND s.ctid < past AND s.last_heartbeat <= cutoff
      AND s.last_heartbeat <= session_cutoff(clock_timestamp())
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

-- Notifies listeners of every ending, on commit and never before. The payload is a digest of the session id, because
-- the id is the device's secret. Heartbeats notify nothing: a NOTIFY takes a server-wide lock.
CREATE OR REPLACE FUNCTION tell_ending() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM pg_notify('keybeat_ending', encode(sha256(convert_to(NEW.session_id, 'UTF8')), 'hex'));
  RETURN NULL;
END
$$;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'session_history'::regclass AND tgname = 'tell_ending') THEN
    CREATE TRIGGER tell_ending AFTER INSERT ON session_history FOR EACH ROW EXECUTE FUNCTION tell_ending();
  END IF;
END
$$;
