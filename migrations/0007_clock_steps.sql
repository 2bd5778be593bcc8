-- Gaps in service and jumps of the clock: one rule of silence for every kind of session. drizzle-kit generated the columns.
-- The room's table comes first: whoever has its lock goes on to read service_state, never the other way round.

ALTER TABLE "waiting_room" ADD COLUMN "clock_steps" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "service_state" ADD COLUMN "ticked_after" "xid8";--> statement-breakpoint
ALTER TABLE "service_state" ADD COLUMN "gaps" "tstzmultirange" DEFAULT '{}'::tstzmultirange NOT NULL;--> statement-breakpoint
ALTER TABLE "service_state" ADD COLUMN "confirmed_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "service_state" ADD COLUMN "clock_steps" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "service_state" ADD COLUMN "clock_stepped_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "service_state" ADD COLUMN "clock_stepped_seconds" double precision;--> statement-breakpoint
ALTER TABLE "service_state" ADD COLUMN "clock_unsettled" boolean DEFAULT false NOT NULL;
--> statement-breakpoint

-- The rule of silence, for every kind of session with its own timeout T: who was last heard of at L is live at a moment
-- while L > silence_cutoff(moment, T), which is to say until silence_deadline(L, T).
--
-- That is: heard of within T. But our own outage expires nobody (G6). Every serving process ticks each second
-- (serve_tick), so while the last tick is over 3 seconds old nobody serves. That is a gap, and whoever was live when it
-- began has a full T from its end:
--
--   serving              ... | a gap            | the first T after it | serving ...
--   cutoff: the moment - T   | gap's begin - T  | gap's begin - T      | the moment - T
--
-- Whoever was silent too long before the gap stays dead, as the cutoff stands where it stood when the gap began. The
-- rule holds before anyone has ticked again, and a process that starts late extends nothing while others tick.
--
-- Of gaps in a row each gives a full T from its end to whoever was live when it began, those who lived by the gap before
-- included. So that a service that dies again and again keeps nobody for ever, there is a bound: three T of time in which
-- we did serve, and not a word. No single gap and no two in a row ever reach it.
--
--   T = 60   heard │ 50 s │ gap │ 55 s │ gap │ 50 s │ gap │ 25 s │ the bound (180 s served), before the third gap's 60 s
--
-- A jump of the clock is a gap too. Ahead it looks like any other: the last tick is long ago. Back, the last tick is
-- still to come. The first tick that sees it ends it: the gap's end is now, what was noted for later than now is dated
-- back to now, and everybody who was live at the last tick has a full T. Until then (a second) whatever was noted for
-- later counts as live. So nobody who is live is expired by a jump, and nobody who is silent stays for longer than T after it.

-- The gaps as they are known at a moment, the one that still goes on included, and nothing later than it. Where somebody has
-- set the last gap by hand, that is believed.
CREATE FUNCTION gaps_until(state service_state, at timestamptz) RETURNS tstzmultirange
LANGUAGE sql STABLE
AS $$
  SELECT (CASE WHEN state.gap_ended IS NULL THEN '{}'
               WHEN upper(state.gaps) = state.gap_ended THEN state.gaps
               ELSE state.gaps * tstzmultirange(tstzrange(NULL, state.gap_began))
                    + tstzmultirange(tstzrange(state.gap_began, state.gap_ended)) END
          + CASE WHEN state.last_tick < at - interval '3 seconds'
                 -- least: the planner makes the range before it looks at the condition.
                 THEN tstzmultirange(tstzrange(least(state.last_tick, at), at)) ELSE '{}' END)
         * tstzmultirange(tstzrange(NULL, at))
$$;
--> statement-breakpoint

-- A gap's length in seconds and nothing larger: a "day" of an interval is 23 hours when the clocks are put forward.
CREATE FUNCTION seconds_of(gap tstzrange) RETURNS interval
LANGUAGE sql STABLE
AS $$ SELECT make_interval(secs => extract(epoch FROM upper(gap) - lower(gap))::double precision) $$;
--> statement-breakpoint

