-- Waiting. Four rules, for these functions and for every kind's:
--
--   * No effect comes after its caller has stopped waiting: waiting is bounded in sum, not lock by lock (limit_waiting).
--     Only the commit itself may still wait, for a disk or a synchronous standby: nothing bounds that.
--   * A healthy session's heartbeat waits for no history: endings are told by a separate call.
--   * Locks are taken in one order: session id, key, the history's table, session, lease, the history's rows, audit log; the room,
--     places, permits, moves, audit log; many rows in the order of their unique key. Tidying skips rows that others hold.
--   * The holder of what everybody needs (the room, the history's months) waits a tenth of a second at most.
--
-- Advisory locks: 1262834004 a session id that starts or ends, -5 the history's months, -6 the folder of the embedded
-- PostgreSQL, -7 a migration, -8 the tick, -9 what folds the numbers
-- of game sessions.

-- Called before each wait of a function that changes something, and once more at its end: bounds the next wait by what
-- remains of the caller's time, and gives up (lock_not_available: nothing has changed) when nothing does. A caller that
-- has not said how long it waits (caller_waits) has two seconds from when its statement arrived.
CREATE OR REPLACE FUNCTION limit_waiting(ms_max integer DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
  waits double precision := coalesce(nullif(current_setting('keybeat.caller_waits_ms', true), '')::integer, 2000);
  -- A clock that jumps meanwhile may claim that a year has passed, or that the statement is in the future.
  left_ms integer := greatest(0, least(waits, waits - extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000));
BEGIN
  IF left_ms < 1 THEN
    RAISE lock_not_available USING MESSAGE = 'the caller has waited long enough';
  END IF;
  PERFORM set_config('lock_timeout', least(left_ms, ms_max)::text, true);
END
$$;

-- Passes the value through. Wrapped around a call's first argument, so that it is evaluated first: the caller waits
-- that many milliseconds from now. (A transaction's setting, which every pooler keeps together.)
CREATE OR REPLACE FUNCTION caller_waits(ms integer, value anyelement) RETURNS anyelement
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM set_config('keybeat.caller_waits_ms', ms::text, true);
  PERFORM limit_waiting();
  RETURN value;
END
$$;
