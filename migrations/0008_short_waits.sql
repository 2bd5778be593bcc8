-- A wait that holds others (drizzle-kit generated the table). Four rules, in this and all that follows:
--
--   * No effect comes later than its caller waits for it: what is waited for is bounded in sum, not lock by lock
--     (limit_waiting). Only the commit itself may still wait, for a disk or a synchronous standby: nothing bounds that.
--   * The heartbeat of a session that is well waits for no history: what has ended is told by a call of its own.
--   * Locks are taken in one order: session id, key, the history's table, session, the history's rows, audit log; the room,
--     places, permits, moves, audit log; of many rows in the order of what makes them unique. Whatever only tidies skips
--     what somebody else holds.
--   * Whoever holds what everybody needs (the room, the history's months) waits for nobody longer than a tenth of a second.

CREATE TABLE "service_state_stand_ins" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "service_state_stand_ins_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"for_tick" timestamp with time zone,
	"state" jsonb NOT NULL
);
--> statement-breakpoint

-- The state of the service: the one row, or its newest stand-in while somebody else holds the row's lock. A stand-in is
-- good only for the very tick of the row after which it was made, so that none outlives its purpose.
CREATE FUNCTION present_state() RETURNS service_state
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  present service_state;
  stand_in jsonb;
BEGIN
  SELECT s.* INTO present FROM service_state s WHERE s.singleton;
  SELECT i.state INTO stand_in FROM service_state_stand_ins i
  WHERE i.for_tick IS NOT DISTINCT FROM present.last_tick ORDER BY i.id DESC LIMIT 1;
  IF stand_in IS NOT NULL THEN
    present := jsonb_populate_record(present, stand_in);
  END IF;
  RETURN present;
END
$$;
--> statement-breakpoint

-- Whoever was last heard of at or before this is silent too long. One timestamp for a whole statement.
CREATE OR REPLACE FUNCTION silence_cutoff(at timestamptz, timeout interval) RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  state service_state := present_state();
BEGIN
  IF state.last_tick < at - interval '3 seconds' OR at < state.gap_ended + timeout THEN
    RETURN gap_cutoff(state, at, timeout);
  END IF;
  RETURN at - timeout;
END
$$;
--> statement-breakpoint

-- When whoever was last heard of then is silent too long, or was. Never more than a timeout from now, whatever the clock did.
CREATE OR REPLACE FUNCTION silence_deadline(last_heard timestamptz, timeout interval) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT
AS $$
DECLARE
  state service_state := present_state();
BEGIN
  IF last_heard < state.gap_ended OR state.last_tick < clock_timestamp() - interval '3 seconds' THEN
    RETURN gap_deadline(state, last_heard, timeout);
  END IF;
  RETURN least(last_heard, clock_timestamp()) + timeout;
END
$$;
--> statement-breakpoint

-- The moment that retention counts back from: no later than what the service has ticked through. A clock that leaps ahead by
-- a year is alone in its opinion, and drops nothing; after an outage of a year a fortnight of service makes up for it.
CREATE OR REPLACE FUNCTION retention_clock() RETURNS timestamptz
LANGUAGE sql STABLE
AS $$ SELECT least(confirmed_at, clock_timestamp()) FROM present_state() $$;
--> statement-breakpoint

-- Dates the room by a clock that has gone back. The caller holds the room's lock.
CREATE OR REPLACE FUNCTION redate_room(at timestamptz) RETURNS void
LANGUAGE plpgsql
SET jit = off
AS $$
BEGIN
  UPDATE waiting_room r
  SET clock_steps = s.clock_steps, next_due = '-infinity',
      occupied_since = CASE WHEN r.occupied_since > at THEN at ELSE r.occupied_since END, -- null stays null
      vacated = ARRAY(SELECT least(v, at) FROM unnest(r.vacated) WITH ORDINALITY AS u (v, nth) ORDER BY nth)
  FROM present_state() s;
  UPDATE waiting_room_places p
  SET last_seen = least(p.last_seen, at), created_at = least(p.created_at, at),
      seated_at = CASE WHEN p.seated_at > at THEN at ELSE p.seated_at END
  WHERE greatest(p.last_seen, p.created_at, p.seated_at) > at;
  UPDATE waiting_room_permits p
  SET expires_at = least(p.expires_at, at + make_interval(secs => CASE WHEN p.granted THEN r.request_seconds ELSE 30 END))
  FROM waiting_room r;
END
$$;
--> statement-breakpoint

-- Keeps it: in the row, if the caller has its lock, else in a stand-in.
CREATE FUNCTION keep_state(state service_state, has_lock boolean) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  IF NOT has_lock THEN
    INSERT INTO service_state_stand_ins (for_tick, state)
    SELECT s.last_tick, to_jsonb(keep_state.state) - 'session_timeout_seconds' FROM service_state s;
    RETURN;
  END IF;
  UPDATE service_state
  SET last_tick = state.last_tick, gap_began = state.gap_began, gap_ended = state.gap_ended, gaps = state.gaps,
      confirmed_at = state.confirmed_at, clock_steps = state.clock_steps, clock_stepped_at = state.clock_stepped_at,
      clock_stepped_seconds = state.clock_stepped_seconds, clock_unsettled = state.clock_unsettled;
  DELETE FROM service_state_stand_ins i WHERE i.id = ANY (ARRAY(
    SELECT old.id FROM service_state_stand_ins old FOR UPDATE SKIP LOCKED));
END
$$;
--> statement-breakpoint