-- One gap more. At most 64 are kept: then the two with the least service between them, for how long they are past, become
-- one as long as both. So the time served stays what it was, and what is lately over is known exactly.
CREATE FUNCTION add_gap(gaps tstzmultirange, gap tstzrange) RETURNS tstzmultirange
LANGUAGE sql STABLE
AS $$
  WITH grown AS (
    SELECT gaps + tstzmultirange(gap) AS whole
  ), pairs AS (
    SELECT one, lead(one) OVER (ORDER BY one) AS next, count(*) OVER () AS n FROM grown, unnest(whole) one
  ), closest AS (
    SELECT one, next FROM pairs, grown WHERE n > 64 AND upper(next) < upper(whole)
    ORDER BY extract(epoch FROM lower(next) - upper(one)) / extract(epoch FROM upper(whole) - upper(next)) LIMIT 1
  )
  SELECT coalesce((
    SELECT whole - tstzmultirange(one) - tstzmultirange(next)
           + tstzmultirange(tstzrange(lower(one), upper(one) + seconds_of(next))) FROM closest), whole)
  FROM grown
$$;
--> statement-breakpoint

-- The cutoff where a gap bears upon it: as of the last gap that gives a full timeout, of the one before that, and so on; and
-- never more than three timeouts of served time ago.
CREATE FUNCTION gap_cutoff(state service_state, at timestamptz, timeout interval) RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  gap tstzrange;
  as_of timestamptz := at;
  bound timestamptz := at - 3 * timeout;
BEGIN
  FOR gap IN SELECT g FROM unnest(gaps_until(state, at)) g ORDER BY g DESC LOOP
    EXIT WHEN as_of >= upper(gap) + timeout AND bound >= upper(gap);
    IF as_of < upper(gap) + timeout THEN
      as_of := lower(gap);
    END IF;
    IF bound < upper(gap) THEN
      bound := bound - seconds_of(gap);
    END IF;
  END LOOP;
  RETURN greatest(as_of - timeout, bound);
END
$$;
--> statement-breakpoint

-- Whoever was last heard of at or before this is silent too long. One timestamp for a whole statement. This and what stands on
-- it is PL/pgSQL, which keeps its plans from one transaction to the next: it is part of every heartbeat.
CREATE FUNCTION silence_cutoff(at timestamptz, timeout interval) RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  state service_state;
BEGIN
  SELECT s.* INTO state FROM service_state s WHERE s.singleton;
  IF state.last_tick < at - interval '3 seconds' OR at < state.gap_ended + timeout THEN
    RETURN gap_cutoff(state, at, timeout);
  END IF;
  RETURN at - timeout;
END
$$;
--> statement-breakpoint

-- The same walk from the other end.
CREATE FUNCTION gap_deadline(state service_state, last_heard timestamptz, timeout interval) RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  at timestamptz := clock_timestamp();
  gap tstzrange;
  deadline timestamptz := last_heard + timeout;
  bound timestamptz := last_heard + 3 * timeout;
BEGIN
  FOR gap IN SELECT g FROM unnest(gaps_until(state, at)) g WHERE upper(g) > last_heard ORDER BY g LOOP
    IF lower(gap) < deadline THEN
      deadline := upper(gap) + timeout;
    END IF;
    IF lower(gap) < bound THEN
      bound := bound + seconds_of(tstzrange(greatest(lower(gap), last_heard), upper(gap)));
    END IF;
  END LOOP;
  RETURN least(deadline, bound, at + timeout);
END
$$;
--> statement-breakpoint

-- When whoever was last heard of then is silent too long, or was. Never more than a timeout from now, whatever the clock did.
CREATE FUNCTION silence_deadline(last_heard timestamptz, timeout interval) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT
AS $$
DECLARE
  state service_state;
