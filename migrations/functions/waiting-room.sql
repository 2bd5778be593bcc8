-- The waiting room: a number of seats, and a line for everybody else (permits: waiting-room-permits.sql). Five rules:
--
--   * The row of waiting_room is the room's lock. Taking, leaving, promoting and expiring hold it (enter_room), so at no
--     moment does any process see more users seated than there are seats.
--   * Lock first, then read the clock, then decide; the database's clock_timestamp() alone decides.
--   * Freeing a seat fills it in the same transaction (let_in), in ticket order within a priority.
--   * last_seen changes without the room's lock; nothing then waits while it holds the place's row.
--   * Every move is recorded under the lock (waiting_room_moves), so their ids follow the order of the decisions.
--
--   (none) ── queued ──► waiting ── promoted, admitted ──► seated, unclaimed ── claimed ──► seated
--     │                  │   │                                  │       │                  │   │
--     │                left abandoned                       closed unclaimed          closed expired
--     └── seated (a seat is free and nobody waits) ───────────────────────────────────────► seated

-- The rule of silence (silence.sql): waiters, seats, unclaimed seats and permits each have their own timeout.
CREATE OR REPLACE FUNCTION room_cutoff(at timestamptz, timeout_seconds integer) RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN silence_cutoff(at, make_interval(secs => timeout_seconds));
END
$$;

CREATE OR REPLACE FUNCTION room_deadline(last_heard timestamptz, timeout_seconds integer) RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN silence_deadline(last_heard, make_interval(secs => timeout_seconds));
END
$$;

-- Redates the room after the clock went back. The caller holds the room's lock.
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

-- Waits for the room's lock, then reads the clock, then removes all that is due. From here on the room is settled and only
-- the caller changes it; everybody else waits for the caller, so it waits a tenth of a second at most.
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