-- Says that somebody serves, once a second; notices a gap when it is over, and a clock that jumped. Called by any number of
-- processes. expected: what the clock should read by the caller's own monotonic clock since its tick before; null where
-- it has none. The database's clock decides alone; this only tells how far it jumped.
--
-- at: the clock; null if this was no tick, as another process does it just now.
-- stepped_seconds: how far the clock went, if this tick was the one to see it jump; a sleep of the caller's host looks
-- the same. unsettled: there is more to date back, tick again at once.
CREATE OR REPLACE FUNCTION serve_tick(
  expected timestamptz, OUT at timestamptz, OUT stepped_seconds double precision, OUT unsettled boolean
)
LANGUAGE plpgsql
SET lock_timeout = '500ms'
AS $$
DECLARE
  state service_state;
  before service_state;
  has_lock boolean;
  went_back boolean;
  gap_starts timestamptz;
  dead_until timestamptz;
  over_before xid8;
  redated integer := 0;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  unsettled := false;
  IF NOT pg_try_advisory_xact_lock(1262834008, 0) THEN
    RETURN;
  END IF;
  -- Who ticks says that whoever is well can be kept. Where an operator's lock keeps all of them out, that is an outage too.
  LOCK TABLE active_sessions, waiting_room, waiting_room_places IN ROW EXCLUSIVE MODE NOWAIT;
  PERFORM FROM service_state s WHERE s.singleton FOR NO KEY UPDATE SKIP LOCKED;
  has_lock := FOUND;
  state := present_state();
  before := state;
  over_before := pg_snapshot_xmin(pg_current_snapshot()); -- then the clock
  at := clock_timestamp();

  -- Less than a second is no jump: nobody is a second late for it.
  went_back := coalesce(greatest(state.last_tick, state.gap_ended) > at + interval '1 second', false);
  IF went_back OR state.last_tick < at - interval '3 seconds' THEN
    stepped_seconds := extract(epoch FROM least(
      CASE WHEN went_back OR at > expected + interval '3 seconds' THEN at - expected END,
      CASE WHEN went_back THEN at - greatest(state.last_tick, state.gap_ended) END));
    gap_starts := CASE WHEN went_back THEN at - interval '1 microsecond' ELSE state.last_tick END;
    dead_until := session_cutoff(greatest(state.last_tick, at));
    state.gaps := add_gap(gaps_until(before, gap_starts), tstzrange(gap_starts, at));
    state.gap_began := least(
      gap_starts, CASE WHEN before.last_tick < before.gap_ended + session_timeout() THEN before.gap_began END);
    state.gap_ended := at;
    state.confirmed_at := least(coalesce(before.confirmed_at, before.last_tick), at);
    state.last_tick := at;
    state.ticked_after := over_before;
    IF stepped_seconds IS NOT NULL THEN
      state.clock_steps := before.clock_steps + 1;
      state.clock_stepped_at := at;
      state.clock_stepped_seconds := stepped_seconds;
    END IF;
    PERFORM keep_state(state, has_lock);
    IF went_back THEN
      redated := redate_sessions(at, at, dead_until, make_interval(secs => -stepped_seconds), before.ticked_after);
    END IF;
  ELSIF state.last_tick IS NULL OR state.last_tick < at - interval '0.5 seconds' THEN
    -- Otherwise another process has just done it. An hour of service makes up for a day of the clock (retention_clock).
    state.confirmed_at := least(
      at, coalesce(before.confirmed_at, before.last_tick, at) + 24 * (at - before.last_tick));
    state.last_tick := at;
    state.ticked_after := over_before;
    PERFORM keep_state(state, has_lock);
  END IF;

  IF went_back OR state.clock_unsettled THEN
    IF NOT went_back THEN
      redated := redate_sessions(at, least(state.clock_stepped_at, at), NULL, NULL, NULL);
    END IF;
    unsettled := redated = 10000;
    state.clock_unsettled := EXISTS (SELECT FROM active_sessions s WHERE s.last_heartbeat > clock_timestamp());
    PERFORM keep_state(state, has_lock);
  END IF;
END
$$;
--> statement-breakpoint