BEGIN
  SELECT s.* INTO state FROM service_state s WHERE s.singleton;
  IF last_heard < state.gap_ended OR state.last_tick < clock_timestamp() - interval '3 seconds' THEN
    RETURN gap_deadline(state, last_heard, timeout);
  END IF;
  RETURN least(last_heard, clock_timestamp()) + timeout;
END
$$;
--> statement-breakpoint

CREATE OR REPLACE FUNCTION session_timeout() RETURNS interval
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN (SELECT make_interval(secs => s.session_timeout_seconds) FROM service_state s WHERE s.singleton);
END
$$;
--> statement-breakpoint

-- The rule of device sessions: one is live while last_heartbeat > session_cutoff(clock_timestamp()).
CREATE OR REPLACE FUNCTION session_cutoff(at timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN silence_cutoff(at, session_timeout());
END
$$;
--> statement-breakpoint

-- When a session with that last heartbeat expires, or did.
CREATE OR REPLACE FUNCTION session_deadline(last_heartbeat timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN silence_deadline(last_heartbeat, session_timeout());
END
$$;
--> statement-breakpoint

-- Dates sessions by a clock that has gone back: at most 10,000 of those that were heard of later than now are heard of at
-- `moment`. Given dead_until, the cutoff of the last tick, whoever was dead by it stays so: dated back as far as the
-- clock went. A row that is not later than now may be of before or after the jump; it is of before if the transaction that
-- wrote it was over at the last tick, which is certain of those before `ticked_after`. Rows that somebody else holds are for
-- the next time. Returns how many it was.
CREATE FUNCTION redate_sessions(
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
--> statement-breakpoint

-- Says that somebody serves, once a second; notices a gap when it is over, and a clock that jumped. Called by any number of
-- processes. expected: what the clock should read by the caller's own monotonic clock since its tick before; null where
-- it has none. The database's clock decides alone; this only tells how far it jumped.
--
-- at: the clock; null if this was no tick, as another process has the row.
-- stepped_seconds: how far the clock went, if this tick was the one to see it jump; a sleep of the caller's host looks
-- the same. unsettled: there is more to date back, tick again at once.
CREATE FUNCTION serve_tick(
  expected timestamptz, OUT at timestamptz, OUT stepped_seconds double precision, OUT unsettled boolean
)
LANGUAGE plpgsql
AS $$
DECLARE
  state service_state;
  went_back boolean;
  gap_starts timestamptz;
  dead_until timestamptz;
  over_before xid8;
  redated integer := 0;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  SELECT s.* INTO state FROM service_state s WHERE s.singleton FOR NO KEY UPDATE SKIP LOCKED;
  over_before := pg_snapshot_xmin(pg_current_snapshot()); -- then the clock
  at := clock_timestamp();
  unsettled := false;
  IF state.singleton IS NULL THEN
    at := NULL; -- another process does it just now
    RETURN;
  END IF;

  -- Less than a second is no jump: nobody is a second late for it.
  went_back := coalesce(greatest(state.last_tick, state.gap_ended) > at + interval '1 second', false);
  IF went_back OR state.last_tick < at - interval '3 seconds' THEN
    stepped_seconds := extract(epoch FROM least(
      CASE WHEN went_back OR at > expected + interval '3 seconds' THEN at - expected END,
      CASE WHEN went_back THEN at - greatest(state.last_tick, state.gap_ended) END));
    gap_starts := CASE WHEN went_back THEN at - interval '1 microsecond' ELSE state.last_tick END;
    dead_until := session_cutoff(greatest(state.last_tick, at));
    UPDATE service_state
    SET last_tick = at, ticked_after = over_before, gap_ended = at,
        gap_began = least(gap_starts, CASE WHEN last_tick < gap_ended + session_timeout() THEN gap_began END),
        gaps = add_gap(gaps_until(state, gap_starts), tstzrange(gap_starts, at)),
        confirmed_at = least(coalesce(confirmed_at, last_tick), at),
        clock_steps = clock_steps + (stepped_seconds IS NOT NULL)::integer,
        clock_stepped_at = CASE WHEN stepped_seconds IS NULL THEN clock_stepped_at ELSE at END,
        clock_stepped_seconds = coalesce(stepped_seconds, clock_stepped_seconds);
    IF went_back THEN
      redated := redate_sessions(at, at, dead_until, make_interval(secs => -stepped_seconds), state.ticked_after);
    END IF;
  ELSIF state.last_tick IS NULL OR state.last_tick < at - interval '0.5 seconds' THEN
    -- Otherwise another process has just done it. An hour of service makes up for a day of the clock (retention_clock).
    UPDATE service_state
    SET last_tick = at, ticked_after = over_before,
        confirmed_at = least(at, coalesce(confirmed_at, last_tick, at) + 24 * (at - last_tick));
  END IF;

  IF went_back OR state.clock_unsettled THEN
    IF NOT went_back THEN
      redated := redate_sessions(at, least(state.clock_stepped_at, at), NULL, NULL, NULL);
    END IF;
    unsettled := redated = 10000;
    UPDATE service_state SET clock_unsettled = EXISTS (SELECT FROM active_sessions s WHERE s.last_heartbeat > clock_timestamp());
  END IF;
END
$$;
--> statement-breakpoint

-- As the version before calls it.
CREATE OR REPLACE FUNCTION tick_service() RETURNS void
LANGUAGE sql
AS $$ SELECT FROM serve_tick(NULL) $$;
--> statement-breakpoint

-- The moment that retention counts back from: no later than what the service has ticked through. A clock that leaps ahead by
-- a year is alone in its opinion, and drops nothing; after an outage of a year a fortnight of service makes up for it.
CREATE FUNCTION retention_clock() RETURNS timestamptz
LANGUAGE sql STABLE
AS $$ SELECT least(confirmed_at, clock_timestamp()) FROM service_state WHERE singleton $$;
--> statement-breakpoint

-- Unchanged, but that it drops by retention_clock().
CREATE OR REPLACE FUNCTION maintain_history(retention_days integer, OUT made integer, OUT dropped integer)
LANGUAGE plpgsql
AS $$
DECLARE
  at timestamptz := clock_timestamp();
  forgotten_until timestamptz := retention_clock() - make_interval(days => retention_days);
  month timestamp;
  partition_name text;
BEGIN
  made := 0;
  dropped := 0;
  PERFORM set_config('lock_timeout', '100', true);
  -- One at a time; whoever comes second has nothing left to do.
  IF NOT pg_try_advisory_xact_lock(1262834005, 0) THEN
    RETURN;
  END IF;

  FOR month IN
    SELECT generate_series(date_trunc('month', at AT TIME ZONE 'UTC'), (at AT TIME ZONE 'UTC') + interval '3 months', '1 month')
  LOOP
    partition_name := 'session_history_' || to_char(month, 'YYYY_MM');
    -- Where the default partition already holds rows of that month, they stay there.
    CONTINUE WHEN to_regclass(partition_name) IS NOT NULL OR EXISTS (
      SELECT FROM session_history_default d
      WHERE d.ended_at >= month AT TIME ZONE 'UTC' AND d.ended_at < (month + interval '1 month') AT TIME ZONE 'UTC');
    EXECUTE format('CREATE TABLE %I PARTITION OF session_history FOR VALUES FROM (%L) TO (%L)', partition_name,
                   month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
    made := made + 1;
  END LOOP;

  FOR partition_name IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'session_history'::regclass AND c.relname ~ '^session_history_\d{4}_\d{2}$'
      AND (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC'
          <= forgotten_until
  LOOP
    EXECUTE format('DROP TABLE %I', partition_name);
    dropped := dropped + 1;
  END LOOP;

  DELETE FROM session_history_default d WHERE d.ctid = ANY (ARRAY(
    SELECT old.ctid FROM session_history_default old
    WHERE old.ended_at < forgotten_until LIMIT 10000));
END
$$;
--> statement-breakpoint

-- Unchanged, but that what a clock dated that was ahead counts for nothing: it would hold up starts until then.
CREATE OR REPLACE FUNCTION start_session_in_turn(
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
  present active_sessions;
  looked_at timestamptz := clock_timestamp();
  free_at timestamptz := looked_at;
  crowded_until timestamptz;
BEGIN
  swaps := 0;
  IF takeovers_max > 0 AND NOT refuse THEN
    SELECT s.* INTO present FROM keys k JOIN active_sessions s ON s.key_id = k.id
    WHERE k.key_hash = hash AND k.revoked_at IS NULL AND (k.expires_at > looked_at) IS NOT FALSE;
    -- Whoever has had the key for a minute is never in the way of the next: nothing to look up.
    IF present.session_id <> id
       AND present.started_at BETWEEN looked_at - interval '1 minute' AND looked_at + interval '1 second'
       AND present.last_heartbeat > session_cutoff(looked_at)
       AND (expected_generation = present.generation) IS NOT FALSE THEN
      SELECT (array_agg(recent.ended_at ORDER BY recent.ended_at DESC))[takeovers_max] + interval '1 minute',
             count(*) FILTER (WHERE with_device <> present.device AND
               ((recent.device = with_device AND recent.replaced_by_device = present.device)
                OR (recent.device = present.device AND recent.replaced_by_device = with_device)))
      INTO crowded_until, swaps
      FROM (SELECT h.ended_at, h.device, h.replaced_by_device FROM session_history h
            WHERE h.key_id = present.key_id AND h.reason = 'replaced'
              AND h.ended_at BETWEEN looked_at - interval '10 minutes' AND looked_at + interval '1 second'
            ORDER BY h.generation DESC LIMIT greatest(takeovers_max, 60)) recent;
      free_at := greatest(crowded_until, free_at);
      IF swaps > 20 THEN
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
  FROM start_session(hash, masked_key, id, with_device, refuse, expected_generation) s;
END
$$;
--> statement-breakpoint

-- The three that look for silent sessions before they hold them. Unchanged, but that each row is judged once more by a clock
-- that was read after it: a cutoff of a moment before the clock went back lies ahead of a heartbeat of the moment after.
CREATE OR REPLACE FUNCTION look_at_watched_sessions(session_ids text, with_live boolean)
RETURNS TABLE (session_id text, outcome text, moment timestamptz, replaced_by_device jsonb, generation bigint, note text)
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
    WHERE s.session_id = ANY (asked) AND s.last_heartbeat <= cutoff
      AND s.last_heartbeat <= session_cutoff(clock_timestamp()) FOR UPDATE SKIP LOCKED) silent;
  RETURN QUERY
  SELECT e.session_id, e.outcome, e.ended_at, e.replaced_by_device, NULL::bigint, e.note
  FROM explain_endings(asked) e WHERE e.outcome <> 'locked'
  UNION ALL
  SELECT s.session_id, 'live', session_deadline(s.last_heartbeat), NULL, s.generation, NULL
  FROM active_sessions s WHERE with_live AND s.session_id = ANY (asked) AND s.last_heartbeat > cutoff;
END
$$;
--> statement-breakpoint

CREATE OR REPLACE FUNCTION look_at_sessions(session_ids text, with_live boolean)
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
    WHERE s.session_id = ANY (asked) AND s.last_heartbeat <= cutoff
      AND s.last_heartbeat <= session_cutoff(clock_timestamp()) FOR UPDATE SKIP LOCKED) silent;
  RETURN QUERY
  SELECT e.session_id, e.outcome, e.ended_at, e.replaced_by_device, NULL::bigint
  FROM explain_sessions(asked) e WHERE e.outcome <> 'locked'
  UNION ALL
  SELECT s.session_id, 'live', session_deadline(s.last_heartbeat), NULL, s.generation
  FROM active_sessions s WHERE with_live AND s.session_id = ANY (asked) AND s.last_heartbeat > cutoff;
END
$$;
--> statement-breakpoint

CREATE OR REPLACE FUNCTION expire_sessions_between(first tid, past tid, at_most integer)
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
--> statement-breakpoint

-- The waiting room by the same rule: waiters, seats, seats that have just come up and permits each with their own timeout.

CREATE OR REPLACE FUNCTION room_cutoff(at timestamptz, timeout_seconds integer) RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN silence_cutoff(at, make_interval(secs => timeout_seconds));
END
$$;
--> statement-breakpoint

CREATE FUNCTION room_deadline(last_heard timestamptz, timeout_seconds integer) RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN silence_deadline(last_heard, make_interval(secs => timeout_seconds));
END
$$;
--> statement-breakpoint

-- A request waits 30 seconds at most, and 2 more until it is known that its process is gone.
CREATE FUNCTION wait_began(permit waiting_room_permits) RETURNS timestamptz
LANGUAGE sql STABLE
AS $$ SELECT permit.expires_at - interval '30 seconds' $$;
--> statement-breakpoint

-- Dates the room by a clock that has gone back. The caller holds the room's lock.
CREATE FUNCTION redate_room(at timestamptz) RETURNS void
LANGUAGE plpgsql
SET jit = off
AS $$
BEGIN
  UPDATE waiting_room r
  SET clock_steps = s.clock_steps, next_due = '-infinity',
      occupied_since = CASE WHEN r.occupied_since > at THEN at ELSE r.occupied_since END, -- null stays null
      vacated = ARRAY(SELECT least(v, at) FROM unnest(r.vacated) WITH ORDINALITY AS u (v, nth) ORDER BY nth)
  FROM service_state s;
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

-- Unchanged, but that a gap counts against no permit.
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
  -- Whoever waits and gave up 2 seconds ago did not say so: its process is gone.
  request_seconds := (SELECT r.request_seconds FROM waiting_room r);
  granted_cutoff := room_cutoff(at, request_seconds) + make_interval(secs => request_seconds);
  waiting_cutoff := room_cutoff(at, 32);
  DELETE FROM waiting_room_permits p
  WHERE CASE WHEN p.granted THEN p.expires_at <= granted_cutoff ELSE wait_began(p) <= waiting_cutoff END;
  SELECT r.max_requests - count(p.permit_id) INTO free
  FROM waiting_room r LEFT JOIN waiting_room_permits p ON p.granted GROUP BY r.singleton, r.max_requests;
  FOR next_id IN
    SELECT p.permit_id FROM waiting_room_permits p
    WHERE NOT p.granted AND p.expires_at > at ORDER BY p.ticket LIMIT greatest(free, 0)
  LOOP
    UPDATE waiting_room_permits p SET granted = true, expires_at = at + interval '5 seconds' WHERE p.permit_id = next_id;
    PERFORM pg_notify('keybeat_room', 'permit ' || next_id);
    PERFORM fall_due(at + interval '5 seconds');
  END LOOP;
END
$$;
--> statement-breakpoint

-- Unchanged, but that it looks again at the first deadline.
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
               ELSE p.seated_at <= claim_cutoff END
      -- A poll holds no lock of the room, and may be of after the clock went back.
      AND CASE WHEN p.seated_at IS NULL THEN p.last_seen <= room_cutoff(clock_timestamp(), room.waiter_seconds)
               WHEN p.claimed THEN p.last_seen <= room_cutoff(clock_timestamp(), room.seat_seconds)
               ELSE true END
    ORDER BY p.ticket LIMIT 1000 FOR UPDATE
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
                 room_deadline(min(p.seated_at) FILTER (WHERE NOT p.claimed), room.claim_seconds),
                 (SELECT least(room_deadline(min(q.expires_at) FILTER (WHERE q.granted)
                                               - make_interval(secs => room.request_seconds), room.request_seconds),
                               room_deadline(min(wait_began(q)) FILTER (WHERE NOT q.granted), 32))
                  FROM waiting_room_permits q))
    FROM waiting_room_places p), 'infinity') END;
  RETURN removed;
END
$$;
--> statement-breakpoint

-- Unchanged, but that it takes notice of a clock that has jumped.
CREATE OR REPLACE FUNCTION enter_room(OUT at timestamptz, OUT removed integer)
LANGUAGE plpgsql
AS $$
DECLARE
  due timestamptz;
  dated_by bigint;
BEGIN
  PERFORM set_config('lock_timeout', '2000', true);
  SELECT r.next_due, r.clock_steps INTO due, dated_by FROM waiting_room r FOR UPDATE;
  at := clock_timestamp();
  removed := 0;
  IF dated_by <> (SELECT s.clock_steps FROM service_state s) THEN
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

CREATE OR REPLACE FUNCTION settle_room() RETURNS integer
LANGUAGE plpgsql
AS $$
BEGIN
  IF (SELECT r.next_due > clock_timestamp() AND r.clock_steps = s.clock_steps FROM waiting_room r, service_state s) THEN
    RETURN 0;
  END IF;
  RETURN (SELECT removed FROM enter_room());
END
$$;
--> statement-breakpoint

CREATE OR REPLACE FUNCTION ask_place(
  who text,
  OUT outcome text, OUT session_id text, OUT created_at timestamptz, OUT line_position integer,
  OUT wait_seconds double precision, OUT active integer, OUT max_active integer
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  at timestamptz;
  room waiting_room;
  place waiting_room_places;
BEGIN
  SELECT r.* INTO room FROM waiting_room r;
  IF room.next_due <= clock_timestamp() OR room.clock_steps <> (SELECT s.clock_steps FROM service_state s) THEN
    outcome := 'again'; -- it may be this user's turn, or the room is to be dated by a clock that has jumped
    RETURN;
  END IF;
  SELECT p.* INTO place FROM waiting_room_places p WHERE p.user_id = who FOR NO KEY UPDATE SKIP LOCKED;
  at := clock_timestamp();
  IF (place.seated_at IS NULL OR place.claimed) AND place.last_seen > room_cutoff(at,
       CASE WHEN place.seated_at IS NULL THEN room.waiter_seconds ELSE room.seat_seconds END) THEN
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE waiting_room_places p SET last_seen = at WHERE p.user_id = who;
  ELSIF place.user_id IS NOT NULL OR EXISTS (SELECT FROM waiting_room_places p WHERE p.user_id = who) THEN
    -- The row's lock must not be held while the room's is waited for.
    outcome := 'again';
    RETURN;
  END IF;
  SELECT d.* INTO outcome, session_id, created_at, line_position, wait_seconds, active, max_active
  FROM describe_place(place, at) d;
END
$$;
--> statement-breakpoint

-- Unchanged, but that a permit whose time is over counts until it is taken back, which has just been done.
CREATE OR REPLACE FUNCTION room_status(
  OUT active_sessions integer, OUT max_sessions integer, OUT queue_length integer,
  OUT active_requests integer, OUT max_requests integer, OUT paused boolean
)
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM settle_room();
  SELECT r.active, r.max_active, (SELECT sum(n) FROM unnest(r.waiting) n),
         (SELECT count(*) FROM waiting_room_permits p WHERE p.granted),
         r.max_requests, r.paused
  INTO active_sessions, max_sessions, queue_length, active_requests, max_requests, paused
  FROM waiting_room r;
END
$$;