CREATE OR REPLACE FUNCTION record_move(
  what text, of_place waiting_room_places, at timestamptz, amount integer DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  INSERT INTO waiting_room_moves (at, move, user_id, priority, ticket, amount)
  VALUES (at, what, of_place.user_id, of_place.priority, of_place.ticket, amount);
  -- One for the whole transaction, and told when it is committed. What has changed, each listener looks up itself.
  IF what <> 'claimed' THEN
    PERFORM pg_notify('keybeat_room', 'line');
  END IF;
END
$$;

-- Adjusts the counts of the seats and of a priority's line.
CREATE OR REPLACE FUNCTION count_places(seats integer, waiters integer, of_priority integer, at timestamptz) RETURNS void
LANGUAGE sql
AS $$
  UPDATE waiting_room
  SET active = active + seats,
      waiting[of_priority + 1] = waiting[of_priority + 1] + waiters,
      occupied_since = CASE WHEN active + seats = 0 THEN NULL ELSE coalesce(occupied_since, at) END,
      vacated = CASE WHEN seats < 0 THEN vacated[greatest(1, cardinality(vacated) - 48):] || at ELSE vacated END
$$;

CREATE OR REPLACE FUNCTION fall_due(due timestamptz) RETURNS void
LANGUAGE sql
AS $$ UPDATE waiting_room SET next_due = due WHERE next_due > due $$;

-- Deletes a place. The caller holds the room's lock and lets in the next.
CREATE OR REPLACE FUNCTION remove_place(of_place waiting_room_places, why text, at timestamptz) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  DELETE FROM waiting_room_places p WHERE p.user_id = of_place.user_id;
  IF of_place.seated_at IS NULL THEN
    PERFORM count_places(0, -1, of_place.priority, at);
  ELSE
    PERFORM count_places(-1, 0, of_place.priority, at);
  END IF;
  PERFORM record_move(why, of_place, at);
END
$$;

-- The caller holds the room's lock, and counts.
CREATE OR REPLACE FUNCTION seat_waiter(of_place waiting_room_places, how text, at timestamptz) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  UPDATE waiting_room_places p SET seated_at = at WHERE p.user_id = of_place.user_id;
  PERFORM record_move(how, of_place, at, extract(epoch FROM at - of_place.created_at)::integer);
END
$$;

-- Fills the free seats from the line: the highest priority first, by ticket within it, skipping waiters who stopped
-- asking, and those whose place another transaction has held for a tenth of a second. The caller holds the room's lock.
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
  -- A poll locks its place for a moment, and must not cost the user the turn.
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
    PERFORM fall_due(at + interval '1 s'); -- a seat may be left for a place that was held
  END;
  FOREACH next_one IN ARRAY next_ones LOOP
    PERFORM seat_waiter(next_one, 'promoted', at);
    seated := seated + 1;
    still_waiting[next_one.priority + 1] := still_waiting[next_one.priority + 1] - 1;
  END LOOP;
  -- One update for all: a version of this row for each made 9,000 new seats take 9 s, under everybody's lock.
  UPDATE waiting_room
  SET active = active + seated, waiting = still_waiting, occupied_since = coalesce(occupied_since, at),
      next_due = least(next_due, at + make_interval(secs => claim_seconds))
  WHERE seated > 0;
END
$$;

-- Removes at most 1,000 places of silent users, and sets when to look again. The caller holds the room's lock. Rows that
-- others hold wait for the next time. A user who was let in and has asked since is no no-show, even if the claim failed.
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
      -- Polls do not hold the room's lock, so this one may date from after the clock went back.
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
  -- The first deadline of each sort belongs to its longest silent.
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

-- Whether nothing in the room is due.
CREATE OR REPLACE FUNCTION room_is_settled() RETURNS boolean
LANGUAGE sql STABLE
AS $$
  SELECT r.next_due > clock_timestamp() AND r.clock_steps = s.clock_steps FROM waiting_room r, present_state() s
$$;

-- Does now what the next call would do: removes what is due, fills the seats. Takes no lock if nothing is due.
CREATE OR REPLACE FUNCTION settle_room() RETURNS integer
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
BEGIN
  PERFORM limit_waiting();
  IF room_is_settled() THEN
    RETURN 0;
  END IF;
  RETURN (SELECT removed FROM enter_room());
END
$$;

-- As settle_room, for background work: leaves it to whoever is in the room.
CREATE OR REPLACE FUNCTION settle_free_room() RETURNS integer
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

-- The recent average time between vacated seats: over the last hour, and at most the last 50. Null: none was vacated.
CREATE OR REPLACE FUNCTION seconds_per_seat(room waiting_room, at timestamptz) RETURNS double precision
LANGUAGE sql STABLE
AS $$
  SELECT CASE WHEN recent.n > 0 THEN
    greatest(extract(epoch FROM at - greatest(recent.since, at - interval '1 hour')), 0.001) / recent.n END
  FROM (
    -- The first of a full list only dates the beginning of the count.
    SELECT count(*) FILTER (WHERE v > at - interval '1 hour' AND (cardinality(room.vacated) < 50 OR v > room.vacated[1])) AS n,
           CASE WHEN cardinality(room.vacated) < 50 THEN least(room.occupied_since, room.vacated[1]) ELSE room.vacated[1] END AS since
    FROM unnest(room.vacated) v) recent
$$;

-- The position in line, from 1. Counts the line of the same priority up to it, and adds the known lengths of the others.
-- The newest ticket of all is the end of its line, so joining a long line does not count it under the lock.
CREATE OR REPLACE FUNCTION line_position(of_place waiting_room_places) RETURNS integer
LANGUAGE sql STABLE
SET enable_seqscan = off
SET jit = off
AS $$
  SELECT (coalesce((SELECT sum(n) FROM unnest(r.waiting) WITH ORDINALITY AS u (n, nth) WHERE nth - 1 > of_place.priority), 0)
    + CASE WHEN of_place.ticket = r.last_ticket THEN r.waiting[of_place.priority + 1]
      ELSE (SELECT count(*) FROM waiting_room_places p
            WHERE p.seated_at IS NULL AND p.priority = of_place.priority AND p.ticket <= of_place.ticket) END)::integer
  FROM waiting_room r
$$;

-- Made once, with the functions that answer it: their earlier form had these as OUT parameters, each for itself.
DO $$
BEGIN
  IF to_regtype('place_answer') IS NULL THEN
    DROP FUNCTION IF EXISTS describe_place(waiting_room_places, timestamptz), take_place(text, text, integer),
      ask_place(text), ask_place_in_room(text);
    CREATE TYPE place_answer AS (
      outcome text, session_id text, created_at timestamptz, line_position integer, wait_seconds double precision,
      active integer, max_active integer);
  END IF;
END
$$;

-- What a caller is told of a place. outcome: active | queued, or unknown_user if there is no such place.
CREATE OR REPLACE FUNCTION describe_place(of_place waiting_room_places, at timestamptz) RETURNS place_answer
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  room waiting_room;
  nth integer;
BEGIN
  SELECT r.* INTO room FROM waiting_room r;
  IF of_place.user_id IS NOT NULL AND of_place.seated_at IS NULL THEN
    nth := line_position(of_place);
  END IF;
  RETURN ROW(
    CASE WHEN of_place.user_id IS NULL THEN 'unknown_user' WHEN nth IS NULL THEN 'active' ELSE 'queued' END,
    of_place.session_id, of_place.created_at, coalesce(nth, 0), nth * seconds_per_seat(room, at),
    room.active, room.max_active)::place_answer;
END
$$;

-- Records that the user is there, and claims a seat. The caller holds the room's lock. All null if there is no place.
CREATE OR REPLACE FUNCTION see_place(who text, at timestamptz) RETURNS waiting_room_places
LANGUAGE plpgsql
AS $$
DECLARE
  seen waiting_room_places;
BEGIN
  SELECT p.* INTO seen FROM waiting_room_places p WHERE p.user_id = who FOR NO KEY UPDATE;
  IF seen.user_id IS NULL THEN
    RETURN seen;
  END IF;
  IF seen.seated_at IS NOT NULL AND NOT seen.claimed THEN
    PERFORM record_move('claimed', seen, at);
  END IF;
  UPDATE waiting_room_places p SET last_seen = at, claimed = p.seated_at IS NOT NULL WHERE p.user_id = who RETURNING p.* INTO seen;
  PERFORM fall_due(at + make_interval(secs => CASE WHEN seen.claimed THEN seat_seconds ELSE waiter_seconds END)) FROM waiting_room;
  RETURN seen;
END
$$;

-- Gives the user a seat or a place in line, or returns the present one.
-- outcome: active | queued | queue_full (then nothing has changed for this user)
CREATE OR REPLACE FUNCTION take_place(who text, with_session text, with_priority integer) RETURNS place_answer
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz := (SELECT e.at FROM enter_room() e);
  room waiting_room;
  place waiting_room_places;
  queue_length bigint;
  answer place_answer;
BEGIN
  place := see_place(who, at);
  IF place.user_id IS NULL THEN
    SELECT r.* INTO room FROM waiting_room r;
    queue_length := (SELECT sum(n) FROM unnest(room.waiting) n);
    place := ROW(who, with_session, with_priority, room.last_ticket + 1, at, at, NULL, false);
    IF room.active < room.max_active AND NOT room.paused AND queue_length = 0 THEN
      place.seated_at := at;
      place.claimed := true;
    ELSIF queue_length >= room.max_waiting THEN
      answer.outcome := 'queue_full';
      RETURN answer;
    END IF;
    INSERT INTO waiting_room_places SELECT place.*;
    UPDATE waiting_room SET last_ticket = last_ticket + 1;
    IF place.claimed THEN
      PERFORM count_places(1, 0, with_priority, at), record_move('seated', place, at),
              fall_due(at + make_interval(secs => room.seat_seconds));
    ELSE
      PERFORM count_places(0, 1, with_priority, at), record_move('queued', place, at),
              fall_due(at + make_interval(secs => room.waiter_seconds));
    END IF;
  END IF;
  RETURN describe_place(place, at);
END
$$;

-- Gives up the seat or the line; the next user is in when it returns. Returns whether there was a place.
CREATE OR REPLACE FUNCTION leave_place(who text, by_operator boolean DEFAULT false, OUT had_place boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz := (SELECT e.at FROM enter_room() e);
  place waiting_room_places;
BEGIN
  SELECT p.* INTO place FROM waiting_room_places p WHERE p.user_id = who FOR UPDATE;
  had_place := place.user_id IS NOT NULL;
  IF had_place THEN
    PERFORM remove_place(place, CASE WHEN by_operator THEN 'removed' WHEN place.seated_at IS NULL THEN 'left' ELSE 'closed' END, at);
    PERFORM let_in(at);
    PERFORM grant_permits(at);
  END IF;
END
$$;

-- Makes the place fall due in that many seconds, unless the user is heard of before; never postpones it. An unclaimed seat
-- keeps its own, short, time. Returns whether there was a place.
CREATE OR REPLACE FUNCTION leave_place_soon(who text, seconds double precision, OUT had_place boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz := (SELECT e.at FROM enter_room() e);
BEGIN
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

-- Where the user stands; asking keeps the place. Nearly always without the room's lock: outcome "again" if more changes
-- than last_seen (a claim, an expiry), or if another transaction holds the place. The user is seen in any case, so that
-- nobody falls silent because the room's lock was not to be had.
CREATE OR REPLACE FUNCTION ask_place(who text) RETURNS place_answer
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
  answer place_answer;
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
  -- It may be this user's turn, or time to go; the room may have to be redated; or another transaction holds the place.
  -- The row's lock must not be held while waiting for the room's.
  IF room.next_due <= at OR room.clock_steps <> (SELECT s.clock_steps FROM present_state() s)
     OR (place.user_id IS NOT NULL AND (NOT seen OR place.seated_at IS NOT NULL AND NOT place.claimed))
     OR (place.user_id IS NULL AND EXISTS (SELECT FROM waiting_room_places p WHERE p.user_id = who)) THEN
    answer.outcome := 'again';
    RETURN answer;
  END IF;
  RETURN describe_place(place, at);
END
$$;

-- The same under the room's lock.
CREATE OR REPLACE FUNCTION ask_place_in_room(who text) RETURNS place_answer
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz := (SELECT e.at FROM enter_room() e);
BEGIN
  RETURN describe_place(see_place(who, at), at);
END
$$;

-- Keeps the places in line of users with an open event stream; neither keeps nor claims a seat.
CREATE OR REPLACE FUNCTION keep_waiters(users jsonb) RETURNS void
LANGUAGE plpgsql
SET jit = off
SET lock_timeout = '2s'
AS $$
DECLARE
  locked tid[];
  at timestamptz;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  locked := ARRAY(
    SELECT p.ctid FROM waiting_room_places p
    WHERE p.user_id = ANY (ARRAY(SELECT jsonb_array_elements_text(users))) AND p.seated_at IS NULL
    FOR NO KEY UPDATE SKIP LOCKED);
  at := clock_timestamp();
  UPDATE waiting_room_places p SET last_seen = at
  WHERE p.ctid = ANY (locked) AND p.last_seen > (SELECT room_cutoff(at, r.waiter_seconds) FROM waiting_room r);
END
$$;

-- The room's settings and counts, settled. A permit counts until it is taken back, which has just been done.
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

-- Deletes at most 10,000 moves older than the retention.
CREATE OR REPLACE FUNCTION forget_moves(retention_days integer) RETURNS void
LANGUAGE sql
SET lock_timeout = '100ms'
AS $$
  DELETE FROM waiting_room_moves m WHERE m.id = ANY (ARRAY(
    SELECT old.id FROM waiting_room_moves old
    WHERE old.at < (SELECT retention_clock()) - make_interval(days => retention_days) LIMIT 10000 FOR UPDATE SKIP LOCKED))
$$;