-- Called before each wait of a function that changes something, and once more at its end: bounds the next wait by what
-- is left to the caller, and gives up (lock_not_available: nothing has changed) when nothing is. A caller that has not
-- said how long it waits (caller_waits) has two seconds, from when its statement arrived.
CREATE FUNCTION limit_waiting(ms_max integer DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
  left_ms integer := coalesce(nullif(current_setting('keybeat.caller_waits_ms', true), '')::integer, 2000)
                     - extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000;
BEGIN
  IF left_ms < 1 THEN
    RAISE lock_not_available USING MESSAGE = 'the caller has waited long enough';
  END IF;
  PERFORM set_config('lock_timeout', least(left_ms, ms_max)::text, true);
END
$$;
--> statement-breakpoint

-- Makes the timeout the installation's. Returns what it was before; null if it was that already: then it takes no lock.
CREATE FUNCTION set_session_timeout(seconds integer) RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
  before integer := (SELECT s.session_timeout_seconds FROM service_state s);
BEGIN
  IF before = seconds THEN
    RETURN NULL;
  END IF;
  PERFORM limit_waiting();
  before := (SELECT s.session_timeout_seconds FROM service_state s FOR UPDATE);
  UPDATE service_state SET session_timeout_seconds = seconds;
  RETURN nullif(before, seconds);
END
$$;
--> statement-breakpoint

-- Hands the value through. Wrapped around the first argument of a call, so that it comes before all that the call does:
-- its caller waits so many milliseconds from now on. (A setting of the transaction, which every pooler keeps together.)
CREATE FUNCTION caller_waits(ms integer, value anyelement) RETURNS anyelement
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM set_config('keybeat.caller_waits_ms', ms::text, true);
  PERFORM limit_waiting();
  RETURN value;
END
$$;
--> statement-breakpoint

-- Whoever is to end a live session waits for the history first, and only then holds the session: its heartbeats must not
-- wait for what somebody does to the history.
CREATE FUNCTION claim_endings() RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting();
  LOCK TABLE session_history IN ROW EXCLUSIVE MODE;
END
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
CREATE OR REPLACE FUNCTION start_session(
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
  PERFORM limit_waiting();
END
$$;
--> statement-breakpoint

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
--> statement-breakpoint

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
--> statement-breakpoint

-- Revokes a key and ends its live session, in one transaction and in the order of locks of start_session, so that
-- no start slips between. Revoking twice keeps the first moment. known: whether there is such a key.
CREATE OR REPLACE FUNCTION revoke_key_saying(of_key bigint, with_note text, OUT known boolean, OUT session_revoked boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
  PERFORM limit_waiting();
  PERFORM FROM keys k WHERE k.id = of_key FOR NO KEY UPDATE;
  known := FOUND;
  UPDATE keys k SET revoked_at = clock_timestamp() WHERE k.id = of_key AND k.revoked_at IS NULL;
  session_revoked := kick_session(of_key, NULL, with_note);
END
$$;
--> statement-breakpoint

-- Of the releases before notes.
CREATE OR REPLACE FUNCTION revoke_session(of_key bigint, only_session_id text DEFAULT NULL, OUT revoked boolean)
LANGUAGE sql
AS $$
  SELECT CASE WHEN only_session_id IS NULL THEN kick_session(of_key, NULL, NULL) ELSE coalesce((
    SELECT kick_session(of_key, s.generation, NULL) FROM active_sessions s
    WHERE s.key_id = of_key AND s.session_id = only_session_id), false) END
$$;
--> statement-breakpoint

CREATE OR REPLACE FUNCTION revoke_key(of_key bigint, OUT session_revoked boolean)
LANGUAGE sql
AS $$ SELECT done.session_revoked FROM revoke_key_saying(of_key, NULL) done $$;
--> statement-breakpoint

-- Takes a key away with all that is known of its devices: its history, and what the audit log says of it beyond who
-- did what and when. Of the session that it has now only a bare tombstone stays, so that its device is told.
CREATE OR REPLACE FUNCTION erase_key(of_key bigint, OUT known boolean, OUT session_revoked boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  present_generation bigint;
BEGIN
  PERFORM limit_waiting();
  PERFORM FROM keys k WHERE k.id = of_key FOR UPDATE;
  known := FOUND;
  session_revoked := false;
  IF NOT known THEN
    RETURN;
  END IF;
  SELECT s.generation INTO present_generation FROM active_sessions s WHERE s.key_id = of_key;
  session_revoked := kick_session(of_key, NULL, NULL);
  PERFORM limit_waiting();
  DELETE FROM session_history h WHERE h.key_id = of_key AND h.generation IS DISTINCT FROM present_generation;
  UPDATE session_history h
  SET access_key = '…', device = NULL, replaced_by_device = NULL, note = NULL WHERE h.key_id = of_key;
  PERFORM limit_waiting();
  UPDATE audit_log a SET details = NULL WHERE a.key_id = of_key AND a.details IS NOT NULL;
  DELETE FROM keys k WHERE k.id = of_key;
  PERFORM limit_waiting();
END
$$;
--> statement-breakpoint

-- Adds a key. No row: it exists already, and stays as it is.
CREATE FUNCTION create_key(
  hash bytea, alias bytea, prefix text, with_label text, until timestamptz, who text, from_address text,
  OUT id bigint, OUT created_at timestamptz
) RETURNS SETOF record
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting();
  INSERT INTO keys AS k (key_hash, key_prefix, label, expires_at)
  SELECT hash, prefix, with_label, until WHERE NOT EXISTS (SELECT FROM keys WHERE key_hash = alias)
  ON CONFLICT (key_hash) DO NOTHING RETURNING k.id, k.created_at INTO create_key.id, create_key.created_at;
  IF FOUND THEN
    PERFORM limit_waiting();
    PERFORM record_audit(who, from_address, 'key_created', create_key.id,
                         jsonb_build_object('label', with_label, 'expires_at', until));
    PERFORM limit_waiting();
    RETURN NEXT;
  END IF;
END
$$;
--> statement-breakpoint

-- Adds keys, [{hash, alias, prefix, label, expires_at}], with one entry in the audit log; those that exist stay as they are.
-- Returns how many are new. In the order of their hashes: two imports of the same keys must not wait for each other.
CREATE FUNCTION import_keys(given jsonb, who text, from_address text) RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
  imported integer;
BEGIN
  PERFORM limit_waiting();
  INSERT INTO keys (key_hash, key_prefix, label, expires_at)
  SELECT decode(key.hash, 'hex'), key.prefix, key.label, key.expires_at
  FROM ROWS FROM (
    jsonb_to_recordset(given) AS (hash text, alias text, prefix text, label text, expires_at timestamptz)
  ) WITH ORDINALITY AS key (hash, alias, prefix, label, expires_at, at)
  WHERE NOT EXISTS (SELECT FROM keys WHERE key_hash = decode(key.alias, 'hex'))
  ORDER BY key.hash COLLATE "C", key.at
  ON CONFLICT (key_hash) DO NOTHING;
  GET DIAGNOSTICS imported = ROW_COUNT;
  IF imported > 0 THEN
    PERFORM limit_waiting();
    PERFORM record_audit(who, from_address, 'keys_imported', NULL, jsonb_build_object(
      'imported', imported, 'skipped_known', jsonb_array_length(given) - imported));
    PERFORM limit_waiting();
  END IF;
  RETURN imported;
END
$$;
--> statement-breakpoint

-- Changes what is in `changes` (label, expires_at). Returns whether there is such a key.
CREATE FUNCTION change_key(of_key bigint, changes jsonb, who text, from_address text) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting();
  UPDATE keys k
  SET label = CASE WHEN changes ? 'label' THEN changes->>'label' ELSE k.label END,
      expires_at = CASE WHEN changes ? 'expires_at' THEN (changes->>'expires_at')::timestamptz ELSE k.expires_at END
  WHERE k.id = of_key;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM limit_waiting();
  PERFORM record_audit(who, from_address, 'key_changed', of_key, changes);
  PERFORM limit_waiting();
  RETURN true;
END
$$;
--> statement-breakpoint

-- Makes a revoked key good again.
CREATE FUNCTION restore_key(of_key bigint, who text, from_address text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting();
  UPDATE keys k SET revoked_at = NULL WHERE k.id = of_key AND k.revoked_at IS NOT NULL;
  IF FOUND THEN
    PERFORM limit_waiting();
    PERFORM record_audit(who, from_address, 'key_restored', of_key, NULL);
    PERFORM limit_waiting();
  END IF;
END
$$;
--> statement-breakpoint

-- Adds to what was refused in the present hour: [{code, refusals}].
CREATE FUNCTION add_refusals(counts jsonb) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting();
  INSERT INTO refusal_counts AS r (hour, code, refusals)
  SELECT date_trunc('hour', clock_timestamp(), 'UTC'), c.code, c.refusals
  FROM jsonb_to_recordset(counts) AS c (code text, refusals integer) ORDER BY c.code COLLATE "C"
  ON CONFLICT (hour, code) DO UPDATE SET refusals = r.refusals + excluded.refusals;
  PERFORM limit_waiting();
END
$$;
--> statement-breakpoint

-- Keeps so many as the peak of the present hour, if none were more.
CREATE FUNCTION keep_live_peak(live integer) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting();
  INSERT INTO live_peaks AS p (hour, live, at, sampled_at)
  SELECT date_trunc('hour', at, 'UTC'), keep_live_peak.live, at, at FROM clock_timestamp() AS at
  ON CONFLICT (hour) DO UPDATE
  SET live = greatest(p.live, excluded.live), at = CASE WHEN excluded.live > p.live THEN excluded.at ELSE p.at END,
      sampled_at = excluded.sampled_at;
END
$$;
--> statement-breakpoint

-- Heartbeats of many sessions in one statement (G3). Ids come joined by commas, which no id contains.
--
-- beaten:  "id generation,id generation,…" of those that were live and are now beaten at beat_at. What became of the
--          others settle_sessions says.
--
-- It creates and revives nothing: it only ever pushes last_heartbeat of a row that is live after it is locked. It waits
-- for no row, and touches nothing but the sessions: whatever becomes of the history, who is well is answered.
CREATE FUNCTION beat_live_sessions(
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
--> statement-breakpoint

-- What became of these sessions (ids joined by commas). Looking is no heartbeat, but whoever is found silent too long
-- expires by it: whoever tells somebody that a session expired makes it so, and no outage that begins now can bring it back.
--
-- outcome: replaced | expired | ended | revoked, moment = when it ended;
--          locked: silent too long, but somebody holds its row or the history, so nobody may be told yet: ask again;
--          and if asked for, live, moment = when it would expire. An id without a row was never seen, or forgotten.
--
-- Waits for the history a tenth of a second at most; where not even reading it is possible, lock_not_available.
CREATE FUNCTION settle_sessions(session_ids text, with_live boolean)
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
  FROM explain_endings(asked) e WHERE e.outcome <> 'locked'
  UNION ALL
  SELECT s.session_id, CASE WHEN s.last_heartbeat > cutoff THEN 'live' ELSE 'locked' END,
         session_deadline(s.last_heartbeat), NULL, s.generation, NULL
  FROM active_sessions s WHERE s.session_id = ANY (asked) AND (with_live OR s.last_heartbeat <= cutoff);
END
$$;
--> statement-breakpoint

-- Of the release before: both at once, and the healthy wait for the others a fifth of a second at most.
CREATE OR REPLACE FUNCTION beat_sessions(
  session_ids text,
  OUT beat_at timestamptz, OUT timeout_seconds integer, OUT beaten text, OUT others jsonb
)
LANGUAGE plpgsql
AS $$
DECLARE
  durable text := current_setting('synchronous_commit');
  rest text;
BEGIN
  SELECT b.* INTO beat_at, timeout_seconds, beaten FROM beat_live_sessions(session_ids) b;
  SELECT string_agg(id, ',') INTO rest FROM (
    SELECT unnest(string_to_array(session_ids, ',')) AS id
    EXCEPT SELECT split_part(b, ' ', 1) FROM unnest(string_to_array(beaten, ',')) b) asked;
  IF rest IS NULL THEN
    RETURN;
  END IF;
  PERFORM set_config('synchronous_commit', durable, true);
  BEGIN
    SELECT jsonb_agg(jsonb_build_object(
      'session_id', s.session_id, 'outcome', CASE s.outcome WHEN 'live' THEN 'locked' ELSE s.outcome END,
      'ended_at', s.moment, 'replaced_by_device', s.replaced_by_device, 'note', s.note))
    INTO others FROM settle_sessions(rest, true) s;
  EXCEPTION WHEN lock_not_available THEN
    SELECT jsonb_agg(jsonb_build_object(
      'session_id', id, 'outcome', 'locked', 'ended_at', NULL, 'replaced_by_device', NULL, 'note', NULL))
    INTO others FROM unnest(string_to_array(rest, ',')) id;
  END;
END
$$;
--> statement-breakpoint

-- Of the releases before.
CREATE OR REPLACE FUNCTION look_at_watched_sessions(session_ids text, with_live boolean)
RETURNS TABLE (session_id text, outcome text, moment timestamptz, replaced_by_device jsonb, generation bigint, note text)
LANGUAGE sql
AS $$ SELECT s.* FROM settle_sessions(session_ids, with_live) s WHERE s.outcome <> 'locked' $$;
--> statement-breakpoint

CREATE OR REPLACE FUNCTION look_at_sessions(session_ids text, with_live boolean)
RETURNS TABLE (session_id text, outcome text, moment timestamptz, replaced_by_device jsonb, generation bigint)
LANGUAGE sql
AS $$
  SELECT s.session_id, s.outcome, s.moment, s.replaced_by_device, s.generation
  FROM settle_sessions(session_ids, with_live) s WHERE s.outcome <> 'locked'
$$;
--> statement-breakpoint

-- The cleanup holds the rows of silent sessions, for whose keys somebody may want to start.
ALTER FUNCTION expire_sessions_between(tid, tid, integer) SET lock_timeout = '100ms';
--> statement-breakpoint

-- Waits for the room's lock, then reads the clock, then removes whoever is due. After it the room is as it should be,
-- and nobody changes it but the caller, who makes everybody wait: so from here on it waits for a tenth of a second at most.
CREATE OR REPLACE FUNCTION enter_room(OUT at timestamptz, OUT removed integer)
LANGUAGE plpgsql
AS $$
DECLARE
  due timestamptz;
  dated_by bigint;
BEGIN
  PERFORM limit_waiting();
  SELECT r.next_due, r.clock_steps INTO due, dated_by FROM waiting_room r FOR UPDATE;
  PERFORM limit_waiting(100);
  at := clock_timestamp();
  removed := 0;
  IF dated_by <> (SELECT s.clock_steps FROM present_state() s) THEN
    PERFORM redate_room(at);
    due := at;
  END IF;
  IF due <= at THEN
    removed := remove_silent(at);
    PERFORM let_in(at);
  END IF;
END
$$;
--> statement-breakpoint

-- Fills the free seats from the line: the highest priority first, by ticket within it, passing over whoever has
-- stopped asking, and whose place somebody else has held for a tenth of a second. The caller holds the room's lock.
CREATE OR REPLACE FUNCTION let_in(at timestamptz) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_sort = off
SET jit = off
AS $$
DECLARE
  room waiting_room;
  next_ones waiting_room_places[];
  next_one waiting_room_places;
  seated integer := 0;
  still_waiting integer[];
BEGIN
  SELECT r.* INTO room FROM waiting_room r;
  IF room.paused OR room.active >= room.max_active OR 0 = ALL (room.waiting) THEN
    RETURN;
  END IF;
  still_waiting := room.waiting;
  -- Whoever asks holds the place for a moment, and must not be passed over for that.
  BEGIN
    next_ones := ARRAY(
      SELECT p FROM waiting_room_places p
      WHERE p.seated_at IS NULL AND p.last_seen > room_cutoff(at, room.waiter_seconds)
      ORDER BY p.priority DESC, p.ticket LIMIT room.max_active - room.active FOR NO KEY UPDATE);
  EXCEPTION WHEN lock_not_available THEN
    next_ones := ARRAY(
      SELECT p FROM waiting_room_places p
      WHERE p.seated_at IS NULL AND p.last_seen > room_cutoff(at, room.waiter_seconds)
      ORDER BY p.priority DESC, p.ticket LIMIT room.max_active - room.active FOR NO KEY UPDATE SKIP LOCKED);
  END;
  FOREACH next_one IN ARRAY next_ones LOOP
    PERFORM seat_waiter(next_one, 'promoted', at);
    seated := seated + 1;
    still_waiting[next_one.priority + 1] := still_waiting[next_one.priority + 1] - 1;
  END LOOP;
  -- Once for all of them: a version of this row for each made 9,000 new seats take 9 s, under everybody's lock.
  UPDATE waiting_room
  SET active = active + seated, waiting = still_waiting, occupied_since = coalesce(occupied_since, at),
      next_due = least(next_due, at + make_interval(secs => claim_seconds))
  WHERE seated > 0;
END
$$;
--> statement-breakpoint

-- Gives the free permits to the requests that wait, in the order in which they came. A request that was given one has
-- 5 seconds to take it (its process may have died). The caller holds the room's lock.
CREATE OR REPLACE FUNCTION grant_permits(at timestamptz) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
  free integer;
  next_id text;
  request_seconds integer;
  granted_cutoff timestamptz;
  waiting_cutoff timestamptz;
BEGIN
  -- Whoever waits and gave up 2 seconds ago did not say so: its process is gone. Only who has the room's lock changes a
  -- permit, so what is locked nevertheless is held by a stranger, and nobody waits for that.
  request_seconds := (SELECT r.request_seconds FROM waiting_room r);
  granted_cutoff := room_cutoff(at, request_seconds) + make_interval(secs => request_seconds);
  waiting_cutoff := room_cutoff(at, 32);
  DELETE FROM waiting_room_permits p WHERE p.permit_id = ANY (ARRAY(
    SELECT over.permit_id FROM waiting_room_permits over
    WHERE CASE WHEN over.granted THEN over.expires_at <= granted_cutoff ELSE wait_began(over) <= waiting_cutoff END
    FOR UPDATE SKIP LOCKED));
  SELECT r.max_requests - count(p.permit_id) INTO free
  FROM waiting_room r LEFT JOIN waiting_room_permits p ON p.granted GROUP BY r.singleton, r.max_requests;
  FOR next_id IN
    SELECT p.permit_id FROM waiting_room_permits p
    WHERE NOT p.granted AND p.expires_at > at ORDER BY p.ticket LIMIT greatest(free, 0)
    FOR NO KEY UPDATE SKIP LOCKED
  LOOP
    UPDATE waiting_room_permits p SET granted = true, expires_at = at + interval '5 seconds' WHERE p.permit_id = next_id;
    PERFORM pg_notify('keybeat_room', 'permit ' || next_id);
    PERFORM fall_due(at + interval '5 seconds');
  END LOOP;
END
$$;
--> statement-breakpoint

-- Takes at most 1,000 places away whose users fell silent, and says when to look again. The caller holds the lock. What
-- somebody else holds is for the next time. Whoever was let in and asked since is no no-show, though the claim may have failed.
CREATE OR REPLACE FUNCTION remove_silent(at timestamptz) RETURNS integer
LANGUAGE plpgsql
SET jit = off
AS $$
DECLARE
  room waiting_room;
  silent waiting_room_places;
  removed integer := 0;
  waiter_cutoff timestamptz;
  seat_cutoff timestamptz;
  claim_cutoff timestamptz;
BEGIN
  SELECT r.* INTO room FROM waiting_room r;
  waiter_cutoff := room_cutoff(at, room.waiter_seconds);
  seat_cutoff := room_cutoff(at, room.seat_seconds);
  claim_cutoff := room_cutoff(at, room.claim_seconds);
  FOR silent IN
    SELECT p.* FROM waiting_room_places p
    WHERE CASE WHEN p.seated_at IS NULL THEN p.last_seen <= waiter_cutoff
               WHEN p.claimed THEN p.last_seen <= seat_cutoff
               ELSE greatest(p.seated_at, p.last_seen) <= claim_cutoff END
      -- A poll holds no lock of the room, and may be of after the clock went back.
      AND CASE WHEN p.seated_at IS NULL THEN p.last_seen <= room_cutoff(clock_timestamp(), room.waiter_seconds)
               WHEN p.claimed THEN p.last_seen <= room_cutoff(clock_timestamp(), room.seat_seconds)
               ELSE greatest(p.seated_at, p.last_seen) <= room_cutoff(clock_timestamp(), room.claim_seconds) END
    ORDER BY p.ticket LIMIT 1000 FOR UPDATE SKIP LOCKED
  LOOP
    removed := removed + 1;
    PERFORM remove_place(silent, CASE WHEN silent.seated_at IS NULL THEN 'abandoned'
                                      WHEN silent.claimed THEN 'expired' ELSE 'unclaimed' END, at);
  END LOOP;
  PERFORM grant_permits(at);
  -- The first deadline of each sort is that of whoever of it is silent for longest.
  UPDATE waiting_room SET next_due = CASE WHEN removed = 1000 THEN at ELSE coalesce((
    SELECT least(room_deadline(min(p.last_seen) FILTER (WHERE p.seated_at IS NULL), room.waiter_seconds),
                 room_deadline(min(p.last_seen) FILTER (WHERE p.claimed), room.seat_seconds),
                 room_deadline(min(greatest(p.seated_at, p.last_seen)) FILTER (WHERE p.seated_at IS NOT NULL AND NOT p.claimed), room.claim_seconds),
                 (SELECT least(room_deadline(min(q.expires_at) FILTER (WHERE q.granted)
                                               - make_interval(secs => room.request_seconds), room.request_seconds),
                               room_deadline(min(wait_began(q)) FILTER (WHERE NOT q.granted), 32))
                  FROM waiting_room_permits q))
    FROM waiting_room_places p), 'infinity') END;
  RETURN removed;
END
$$;
--> statement-breakpoint

-- Where the user stands, which keeps the place. Nearly always without the room's lock: only what changes more than the
-- moment of being seen (a claim, an expiry), or meets somebody else at the place, goes through it: outcome "again". Whoever
-- asks is seen in any case, so that nobody is silent because the room's lock was not to be had.
CREATE OR REPLACE FUNCTION ask_place(
  who text,
  OUT outcome text, OUT session_id text, OUT created_at timestamptz, OUT line_position integer,
  OUT wait_seconds double precision, OUT active integer, OUT max_active integer
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz;
  room waiting_room;
  place waiting_room_places;
  seen boolean;
BEGIN
  SELECT r.* INTO room FROM waiting_room r;
  SELECT p.* INTO place FROM waiting_room_places p WHERE p.user_id = who FOR NO KEY UPDATE SKIP LOCKED;
  at := clock_timestamp();
  seen := CASE WHEN place.seated_at IS NULL THEN place.last_seen > room_cutoff(at, room.waiter_seconds)
               WHEN place.claimed THEN place.last_seen > room_cutoff(at, room.seat_seconds)
               ELSE greatest(place.seated_at, place.last_seen) > room_cutoff(at, room.claim_seconds) END;
  IF seen THEN
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE waiting_room_places p SET last_seen = at WHERE p.user_id = who;
  END IF;
  -- It may be this user's turn, or time to go; the room may have to be dated by a clock that has jumped; or somebody else
  -- holds the place. The row's lock must not be held while the room's is waited for.
  IF room.next_due <= at OR room.clock_steps <> (SELECT s.clock_steps FROM present_state() s)
     OR (place.user_id IS NOT NULL AND (NOT seen OR place.seated_at IS NOT NULL AND NOT place.claimed))
     OR (place.user_id IS NULL AND EXISTS (SELECT FROM waiting_room_places p WHERE p.user_id = who)) THEN
    outcome := 'again';
    RETURN;
  END IF;
  SELECT d.* INTO outcome, session_id, created_at, line_position, wait_seconds, active, max_active
  FROM describe_place(place, at) d;
END
$$;
--> statement-breakpoint

-- The place falls due in so many seconds, unless the user is heard of until then. Never puts it off. A seat that is not
-- claimed yet is left to its own, short, time. Returns whether there was a place.
CREATE FUNCTION leave_place_soon(who text, seconds double precision, OUT had_place boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  at timestamptz;
BEGIN
  at := (SELECT e.at FROM enter_room() e);
  UPDATE waiting_room_places p
  SET last_seen = least(p.last_seen, make_interval(secs => seconds) + room_cutoff(at,
        CASE WHEN p.seated_at IS NULL THEN room.waiter_seconds ELSE room.seat_seconds END))
  FROM waiting_room room WHERE p.user_id = who;
  had_place := FOUND;
  IF had_place THEN
    PERFORM fall_due(at + make_interval(secs => seconds));
  END IF;
END
$$;
--> statement-breakpoint

-- Whether there is nothing to do in the room by itself.
CREATE FUNCTION room_is_settled() RETURNS boolean
LANGUAGE sql STABLE
AS $$
  SELECT r.next_due > clock_timestamp() AND r.clock_steps = s.clock_steps FROM waiting_room r, present_state() s
$$;
--> statement-breakpoint

CREATE OR REPLACE FUNCTION settle_room() RETURNS integer
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting();
  IF room_is_settled() THEN
    RETURN 0;
  END IF;
  RETURN (SELECT removed FROM enter_room());
END
$$;
--> statement-breakpoint

-- As settle_room, for those whom nobody waits for: where somebody is in the room, that one does it.
CREATE FUNCTION settle_free_room() RETURNS integer
LANGUAGE plpgsql
SET lock_timeout = '100ms'
AS $$
BEGIN
  IF room_is_settled() THEN
    RETURN 0;
  END IF;
  PERFORM FROM waiting_room r FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN 0;
  END IF;
  RETURN (SELECT removed FROM enter_room());
END
$$;
--> statement-breakpoint

ALTER FUNCTION keep_waiters(jsonb) SET lock_timeout = '2s';
--> statement-breakpoint

-- Applies the settings of a starting process. The number of seats only where that setting is another than the last
-- time, so that an operator's change outlives a restart. Where all is so already, nothing is waited for.
CREATE OR REPLACE FUNCTION configure_room(
  seats integer, requests integer, waiters integer, seat integer, waiter integer, claim integer, request integer
) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
  at timestamptz;
  room waiting_room;
BEGIN
  IF EXISTS (
    SELECT FROM waiting_room r
    WHERE (r.max_requests, r.max_waiting, r.seat_seconds, r.waiter_seconds, r.claim_seconds, r.request_seconds,
           r.max_active_configured) = (requests, waiters, seat, waiter, claim, request, seats)) THEN
    RETURN;
  END IF;
  at := (SELECT e.at FROM enter_room() e);
  SELECT r.* INTO room FROM waiting_room r;
  UPDATE waiting_room
  SET max_requests = requests, max_waiting = waiters, seat_seconds = seat, waiter_seconds = waiter,
      claim_seconds = claim, request_seconds = request, max_active_configured = seats, next_due = '-infinity';
  IF room.max_active_configured IS DISTINCT FROM seats THEN
    PERFORM set_capacity(seats);
  END IF;
END
$$;
--> statement-breakpoint

-- Takes away all that is known of a user: the place, the moves, and what the audit log says of them beyond who did what
-- and when. Whoever is next is in when it returns. known: whether there was anything.
CREATE OR REPLACE FUNCTION erase_user(who text, OUT known boolean)
LANGUAGE plpgsql
AS $$
BEGIN
  -- First outside the room: the cleanup may be at them. Then there are only those since.
  PERFORM limit_waiting();
  DELETE FROM waiting_room_moves m WHERE m.user_id = who;
  known := FOUND;
  known := leave_place(who, true) OR known;
  DELETE FROM waiting_room_moves m WHERE m.user_id = who;
  UPDATE audit_log a SET details = NULL WHERE a.details->>'user_id' = erase_user.who;
  known := known OR FOUND;
  PERFORM limit_waiting();
END
$$;
--> statement-breakpoint

-- Takes counts of the limits away whose time is over, and such as a clock that was ahead has dated.
CREATE FUNCTION forget_limit_counts() RETURNS void
LANGUAGE sql
SET lock_timeout = '100ms'
AS $$
  DELETE FROM limit_counts c WHERE c.key = ANY (ARRAY(
    SELECT old.key FROM limit_counts old
    WHERE old.expire NOT BETWEEN extract(epoch FROM clock_timestamp()) * 1000 - 60000
                         AND extract(epoch FROM clock_timestamp()) * 1000 + 120000
    LIMIT 100000 FOR UPDATE SKIP LOCKED))
$$;
--> statement-breakpoint

-- Forgets at most 10,000 moves that are older than the retention.
CREATE FUNCTION forget_moves(retention_days integer) RETURNS void
LANGUAGE sql
SET lock_timeout = '100ms'
AS $$
  DELETE FROM waiting_room_moves m WHERE m.id = ANY (ARRAY(
    SELECT old.id FROM waiting_room_moves old
    WHERE old.at < (SELECT retention_clock()) - make_interval(days => retention_days) LIMIT 10000 FOR UPDATE SKIP LOCKED))
$$;
--> statement-breakpoint

-- The months from this one to the third after it that have no partition. Where the default partition holds rows of a
-- month, they stay there, and it gets none.
CREATE FUNCTION missing_history_months()
RETURNS TABLE (partition_name text, since timestamptz, until timestamptz)
LANGUAGE sql
AS $$
  SELECT 'session_history_' || to_char(m.month, 'YYYY_MM'), m.month AT TIME ZONE 'UTC',
         (m.month + interval '1 month') AT TIME ZONE 'UTC'
  FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS now) clock,
       generate_series(date_trunc('month', clock.now), clock.now + interval '3 months', '1 month') AS m (month)
  WHERE to_regclass('session_history_' || to_char(m.month, 'YYYY_MM')) IS NULL AND NOT EXISTS (
    SELECT FROM session_history_default d
    WHERE d.ended_at >= m.month AT TIME ZONE 'UTC' AND d.ended_at < (m.month + interval '1 month') AT TIME ZONE 'UTC')
  ORDER BY m.month
$$;
--> statement-breakpoint

CREATE FUNCTION make_history_month(partition_name text, since timestamptz, until timestamptz) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  EXECUTE format('CREATE TABLE %I PARTITION OF session_history FOR VALUES FROM (%L) TO (%L)', partition_name, since, until);
END
$$;
--> statement-breakpoint

-- The months that lie wholly before the retention.
CREATE FUNCTION old_history_months(retention_days integer) RETURNS SETOF text
LANGUAGE sql
AS $$
  SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  WHERE i.inhparent = 'session_history'::regclass AND c.relname ~ '^session_history_\d{4}_\d{2}$'
    AND (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC'
        <= (SELECT retention_clock()) - make_interval(days => retention_days)
  ORDER BY c.relname
$$;
--> statement-breakpoint

-- Takes at most 10,000 rows past the retention out of the default partition.
CREATE FUNCTION forget_old_history(retention_days integer) RETURNS void
LANGUAGE sql
AS $$
  DELETE FROM session_history_default d WHERE d.ctid = ANY (ARRAY(
    SELECT old.ctid FROM session_history_default old
    WHERE old.ended_at < (SELECT retention_clock()) - make_interval(days => retention_days) LIMIT 10000 FOR UPDATE SKIP LOCKED))
$$;
--> statement-breakpoint

-- A new partition takes its month from the default one, which PostgreSQL reads for that under a lock that stops every
-- ending, unless a constraint proves that no row of the month is in it. Beyond this size it is worth one.
CREATE FUNCTION history_default_is_large() RETURNS boolean
LANGUAGE sql
AS $$ SELECT pg_relation_size('session_history_default') > 8 * 1024 * 1024 $$;
--> statement-breakpoint

-- One at a time, and for no longer than a tenth of a second: a reader of the history may hold it up, and behind it every
-- ending. To be called first in each transaction. False: somebody else is at it.
CREATE FUNCTION claim_history() RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM set_config('lock_timeout', '100', true);
  RETURN pg_try_advisory_xact_lock(1262834005, 0);
END
$$;
--> statement-breakpoint

-- Takes away the constraints of guard_history_month; whether none is left.
CREATE FUNCTION unguard_history() RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
  guard name;
BEGIN
  FOR guard IN
    SELECT c.conname FROM pg_constraint c
    WHERE c.conrelid = 'session_history_default'::regclass AND c.conname LIKE 'session\_history\_default\_without\_%'
  LOOP
    EXECUTE format('ALTER TABLE session_history_default DROP CONSTRAINT %I', guard);
  END LOOP;
  RETURN true;
EXCEPTION WHEN lock_not_available THEN
  RETURN false;
END
$$;
--> statement-breakpoint

-- Makes the partitions of this month and the next three, drops the months that lie wholly before the retention, and
-- takes old rows out of the default partition. Each step is a transaction, so that its locks are held for its own
-- milliseconds; what could not be done within a tenth of a second is for the next cleanup. It goes on when its caller is gone.
CREATE PROCEDURE tidy_history(retention_days integer, INOUT made integer, INOUT dropped integer)
LANGUAGE plpgsql
AS $$
DECLARE
  months text[];
  month record;
  guarded boolean;
BEGIN
  made := 0;
  dropped := 0;
  IF NOT claim_history() OR NOT unguard_history() THEN
    RETURN;
  END IF;
  PERFORM forget_old_history(retention_days);
  months := ARRAY(SELECT m.partition_name FROM missing_history_months() m);
  COMMIT;
  FOR n IN 1 .. cardinality(months) LOOP
    EXIT WHEN NOT claim_history();
    SELECT m.* INTO month FROM missing_history_months() m WHERE m.partition_name = months[n];
    CONTINUE WHEN NOT FOUND;
    guarded := history_default_is_large();
    IF guarded THEN
      -- While the constraint is there and the partition is not, an ending in that month would be refused. So none for a
      -- month that may begin before the next cleanup; it stays in the default partition.
      CONTINUE WHEN month.since < clock_timestamp() + interval '1 day';
      BEGIN
        EXECUTE format(
          'ALTER TABLE session_history_default ADD CONSTRAINT %I CHECK (ended_at < %L OR ended_at >= %L) NOT VALID',
          replace(months[n], 'session_history_', 'session_history_default_without_'), month.since, month.until);
      EXCEPTION WHEN lock_not_available THEN
        CONTINUE;
      END;
      COMMIT;
      -- It reads all the rows, and endings go on meanwhile. It may wait, too: nobody waits for it but a vacuum.
      BEGIN
        PERFORM set_config('lock_timeout', '5000', true);
        EXECUTE format('ALTER TABLE session_history_default VALIDATE CONSTRAINT %I',
                       replace(months[n], 'session_history_', 'session_history_default_without_'));
      EXCEPTION WHEN lock_not_available OR check_violation THEN
        months[n] := NULL;
      END;
      COMMIT;
    END IF;
    BEGIN
      IF claim_history() AND months[n] IS NOT NULL THEN
        PERFORM make_history_month(month.partition_name, month.since, month.until);
        made := made + 1;
      END IF;
    EXCEPTION WHEN lock_not_available OR check_violation THEN
      NULL;
    END;
    COMMIT;
    FOR tries IN 1 .. 50 LOOP
      PERFORM set_config('lock_timeout', '100', true);
      EXIT WHEN NOT guarded OR unguard_history();
      COMMIT;
      PERFORM pg_sleep(0.1);
    END LOOP;
    COMMIT;
  END LOOP;
  months := ARRAY(SELECT old_history_months(retention_days));
  FOR n IN 1 .. cardinality(months) LOOP
    EXIT WHEN NOT claim_history();
    BEGIN
      EXECUTE format('DROP TABLE IF EXISTS %I', months[n]);
      dropped := dropped + 1;
    EXCEPTION WHEN lock_not_available THEN
      NULL;
    END;
    COMMIT;
  END LOOP;
END
$$;
--> statement-breakpoint

-- Of the release before, in one transaction. Of a large default partition it leaves the months to tidy_history.
CREATE OR REPLACE FUNCTION maintain_history(retention_days integer, OUT made integer, OUT dropped integer)
LANGUAGE plpgsql
AS $$
DECLARE
  month record;
  old text;
BEGIN
  made := 0;
  dropped := 0;
  IF NOT claim_history() THEN
    RETURN;
  END IF;
  PERFORM forget_old_history(retention_days);
  FOR month IN SELECT m.* FROM missing_history_months() m WHERE NOT history_default_is_large() LOOP
    PERFORM make_history_month(month.partition_name, month.since, month.until);
    made := made + 1;
  END LOOP;
  FOR old IN SELECT old_history_months(retention_days) LOOP
    EXECUTE format('DROP TABLE %I', old);
    dropped := dropped + 1;
  END LOOP;
END
$$;