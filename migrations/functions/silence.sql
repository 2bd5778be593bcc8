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
CREATE OR REPLACE FUNCTION gaps_until(state service_state, at timestamptz) RETURNS tstzmultirange
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

-- A gap's length in seconds and nothing larger: a "day" of an interval is 23 hours when the clocks are put forward.
CREATE OR REPLACE FUNCTION seconds_of(gap tstzrange) RETURNS interval
LANGUAGE sql STABLE
AS $$ SELECT make_interval(secs => extract(epoch FROM upper(gap) - lower(gap))::double precision) $$;

-- One gap more. At most 64 are kept: then the two with the least service between them, for how long they are past, become
-- one as long as both. So the time served stays what it was, and what is lately over is known exactly.
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

-- The cutoff where a gap bears upon it: as of the last gap that gives a full timeout, of the one before that, and so on; and
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
