-- The waiting room's settings, and what operators do in it, by its rules (waiting-room.sql).

-- Applies the settings of a starting process. The number of seats only if that setting has changed since the last time, so
-- that an operator's change outlives a restart. Waits for nothing if all is so already.
CREATE OR REPLACE FUNCTION configure_room(
  seats integer, requests integer, waiters integer, seat integer, waiter integer, claim integer, request integer
) RETURNS void
LANGUAGE plpgsql
SET lock_timeout = '2s'
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

-- More seats let in exactly as many more users; fewer evict nobody.
CREATE OR REPLACE FUNCTION set_capacity(seats integer) RETURNS void
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz := (SELECT e.at FROM enter_room() e);
BEGIN
  UPDATE waiting_room SET max_active = seats;
  PERFORM record_move('capacity', NULL, at, seats);
  PERFORM let_in(at);
END
$$;

-- While paused nobody is let in; those inside stay, and waiters keep their place.
CREATE OR REPLACE FUNCTION pause_room(pause boolean) RETURNS void
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz := (SELECT e.at FROM enter_room() e);
BEGIN
  UPDATE waiting_room SET paused = pause;
  PERFORM record_move(CASE WHEN pause THEN 'paused' ELSE 'resumed' END, NULL, at);
  PERFORM let_in(at);
END
$$;

-- Pauses or resumes, and changes the number of seats; null leaves as it is. If both change, nobody slips in between.
-- Returns the changes for the audit log; {} is none.
CREATE OR REPLACE FUNCTION change_room(pause boolean, seats integer, OUT changed jsonb)
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
  room waiting_room;
BEGIN
  PERFORM enter_room();
  SELECT r.* INTO room FROM waiting_room r;
  changed := jsonb_strip_nulls(jsonb_build_object(
    'paused', nullif(pause, room.paused),
    'max_active', nullif(seats, room.max_active),
    'max_active_before', CASE WHEN seats <> room.max_active THEN room.max_active END));
  IF pause AND NOT room.paused THEN
    PERFORM pause_room(true);
  END IF;
  IF seats <> room.max_active THEN
    PERFORM set_capacity(seats);
  END IF;
  IF NOT pause AND room.paused THEN
    PERFORM pause_room(false);
  END IF;
END
$$;

-- Changes a waiter's priority; the ticket stays, so the user takes the place of arrival among the new equals.
CREATE OR REPLACE FUNCTION prioritise_waiter(who text, new_priority integer, OUT changed boolean)
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz := (SELECT e.at FROM enter_room() e);
  place waiting_room_places;
BEGIN
  SELECT p.* INTO place FROM waiting_room_places p WHERE p.user_id = who AND p.seated_at IS NULL FOR UPDATE;
  changed := place.user_id IS NOT NULL;
  IF changed THEN
    PERFORM count_places(0, -1, place.priority, at), count_places(0, 1, new_priority, at);
    UPDATE waiting_room_places p SET priority = new_priority WHERE p.user_id = who RETURNING p.* INTO place;
    PERFORM record_move('prioritised', place, at);
  END IF;
END
$$;

-- Lets a waiter in by hand, past the line but within the number of seats. outcome: admitted | full | not_waiting
CREATE OR REPLACE FUNCTION admit_waiter(who text, OUT outcome text)
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz := (SELECT e.at FROM enter_room() e);
  place waiting_room_places;
BEGIN
  SELECT p.* INTO place FROM waiting_room_places p WHERE p.user_id = who AND p.seated_at IS NULL FOR UPDATE;
  outcome := CASE WHEN place.user_id IS NULL THEN 'not_waiting'
                  WHEN (SELECT r.active >= r.max_active FROM waiting_room r) THEN 'full' ELSE 'admitted' END;
  IF outcome = 'admitted' THEN
    PERFORM seat_waiter(place, 'admitted', at), count_places(1, -1, place.priority, at),
            fall_due(at + make_interval(secs => claim_seconds)) FROM waiting_room;
  END IF;
END
$$;

-- Erases all that is known of a user: the place, the moves, and what the audit log says beyond who did what and when. The
-- next user is in when it returns. known: whether there was anything.
CREATE OR REPLACE FUNCTION erase_user(who text, OUT known boolean)
LANGUAGE plpgsql
AS $$
BEGIN
  -- First outside the room, because the cleanup may hold moves; inside, only those since are left.
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
