-- One live device per key: every transition of a device session is one function here, so that it is one round trip
-- and one transaction, whatever happens to the caller. Three rules hold in all of them:
--
--   * Lock first, then read the clock, then decide. A clock read before a lock wait revives the dead.
--   * clock_timestamp() of the database alone decides; now() stands still while a transaction waits.
--   * Locks are taken in one order: session id, key, session. Whatever works on many sessions skips locked rows.

INSERT INTO service_state DEFAULT VALUES;
--> statement-breakpoint

CREATE FUNCTION session_timeout() RETURNS interval
LANGUAGE sql STABLE
AS $$ SELECT make_interval(secs => session_timeout_seconds) FROM service_state WHERE singleton $$;
--> statement-breakpoint

-- The liveness rule, whole: a session is live while last_heartbeat > session_cutoff(clock_timestamp()).
--
-- That is: it was heard of within the timeout. But our own outage expires nobody (G6). Every serving process ticks each
-- second (tick_service), so while the last tick is over 3 seconds old nobody serves, and for one timeout after the
-- return everybody who was live when the gap began may still come back:
--
--   serving           ... | nobody serves (the gap)  | the first timeout after it | serving ...
--   cutoff: at - timeout  | gap's begin - timeout    | gap's begin - timeout      | at - timeout
--
-- Whoever was silent too long before the gap stays dead, as the cutoff stands where it stood when the gap began. The
-- rule holds before anyone has ticked again, and a process that starts late extends nothing while others tick. A second
-- gap within the first timeout after another continues it.
CREATE FUNCTION session_cutoff(at timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE
AS $$
  SELECT CASE
    WHEN last_tick < at - interval '3 seconds'
      THEN CASE WHEN last_tick < gap_ended + session_timeout() THEN gap_began ELSE last_tick END
    WHEN at < gap_ended + session_timeout() THEN gap_began
    ELSE at
  END - session_timeout()
  FROM service_state WHERE singleton
$$;
--> statement-breakpoint

-- When a session with that last heartbeat expires, or did: a timeout after it, or after the gap in which it fell.
CREATE FUNCTION session_deadline(last_heartbeat timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE
AS $$
  SELECT CASE WHEN last_heartbeat > gap_began - session_timeout() AND last_heartbeat < gap_ended
              THEN gap_ended ELSE last_heartbeat END + session_timeout()
  FROM service_state WHERE singleton
$$;
--> statement-breakpoint

-- Says that somebody serves, once a second; notices a gap when it is over. Called with nothing but the database's
-- clock, by any number of processes.
CREATE FUNCTION tick_service() RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
  state service_state;
  at timestamptz;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  SELECT s.* INTO state FROM service_state s WHERE s.singleton FOR NO KEY UPDATE SKIP LOCKED;
  at := clock_timestamp();
  IF state.last_tick < at - interval '3 seconds' THEN
    UPDATE service_state
    SET last_tick = at, gap_ended = at,
        gap_began = CASE WHEN last_tick < gap_ended + session_timeout() THEN gap_began ELSE last_tick END;
  ELSIF state.singleton AND (state.last_tick IS NULL OR state.last_tick < at - interval '0.5 seconds') THEN
    UPDATE service_state SET last_tick = at; -- otherwise another process has just done it
  END IF;
END
$$;
--> statement-breakpoint

-- What people may see of a session id: never the whole of it.
CREATE FUNCTION mask_session_id(session_id text) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$ SELECT left(session_id, 8) || '…' $$;
--> statement-breakpoint

-- Writes one ended session into the history. The caller has locked the session's row and takes it away in the same
-- transaction, so that an id is at every moment either in active_sessions or in the history, never both, never neither.
CREATE FUNCTION record_ending(
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
--> statement-breakpoint

-- Starts a session, takes the key over from another one, or gives the same session back (G1, G2, G4).
--
-- outcome: started | resumed | invalid_key | key_expired | key_revoked | key_in_use | holder_changed | session_id_used
-- holder:  started: the live session that this very start ended, or null;
--          key_in_use, holder_changed: the live session that stays.
--
-- An outcome other than started or resumed has changed nothing that anybody could see: at most it has taken a session
-- that had expired to the history.
CREATE FUNCTION start_session(
  hash bytea, masked_key text, id text, with_device jsonb, refuse boolean, expected_generation bigint,
  OUT outcome text, OUT generation bigint, OUT started_at timestamptz, OUT at timestamptz,
  OUT timeout_seconds integer, OUT holder jsonb
)
LANGUAGE plpgsql
SET enable_seqscan = off -- a plan made while the tables were empty must not live on when they are large
SET jit = off            -- and the price put on a sequential scan must not send one row to the compiler
AS $$
DECLARE
  owner keys;
  present active_sessions;
  present_live boolean;
BEGIN
  -- No caller waits longer than this, so no transaction shall either.
  PERFORM set_config('lock_timeout', '2000', true);
  -- Two starts with one id, of whatever keys, come one after the other; so "was this id ever used" has one answer.
  PERFORM pg_advisory_xact_lock(1262834004, hashtext(id));
  SELECT k.* INTO owner FROM keys k WHERE k.key_hash = hash FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    outcome := 'invalid_key';
    RETURN;
  END IF;
  SELECT s.* INTO present FROM active_sessions s WHERE s.key_id = owner.id FOR NO KEY UPDATE;

  at := clock_timestamp();
  SELECT session_timeout_seconds INTO timeout_seconds FROM service_state WHERE singleton;
  IF owner.revoked_at IS NOT NULL THEN
    outcome := 'key_revoked';
    RETURN;
  END IF;
  IF owner.expires_at <= at THEN
    outcome := 'key_expired';
    RETURN;
  END IF;

  present_live := present.key_id IS NOT NULL AND present.last_heartbeat > session_cutoff(at);
  IF present_live THEN
    holder := jsonb_build_object(
      'session_id', mask_session_id(present.session_id), 'generation', present.generation,
      'started_at', present.started_at, 'last_heartbeat', present.last_heartbeat, 'device', present.device);
  END IF;

  IF present.key_id IS NOT NULL AND NOT present_live THEN
    PERFORM record_expiry(present);
    present := NULL;
  END IF;

  IF present_live AND present.session_id = id THEN
    UPDATE active_sessions s SET last_heartbeat = at WHERE s.key_id = owner.id;
    outcome := 'resumed';
    generation := present.generation;
    started_at := present.started_at;
    holder := NULL;
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM active_sessions s WHERE s.session_id = id)
     OR EXISTS (SELECT FROM session_history h WHERE h.session_id = id) THEN
    outcome := 'session_id_used';
    holder := NULL;
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

  -- The generation is raised on the key's row, under its lock: it outlives every session. The clock in it keeps it
  -- rising when the row itself went back in time (a restore, an asynchronous failover); exact in JSON until 2255.
  generation := greatest(owner.generation + 1, (extract(epoch FROM at) * 1000000)::bigint);
  UPDATE keys k SET generation = start_session.generation, last_used_at = at WHERE k.id = owner.id;
  IF present.key_id IS NULL THEN
    INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat, device)
    VALUES (owner.id, masked_key, id, start_session.generation, at, at, with_device);
  ELSE
    PERFORM record_ending(present, 'replaced', at, start_session.generation, with_device);
    UPDATE active_sessions s
    SET access_key = masked_key, session_id = id, generation = start_session.generation,
        started_at = at, last_heartbeat = at, device = with_device
    WHERE s.key_id = owner.id;
  END IF;
  outcome := 'started';
  started_at := at;
END
$$;
--> statement-breakpoint

-- Takes a session that fell silent to the history. The caller has locked the row and seen that it is not live: whoever
-- tells somebody that a session expired makes it so, and no outage that begins now can bring it back.
CREATE FUNCTION record_expiry(silent active_sessions) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM record_ending(silent, 'expired', session_deadline(silent.last_heartbeat));
  DELETE FROM active_sessions s WHERE s.key_id = silent.key_id;
END
$$;
--> statement-breakpoint

-- Why the given ids are not live: one row for each that ended. An id without a row was never seen, or forgotten by
-- retention. One that is still in active_sessions is "locked": its row was held by somebody else when it was to be
-- beaten, so nobody knows yet.
CREATE FUNCTION explain_sessions(asked text[])
RETURNS TABLE (session_id text, outcome text, ended_at timestamptz, replaced_by_device jsonb)
LANGUAGE sql STABLE
SET enable_seqscan = off
SET jit = off
AS $$
  SELECT h.session_id, h.reason, h.ended_at, h.replaced_by_device
  FROM session_history h WHERE h.session_id = ANY (asked)
  UNION ALL
  SELECT s.session_id, 'locked', NULL, NULL
  FROM active_sessions s WHERE s.session_id = ANY (asked)
$$;
--> statement-breakpoint

-- Heartbeats of many sessions in one statement (G3). Ids come joined by commas, which no id contains.
--
-- beaten:  "id generation,id generation,…" of those that were live and are now beaten at beat_at
-- others:  [{session_id, outcome, ended_at, replaced_by_device}] of those that ended, or whose row is locked by
--          somebody else ("locked": ask again); an id in neither was never seen
--
-- It creates and revives nothing: it only ever pushes last_heartbeat of a row that is live after it is locked, and
-- takes one that it finds expired to the history.
CREATE FUNCTION beat_sessions(
  session_ids text,
  OUT beat_at timestamptz, OUT timeout_seconds integer, OUT beaten text, OUT others jsonb
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  asked text[] := string_to_array(session_ids, ',');
  locked tid[];
  cutoff timestamptz;
  beaten_count bigint;
  durable text := current_setting('synchronous_commit');
BEGIN
  -- A crash of the database may lose the last second of heartbeats, and of nothing else (G7). In the function's SET
  -- clause this would do nothing: the setting is read at commit.
  PERFORM set_config('synchronous_commit', 'off', true);
  -- Rows that somebody else holds are skipped: one stuck client must not stall everybody's heartbeat, and two
  -- batches that lock in different orders must not deadlock.
  locked := ARRAY(SELECT s.ctid FROM active_sessions s WHERE s.session_id = ANY (asked) FOR NO KEY UPDATE SKIP LOCKED);
  beat_at := clock_timestamp();
  SELECT session_timeout_seconds INTO timeout_seconds FROM service_state WHERE singleton;
  cutoff := session_cutoff(beat_at);
  WITH live AS (
    UPDATE active_sessions s SET last_heartbeat = beat_at
    WHERE s.ctid = ANY (locked) AND s.last_heartbeat > cutoff
    RETURNING s.session_id, s.generation
  )
  SELECT string_agg(live.session_id || ' ' || live.generation, ','), count(*) INTO beaten, beaten_count FROM live;
  IF beaten_count < cardinality(asked) THEN
    PERFORM record_expiry(s), set_config('synchronous_commit', durable, true)
    FROM active_sessions s WHERE s.ctid = ANY (locked) AND s.last_heartbeat <= cutoff;
    SELECT jsonb_agg(e) INTO others FROM explain_sessions(ARRAY(
      SELECT unnest(asked) EXCEPT SELECT split_part(b, ' ', 1) FROM unnest(string_to_array(beaten, ',')) b)) e;
  END IF;
END
$$;
--> statement-breakpoint

-- Ends the session of that id if it is live, and no other: never one that started later, never one that expired.
CREATE FUNCTION end_session(id text, OUT ended boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  present active_sessions;
  at timestamptz;
BEGIN
  PERFORM set_config('lock_timeout', '2000', true);
  SELECT s.* INTO present FROM active_sessions s WHERE s.session_id = id FOR UPDATE;
  at := clock_timestamp();
  ended := present.key_id IS NOT NULL AND present.last_heartbeat > session_cutoff(at);
  IF ended THEN
    DELETE FROM active_sessions s WHERE s.key_id = present.key_id;
    PERFORM record_ending(present, 'ended', at);
  ELSIF present.key_id IS NOT NULL THEN
    PERFORM record_expiry(present);
  END IF;
END
$$;
--> statement-breakpoint

-- Ends whatever session a key has because an operator said so: "revoked" if it is live, else "expired", as it was.
-- Returns whether a live one ended. The caller holds the key's lock, or does not mind a session that starts after.
CREATE FUNCTION revoke_session(of_key bigint, only_session_id text DEFAULT NULL, OUT revoked boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  present active_sessions;
  at timestamptz;
BEGIN
  SELECT s.* INTO present FROM active_sessions s
  WHERE s.key_id = of_key AND s.session_id = coalesce(only_session_id, s.session_id) FOR UPDATE;
  at := clock_timestamp();
  revoked := present.key_id IS NOT NULL AND present.last_heartbeat > session_cutoff(at);
  IF revoked THEN
    DELETE FROM active_sessions s WHERE s.key_id = of_key;
    PERFORM record_ending(present, 'revoked', at);
  ELSIF present.key_id IS NOT NULL THEN
    PERFORM record_expiry(present);
  END IF;
END
$$;
--> statement-breakpoint

-- Revokes a key and ends its live session, in one transaction and in the order of locks of start_session, so that
-- no start slips between. Returns whether a live session ended; revoking twice keeps the first moment.
CREATE FUNCTION revoke_key(of_key bigint, OUT session_revoked boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
  PERFORM set_config('lock_timeout', '2000', true);
  PERFORM FROM keys k WHERE k.id = of_key FOR NO KEY UPDATE;
  UPDATE keys k SET revoked_at = clock_timestamp() WHERE k.id = of_key AND k.revoked_at IS NULL;
  session_revoked := revoke_session(of_key);
END
$$;
--> statement-breakpoint

-- What became of sessions that somebody watches. Looking is no heartbeat, but whoever is found silent too long expires.
-- Ids come joined by commas. outcome: replaced | expired | ended | revoked with moment = when it ended; or, if asked for,
-- live with moment = when it would expire. An id without a row was never seen, or is held by somebody just now.
CREATE FUNCTION look_at_sessions(session_ids text, with_live boolean)
RETURNS TABLE (session_id text, outcome text, moment timestamptz, replaced_by_device jsonb, generation bigint)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  asked text[] := string_to_array(session_ids, ',');
  cutoff timestamptz := session_cutoff(clock_timestamp());
BEGIN
  PERFORM record_expiry(silent.session) FROM (
    SELECT s AS session FROM active_sessions s
    WHERE s.session_id = ANY (asked) AND s.last_heartbeat <= cutoff FOR UPDATE SKIP LOCKED) silent;
  RETURN QUERY
  SELECT e.session_id, e.outcome, e.ended_at, e.replaced_by_device, NULL::bigint
  FROM explain_sessions(asked) e WHERE e.outcome <> 'locked'
  UNION ALL
  SELECT s.session_id, 'live', session_deadline(s.last_heartbeat), NULL, s.generation
  FROM active_sessions s WHERE with_live AND s.session_id = ANY (asked) AND s.last_heartbeat > cutoff;
END
$$;
--> statement-breakpoint

-- The cleanup: moves at most at_most silent sessions into the history and returns what they were. It changes no
-- answer, as every statement above applies the timeout itself (G5). Rows that somebody else holds are left for the
-- next time, so any number of cleanups may run at once.
CREATE FUNCTION expire_sessions(at_most integer)
RETURNS TABLE (access_key text, session_id text, expired_at timestamptz)
LANGUAGE plpgsql
SET jit = off
AS $$
DECLARE
  cutoff timestamptz := session_cutoff(clock_timestamp());
BEGIN
  RETURN QUERY
  WITH silent AS (
    SELECT s.ctid FROM active_sessions s WHERE s.last_heartbeat <= cutoff LIMIT at_most FOR UPDATE SKIP LOCKED
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

-- Every ending is told to whoever listens, when it is committed and never before. The payload is a digest of the
-- session id, as the id is the device's secret. Heartbeats notify nothing: a NOTIFY takes a lock of the whole server.
CREATE FUNCTION tell_ending() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM pg_notify('keybeat_ending', encode(sha256(convert_to(NEW.session_id, 'UTF8')), 'hex'));
  RETURN NULL;
END
$$;
--> statement-breakpoint

CREATE TRIGGER tell_ending AFTER INSERT ON session_history FOR EACH ROW EXECUTE FUNCTION tell_ending();
