-- One live device per key: every transition of a device session is one function here, so that it is one round trip
-- and one transaction, whatever happens to the caller. Three rules hold in all of them:
--
--   * Lock first, then read the clock, then decide. A clock read before a lock wait revives the dead.
--   * clock_timestamp() of the database alone decides; now() stands still while a transaction waits.
--   * Locks are taken in one order (waits.sql). What works on many sessions skips locked rows.

-- Of device sessions: the installation's SESSION_TIMEOUT_SECONDS. This and what stands on it is PL/pgSQL, which keeps its
-- plans from one transaction to the next: it is part of every heartbeat.
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

-- When a session with that last heartbeat expires, or did.
CREATE OR REPLACE FUNCTION session_deadline(last_heartbeat timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN silence_deadline(last_heartbeat, session_timeout());
END
$$;

-- What people may see of a session id: never the whole of it.
CREATE OR REPLACE FUNCTION mask_session_id(session_id text) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$ SELECT left(session_id, 8) || '…' $$;

-- Whoever is to end a live session waits for the history first, and only then holds the session: its heartbeats must not
-- wait for what somebody does to the history.
CREATE OR REPLACE FUNCTION claim_endings() RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting();
  LOCK TABLE session_history IN ROW EXCLUSIVE MODE;
END
$$;

-- Writes one ended session into the history. The caller has locked the session's row and takes it away in the same
-- transaction, so that an id is at every moment either in active_sessions or in the history, never both, never neither.
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

-- Takes a session that fell silent to the history. The caller has locked the row and seen that it is not live: whoever
-- tells somebody that a session expired makes it so, and no outage that begins now can bring it back.
CREATE OR REPLACE FUNCTION record_expiry(silent active_sessions) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM record_ending(silent, 'expired', session_deadline(silent.last_heartbeat));
  DELETE FROM active_sessions s WHERE s.key_id = silent.key_id;
END
$$;

-- Starts a session (start_session_at_once), unless its turn has not come (outcome rate_limited, wait_seconds; nothing has
-- changed):
--   takeovers_max sessions of the key ended within the last minute, whatever ended them: one client that starts and ends
--   in turn fills the history no faster than two that replace each other;
--   this device and the holder, who both say what they are, have taken the key from each other more than 20 times within
--   ten minutes: then not until the holder has had it for 5 seconds, doubled with every third swap up to a minute. Two
--   programs that restart each other come to rest this way, and a person who asks again after the pause gets through.
-- A start that is resumed or refused anyway never waits. takeovers_max 0: no start does. swaps: of these two devices.
--
-- It looks before it locks, so several starts of one moment may pass together. A key's generation tells when it was last
-- started: where that was over a minute ago there is nothing to look up. What a clock that was ahead has dated counts for
-- nothing: it would hold up starts until then.
CREATE OR REPLACE FUNCTION start_session(
  hash bytea, masked_key text, id text, with_device jsonb, refuse boolean, expected_generation bigint,
  takeovers_max integer,
  OUT outcome text, OUT generation bigint, OUT started_at timestamptz, OUT at timestamptz,
  OUT timeout_seconds integer, OUT holder jsonb, OUT wait_seconds integer, OUT swaps integer
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
    WHERE k.key_hash = hash AND k.revoked_at IS NULL AND (k.expires_at > looked_at) IS NOT FALSE
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
  SELECT s.outcome, s.generation, s.started_at, s.at, s.timeout_seconds, s.holder
  INTO outcome, generation, started_at, at, timeout_seconds, holder
  FROM start_session_at_once(hash, masked_key, id, with_device, refuse, expected_generation) s;
END
$$;

-- Starts a session, takes the key over from another one, or gives the same session back (G1, G2, G4).
--
-- outcome: started | resumed | invalid_key | key_expired | key_revoked | key_in_use | holder_changed | session_id_used
-- holder:  started: the live session that this very start ended, or null;
--          key_in_use, holder_changed: the live session that stays.
--
-- An outcome other than started or resumed has changed nothing that anybody could see: at most it has taken a session
-- that had expired to the history.
CREATE OR REPLACE FUNCTION start_session_at_once(
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
  PERFORM limit_waiting();
  -- Two starts with one id, of whatever keys, come one after the other; so "was this id ever used" has one answer.
  PERFORM pg_advisory_xact_lock(1262834004, hashtext(id));
  PERFORM limit_waiting();
  SELECT k.* INTO owner FROM keys k WHERE k.key_hash = hash FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    outcome := 'invalid_key';
    RETURN;
  END IF;
  IF NOT refuse AND EXISTS (SELECT FROM active_sessions s WHERE s.key_id = owner.id AND s.session_id <> id) THEN
    PERFORM claim_endings();
  END IF;
  PERFORM limit_waiting();
  SELECT s.* INTO present FROM active_sessions s WHERE s.key_id = owner.id FOR NO KEY UPDATE;
  PERFORM limit_waiting();

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
  UPDATE keys k SET generation = start_session_at_once.generation, last_used_at = at WHERE k.id = owner.id;
  IF present.key_id IS NULL THEN
    INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat, device)
    VALUES (owner.id, masked_key, id, start_session_at_once.generation, at, at, with_device);
  ELSE
    PERFORM record_ending(present, 'replaced', at, start_session_at_once.generation, with_device);
    UPDATE active_sessions s
    SET access_key = masked_key, session_id = id, generation = start_session_at_once.generation,
        started_at = at, last_heartbeat = at, device = with_device
    WHERE s.key_id = owner.id;
  END IF;
  outcome := 'started';
  started_at := at;
  PERFORM limit_waiting();
END
$$;

-- Heartbeats of many sessions in one statement (G3). Ids come joined by commas, which no id contains.
--
-- beaten:  "id generation,id generation,…" of those that were live and are now beaten at beat_at. What became of the
--          others settle_sessions says.
--
-- It creates and revives nothing: it only ever pushes last_heartbeat of a row that is live after it is locked. It waits
-- for no row, and touches nothing but the sessions: whatever becomes of the history, who is well is answered.
CREATE OR REPLACE FUNCTION beat_sessions(
  session_ids text, OUT beat_at timestamptz, OUT timeout_seconds integer, OUT beaten text
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET lock_timeout = '1s' -- for a lock of the whole table; nobody waits for a batch longer
AS $$
DECLARE
  asked text[] := string_to_array(session_ids, ',');
  locked tid[];
  cutoff timestamptz;
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
  SELECT string_agg(live.session_id || ' ' || live.generation, ',') INTO beaten FROM live;
END
$$;

-- What became of these sessions (ids joined by commas). Looking is no heartbeat, but whoever is found silent too long
-- expires by it: whoever tells somebody that a session expired makes it so, and no outage that begins now can bring it back.
--
-- outcome: replaced | expired | ended | revoked, moment = when it ended;
--          locked: silent too long, but somebody holds its row or the history, so nobody may be told yet: ask again;
--          and if asked for, live, moment = when it would expire. An id without a row was never seen, or forgotten.
--
-- Waits for the history a tenth of a second at most; where not even reading it is possible, lock_not_available.
CREATE OR REPLACE FUNCTION settle_sessions(session_ids text, with_live boolean)
RETURNS TABLE (session_id text, outcome text, moment timestamptz, replaced_by_device jsonb, generation bigint, note text)
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
          -- Judged once more by a clock that was read after the row: it may have gone back meanwhile.
          AND s.last_heartbeat <= session_cutoff(clock_timestamp()) FOR UPDATE SKIP LOCKED) silent;
    EXCEPTION WHEN lock_not_available THEN
      NULL; -- they stay as they are
    END;
  END IF;
  RETURN QUERY
  SELECT e.session_id, e.outcome, e.ended_at, e.replaced_by_device, NULL::bigint, e.note
  FROM find_endings(asked) e WHERE e.outcome <> 'locked'
  UNION ALL
  SELECT s.session_id, CASE WHEN s.last_heartbeat > cutoff THEN 'live' ELSE 'locked' END,
         session_deadline(s.last_heartbeat), NULL, s.generation, NULL
  FROM active_sessions s WHERE s.session_id = ANY (asked) AND (with_live OR s.last_heartbeat <= cutoff);
END
$$;

-- How the sessions with these ids ended, with what the operator told the device; those that are in the history.
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

-- Ends the session of that id if it is live, and no other: never one that started later, never one that expired. A start
-- with that id that is under way comes first: its caller has given it up, and it must not be live after this.
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

-- Ends whatever session a key has because an operator said so, or only the one of that generation: "revoked" if it is
-- live, else "expired", as it was. Returns whether a live one ended. A session that started since stays.
CREATE OR REPLACE FUNCTION kick_session(of_key bigint, only_generation bigint, with_note text, OUT revoked boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  present active_sessions;
  at timestamptz;
BEGIN
  IF EXISTS (SELECT FROM active_sessions s WHERE s.key_id = of_key) THEN
    PERFORM claim_endings();
  END IF;
  PERFORM limit_waiting();
  SELECT s.* INTO present FROM active_sessions s
  WHERE s.key_id = of_key AND s.generation = coalesce(only_generation, s.generation) FOR UPDATE;
  PERFORM limit_waiting();
  at := clock_timestamp();
  revoked := present.key_id IS NOT NULL AND present.last_heartbeat > session_cutoff(at);
  IF revoked THEN
    DELETE FROM active_sessions s WHERE s.key_id = of_key;
    PERFORM record_ending(present, 'revoked', at);
    UPDATE session_history h SET note = with_note
    WHERE with_note IS NOT NULL AND h.key_id = of_key AND h.generation = present.generation AND h.ended_at = at;
  ELSIF present.key_id IS NOT NULL THEN
    PERFORM record_expiry(present);
  END IF;
  PERFORM limit_waiting();
END
$$;

-- Dates sessions by a clock that has gone back: at most 10,000 of those that were heard of later than now are heard of at
-- `moment`. Given dead_until, the cutoff of the last tick, whoever was dead by it stays so: dated back as far as the
-- clock went. A row that is not later than now may be of before or after the jump; it is of before if the transaction that
-- wrote it was over at the last tick, which is certain of those before `ticked_after`. Rows that somebody else holds are for
-- the next time. Returns how many it was.
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
    WHERE late.last_heartbeat > clock_timestamp() -- read after the row: it may have been beaten since `at`
       OR (late.last_heartbeat > cutoff AND late.last_heartbeat <= dead_until AND age(late.xmin) > age(ticked_after::xid))
    LIMIT 10000 FOR NO KEY UPDATE SKIP LOCKED));
  GET DIAGNOSTICS redated = ROW_COUNT;
  RETURN redated;
END
$$;

-- Moves silent sessions of the pages from `first` up to, not including, `past` into the history, `at_most` of them. What
-- an update moves to another page meanwhile is for the next run.
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

-- Every ending is told to whoever listens, when it is committed and never before. The payload is a digest of the
-- session id, as the id is the device's secret. Heartbeats notify nothing: a NOTIFY takes a lock of the whole server.
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
