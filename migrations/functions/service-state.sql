-- The service's own state: ticks, gaps, and jumps of the clock.

-- The state of the service: the one row, or its newest stand-in while another transaction holds the row's lock. A
-- stand-in is valid only after the very tick of the row that it was made for, so none outlives its purpose.
CREATE OR REPLACE FUNCTION present_state() RETURNS service_state
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

-- Saves the state: in the row if the caller has its lock, else in a stand-in.
CREATE OR REPLACE FUNCTION keep_state(state service_state, has_lock boolean) RETURNS void
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

-- Sets the installation's timeout. Returns the previous one, or null, without taking a lock, if it is the same.
CREATE OR REPLACE FUNCTION set_session_timeout(seconds integer) RETURNS integer
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

-- Records the mark by which the keys' pepper is recognised.
CREATE OR REPLACE FUNCTION keep_pepper_mark(mark text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting();
  UPDATE service_state SET pepper_mark = mark;
END
$$;

-- The moment from which retention counts back: never ahead of what the service has ticked through. A clock that leaps
-- ahead by a year drops nothing; after a real outage of a year, a fortnight of service catches up.
CREATE OR REPLACE FUNCTION retention_clock() RETURNS timestamptz
LANGUAGE sql STABLE
AS $$ SELECT least(confirmed_at, clock_timestamp()) FROM present_state() $$;

-- Records once a second that a process serves; detects the end of a gap, and jumps of the clock. Any number of
-- processes call it. expected: what the clock should read by the caller's monotonic clock since its previous tick, or
-- null. The database's clock alone decides; this only tells how far it jumped.
--
-- at: the clock; null if another process was ticking at that moment.
-- stepped_seconds: how far the clock jumped, if this tick detected it; a sleep of the caller's host looks the same.
-- unsettled: more sessions or leases must be redated, tick again at once.
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
  -- A tick promises that healthy sessions can be kept. If an operator's lock blocks all of them, that is an outage too.
  LOCK TABLE active_sessions, waiting_room, waiting_room_places IN ROW EXCLUSIVE MODE NOWAIT;
  PERFORM FROM service_state s WHERE s.singleton FOR NO KEY UPDATE SKIP LOCKED;
  has_lock := FOUND;
  state := present_state();
  before := state;
  over_before := pg_snapshot_xmin(pg_current_snapshot()); -- before the clock is read
  at := clock_timestamp();

  -- A jump of less than a second is ignored: nobody is a second late for it.
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
      redated := greatest(redate_leases(at),
        redate_sessions(at, at, dead_until, make_interval(secs => -stepped_seconds), before.ticked_after));
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
      redated := greatest(redate_leases(least(state.clock_stepped_at, at)),
        redate_sessions(at, least(state.clock_stepped_at, at), NULL, NULL, NULL));
    END IF;
    unsettled := redated = 10000;
    state.clock_unsettled := EXISTS (SELECT FROM active_sessions s WHERE s.last_heartbeat > clock_timestamp())
                             OR EXISTS (SELECT FROM leases l WHERE l.issued_at > clock_timestamp());
    PERFORM keep_state(state, has_lock);
  END IF;
END
$$;
