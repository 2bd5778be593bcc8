-- The rule of silence, for every kind of session with its own timeout T: a session last heard of at L is live at a
-- moment while L > silence_cutoff(moment, T), that is until silence_deadline(L, T).
--
-- That is: heard of within T. But an outage of ours expires nobody (G6). Every serving process ticks each second
-- (serve_tick), so while the last tick is over 3 seconds old nobody serves. That is a gap, and every session live when
-- it began has a full T from its end:
--
--   serving              ... | a gap            | the first T after it | serving ...
--   cutoff: the moment - T   | gap's begin - T  | gap's begin - T      | the moment - T
--
-- A session that was silent too long before the gap stays dead, because the cutoff stays where it was when the gap
-- began. The rule holds before anybody has ticked again, and a process that starts late extends nothing while others
-- tick.
--
-- Each of several gaps gives a full T from its end to every session live when it began, including those kept by the gap
-- before. So that a service that keeps dying keeps nobody for ever, there is a bound: three T of served time without a
-- word. A single gap, or two in a row, never reach it.
--
--   T = 60   heard │ 50 s │ gap │ 55 s │ gap │ 50 s │ gap │ 25 s │ the bound (180 s served), before the third gap's 60 s
--
-- A clock jump is a gap too. Ahead, it looks like any other: the last tick is long ago. Back, the last tick is in the
-- future. The first tick that sees a jump ends the gap: its end is now, times in the future are set to now, and every
-- session live at the last tick has a full T. Until then (a second) sessions heard of in the future count as live. So a
-- jump expires no live session, and no silent one outlasts it by more than T.

-- The gaps known at a moment, including one in progress, cut off at that moment. A last gap that somebody has set by
-- hand is believed.
CREATE OR REPLACE FUNCTION gaps_until(state service_state, at timestamptz) RETURNS tstzmultirange
LANGUAGE sql STABLE
AS $$
  SELECT (CASE WHEN state.gap_ended IS NULL THEN '{}'
               WHEN upper(state.gaps) = state.gap_ended THEN state.gaps
               ELSE state.gaps * tstzmultirange(tstzrange(NULL, state.gap_began))
                    + tstzmultirange(tstzrange(state.gap_began, state.gap_ended)) END
          + CASE WHEN state.last_tick < at - interval '3 seconds'
                 -- least: the planner makes the range before it evaluates the condition.
                 THEN tstzmultirange(tstzrange(least(state.last_tick, at), at)) ELSE '{}' END)
         * tstzmultirange(tstzrange(NULL, at))
$$;

-- A gap's length in seconds, nothing larger: an interval's "day" has 23 hours when the clocks go forward.
CREATE OR REPLACE FUNCTION seconds_of(gap tstzrange) RETURNS interval
LANGUAGE sql STABLE
AS $$ SELECT make_interval(secs => extract(epoch FROM upper(gap) - lower(gap))::double precision) $$;

-- Adds a gap. At most 64 are kept: then the two with the least service between them, relative to their age, are merged
-- into one as long as both. So the served time is preserved, and recent gaps stay exact.
CREATE OR REPLACE FUNCTION add_gap(gaps tstzmultirange, gap tstzrange) RETURNS tstzmultirange
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

-- The cutoff while a gap affects it: as of the last gap that gives a full timeout, of the one before that, and so on;
-- never more than three timeouts of served time ago.
CREATE OR REPLACE FUNCTION gap_cutoff(state service_state, at timestamptz, timeout interval) RETURNS timestamptz
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

-- Sessions last heard of at or before this are silent too long. One timestamp for a whole statement.
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

-- The same walk from the other end.
CREATE OR REPLACE FUNCTION gap_deadline(state service_state, last_heard timestamptz, timeout interval) RETURNS timestamptz
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

-- When a session last heard of then is silent too long, or was: never more than a timeout from now, whatever the clock. For a
-- statement about many, which reads the state and the clock once.
CREATE OR REPLACE FUNCTION silence_deadline_at(state service_state, at timestamptz, last_heard timestamptz, timeout interval)
RETURNS timestamptz
LANGUAGE sql STABLE
AS $$
  SELECT CASE WHEN last_heard < (state).gap_ended OR (state).last_tick < at - interval '3 seconds'
              THEN gap_deadline(state, last_heard, timeout)
              ELSE least(last_heard, at) + timeout END
$$;

CREATE OR REPLACE FUNCTION silence_deadline(last_heard timestamptz, timeout interval) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT
AS $$
DECLARE
  state service_state := present_state();
  at timestamptz := clock_timestamp();
BEGIN
  RETURN silence_deadline_at(state, at, last_heard, timeout);
END
$$;

-- What was dated under so many jumps of the clock, by the clock as it is now.
CREATE OR REPLACE FUNCTION by_present_clock(moment timestamptz, steps bigint) RETURNS timestamptz
LANGUAGE sql STABLE
AS $$ SELECT CASE WHEN s.clock_steps <> steps AND moment > s.clock_stepped_at THEN s.clock_stepped_at ELSE moment END FROM present_state() s $$;

-- 90 -> "90 seconds", 1800 -> "30 minutes".
CREATE OR REPLACE FUNCTION duration_in_words(seconds integer) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
  SELECT u.n || ' ' || u.unit || CASE WHEN u.n = 1 THEN '' ELSE 's' END
  FROM (VALUES (seconds / 3600, 3600, 'hour'), (seconds / 60, 60, 'minute'), (seconds, 1, 'second')) AS u (n, size, unit)
  WHERE seconds % u.size = 0 AND u.n > 0 LIMIT 1
$$;
