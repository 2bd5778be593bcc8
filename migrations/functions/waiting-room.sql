-- The waiting room: a number of seats, a line for everybody else, and permits for requests at once. Five rules:
--
--   * The row of waiting_room is the room's lock. Whoever takes, leaves, promotes or expires holds it (enter_room), so
--     that no moment and no process ever sees more people seated than there are seats.
--   * Lock first, then read the clock, then decide; clock_timestamp() of the database alone decides.
--   * Whatever frees a seat fills it in the same transaction (let_in), in the order of tickets within a priority.
--   * A seen place is seen without the room's lock; then nothing waits while it holds the place's row.
--   * Every move is written down under the lock (waiting_room_moves), so the order of their ids is that of the decisions.
--
--   (none) ── queued ──► waiting ── promoted, admitted ──► seated, unclaimed ── claimed ──► seated
--     │                  │   │                                  │       │                  │   │
--     │                left abandoned                       closed unclaimed          closed expired
--     └── seated (a seat is free and nobody waits) ───────────────────────────────────────► seated

-- The waiting room by the same rule: waiters, seats, seats that have just come up and permits each with their own timeout.
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

-- A request waits 30 seconds at most, and 2 more until it is known that its process is gone.
CREATE OR REPLACE FUNCTION wait_began(permit waiting_room_permits) RETURNS timestamptz
LANGUAGE sql STABLE
AS $$ SELECT permit.expires_at - interval '30 seconds' $$;

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

-- Counts one more or one less in the seats, and in the line of a priority.
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

-- Takes a place away. The caller holds the room's lock and lets in whoever is next.
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

-- Whether there is nothing to do in the room by itself.
CREATE OR REPLACE FUNCTION room_is_settled() RETURNS boolean
LANGUAGE sql STABLE
AS $$
  SELECT r.next_due > clock_timestamp() AND r.clock_steps = s.clock_steps FROM waiting_room r, present_state() s
$$;

-- Does early what the next call would do: removes who is due, fills the seats. Where nothing is due it takes no lock.
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

-- As settle_room, for those whom nobody waits for: where somebody is in the room, that one does it.
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

-- Seconds between two seats that are given up, of late: over the last hour, and at most the last 50. Null: none was.
CREATE OR REPLACE FUNCTION seconds_per_seat(room waiting_room, at timestamptz) RETURNS double precision
LANGUAGE sql STABLE
AS $$
  SELECT CASE WHEN recent.n > 0 THEN
    greatest(extract(epoch FROM at - greatest(recent.since, at - interval '1 hour')), 0.001) / recent.n END
  FROM (
    -- Of a full list the first only says since when the others are counted.
    SELECT count(*) FILTER (WHERE v > at - interval '1 hour' AND (cardinality(room.vacated) < 50 OR v > room.vacated[1])) AS n,
           CASE WHEN cardinality(room.vacated) < 50 THEN least(room.occupied_since, room.vacated[1]) ELSE room.vacated[1] END AS since
    FROM unnest(room.vacated) v) recent
$$;

-- The place in line: 1 for whoever is next. Counts the line of the same priority up to it, and knows the others' lengths.
-- Who came last of all is the end of that line, so that whoever joins a long one does not count it under the lock.
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

-- What anybody is told of a place. outcome: active | queued, or unknown_user where there is no such place.
CREATE OR REPLACE FUNCTION describe_place(
  of_place waiting_room_places, at timestamptz,
  OUT outcome text, OUT session_id text, OUT created_at timestamptz, OUT line_position integer,
  OUT wait_seconds double precision, OUT active integer, OUT max_active integer
)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  room waiting_room;
BEGIN
  SELECT r.* INTO room FROM waiting_room r;
  active := room.active;
  max_active := room.max_active;
  outcome := CASE WHEN of_place.user_id IS NULL THEN 'unknown_user'
                  WHEN of_place.seated_at IS NULL THEN 'queued' ELSE 'active' END;
  session_id := of_place.session_id;
  created_at := of_place.created_at;
  line_position := 0;
  IF outcome = 'queued' THEN
    line_position := line_position(of_place);
    wait_seconds := line_position * seconds_per_seat(room, at);
  END IF;
END
$$;

-- Says that the user is there. The caller holds the room's lock. Returns the place, nulls where there is none.
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

-- Gives the user a seat, or a place in line, or the place that is theirs already.
-- outcome: active | queued | queue_full (then nothing has changed for this user)
CREATE OR REPLACE FUNCTION take_place(
  who text, with_session text, with_priority integer,
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
  queue_length bigint;
BEGIN
  at := (SELECT e.at FROM enter_room() e);
  place := see_place(who, at);
  IF place.user_id IS NULL THEN
    SELECT r.* INTO room FROM waiting_room r;
    queue_length := (SELECT sum(n) FROM unnest(room.waiting) n);
    place := ROW(who, with_session, with_priority, room.last_ticket + 1, at, at, NULL, false);
    IF room.active < room.max_active AND NOT room.paused AND queue_length = 0 THEN
      place.seated_at := at;
      place.claimed := true;
    ELSIF queue_length >= room.max_waiting THEN
      outcome := 'queue_full';
      RETURN;
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
  SELECT d.* INTO outcome, session_id, created_at, line_position, wait_seconds, active, max_active
  FROM describe_place(place, at) d;
END
$$;

-- Leaves the seat or the line; whoever is next is in when it returns. Returns whether there was a place.
CREATE OR REPLACE FUNCTION leave_place(who text, by_operator boolean DEFAULT false, OUT had_place boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz;
  place waiting_room_places;
BEGIN
  at := (SELECT e.at FROM enter_room() e);
  SELECT p.* INTO place FROM waiting_room_places p WHERE p.user_id = who FOR UPDATE;
  had_place := place.user_id IS NOT NULL;
  IF had_place THEN
    PERFORM remove_place(place, CASE WHEN by_operator THEN 'removed' WHEN place.seated_at IS NULL THEN 'left' ELSE 'closed' END, at);
    PERFORM let_in(at);
    PERFORM grant_permits(at);
  END IF;
END
$$;

-- The place falls due in so many seconds, unless the user is heard of until then. Never puts it off. A seat that is not
-- claimed yet is left to its own, short, time. Returns whether there was a place.
CREATE OR REPLACE FUNCTION leave_place_soon(who text, seconds double precision, OUT had_place boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET lock_timeout = '2s'
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

-- The same under the room's lock.
CREATE OR REPLACE FUNCTION ask_place_in_room(
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
BEGIN
  at := (SELECT e.at FROM enter_room() e);
  SELECT d.* INTO outcome, session_id, created_at, line_position, wait_seconds, active, max_active
  FROM describe_place(see_place(who, at), at) d;
END
$$;

-- Keeps the places in line of those whose event stream is open. A seat is not kept by it, nor claimed.
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

-- The seats, the line and the permits, and how many of them are taken. A permit whose time is over counts until it is taken
-- back, which has just been done.
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

-- Asks for a permit. outcome: granted | waiting (until give_up, then call drop_permit) | full | not_active
CREATE OR REPLACE FUNCTION request_permit(
  id text, who text, wait_ms integer, OUT outcome text, OUT expires_at timestamptz
)
LANGUAGE plpgsql
SET jit = off
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz;
  room waiting_room;
  place waiting_room_places;
BEGIN
  at := (SELECT e.at FROM enter_room() e);
  place := see_place(who, at);
  IF place.seated_at IS NULL THEN
    outcome := 'not_active';
    RETURN;
  END IF;
  PERFORM grant_permits(at);
  SELECT r.* INTO room FROM waiting_room r;
  IF (SELECT count(*) FROM waiting_room_permits p WHERE p.granted) < room.max_requests THEN
    outcome := 'granted';
    expires_at := at + make_interval(secs => room.request_seconds);
  ELSIF wait_ms > 0 THEN
    outcome := 'waiting';
    expires_at := at + make_interval(secs => wait_ms / 1000.0);
  ELSE
    outcome := 'full';
    RETURN;
  END IF;
  UPDATE waiting_room SET last_ticket = last_ticket + 1;
  INSERT INTO waiting_room_permits VALUES (id, who, room.last_ticket + 1, outcome = 'granted', request_permit.expires_at);
  PERFORM fall_due(request_permit.expires_at);
END
$$;

-- Takes the permit that came up for a waiting request. outcome: granted | waiting | gone (its user lost the seat)
CREATE OR REPLACE FUNCTION take_permit(id text, OUT outcome text, OUT expires_at timestamptz)
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz;
  permit waiting_room_permits;
BEGIN
  at := (SELECT e.at FROM enter_room() e);
  PERFORM grant_permits(at);
  SELECT p.* INTO permit FROM waiting_room_permits p WHERE p.permit_id = id;
  outcome := CASE WHEN permit.permit_id IS NULL THEN 'gone' WHEN permit.granted THEN 'granted' ELSE 'waiting' END;
  IF permit.granted THEN
    expires_at := at + make_interval(secs => (SELECT request_seconds FROM waiting_room));
    UPDATE waiting_room_permits p SET expires_at = take_permit.expires_at WHERE p.permit_id = id;
    PERFORM fall_due(take_permit.expires_at);
  END IF;
END
$$;

-- Gives a permit back, or stops waiting for it; the next request has it when this returns. Twice is harmless. Where
-- only_of is given, only a permit of that user.
CREATE OR REPLACE FUNCTION drop_permit(id text, only_of text, OUT had_permit boolean)
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz;
BEGIN
  at := (SELECT e.at FROM enter_room() e);
  DELETE FROM waiting_room_permits p WHERE p.permit_id = id AND p.user_id = coalesce(only_of, p.user_id);
  had_permit := FOUND;
  PERFORM grant_permits(at);
END
$$;

-- Applies the settings of a starting process. The number of seats only where that setting is another than the last
-- time, so that an operator's change outlives a restart. Where all is so already, nothing is waited for.
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

-- More seats let in exactly so many more; fewer throw nobody out.
CREATE OR REPLACE FUNCTION set_capacity(seats integer) RETURNS void
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz;
BEGIN
  at := (SELECT e.at FROM enter_room() e);
  UPDATE waiting_room SET max_active = seats;
  PERFORM record_move('capacity', NULL, at, seats);
  PERFORM let_in(at);
END
$$;

-- While paused nobody is let in; who is in stays, and who waits keeps the place.
CREATE OR REPLACE FUNCTION pause_room(pause boolean) RETURNS void
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz;
BEGIN
  at := (SELECT e.at FROM enter_room() e);
  UPDATE waiting_room SET paused = pause;
  PERFORM record_move(CASE WHEN pause THEN 'paused' ELSE 'resumed' END, NULL, at);
  PERFORM let_in(at);
END
$$;

-- Gives somebody who waits another priority; the ticket stays, so among the new equals they stand where they came.
CREATE OR REPLACE FUNCTION prioritise_waiter(who text, new_priority integer, OUT changed boolean)
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz;
  place waiting_room_places;
BEGIN
  at := (SELECT e.at FROM enter_room() e);
  SELECT p.* INTO place FROM waiting_room_places p WHERE p.user_id = who AND p.seated_at IS NULL FOR UPDATE;
  changed := place.user_id IS NOT NULL;
  IF changed THEN
    PERFORM count_places(0, -1, place.priority, at), count_places(0, 1, new_priority, at);
    UPDATE waiting_room_places p SET priority = new_priority WHERE p.user_id = who RETURNING p.* INTO place;
    PERFORM record_move('prioritised', place, at);
  END IF;
END
$$;

-- Lets somebody who waits in by hand, past the line but not past the number of seats. outcome: admitted | full | not_waiting
CREATE OR REPLACE FUNCTION admit_waiter(who text, OUT outcome text)
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz;
  place waiting_room_places;
BEGIN
  at := (SELECT e.at FROM enter_room() e);
  SELECT p.* INTO place FROM waiting_room_places p WHERE p.user_id = who AND p.seated_at IS NULL FOR UPDATE;
  outcome := CASE WHEN place.user_id IS NULL THEN 'not_waiting'
                  WHEN (SELECT r.active >= r.max_active FROM waiting_room r) THEN 'full' ELSE 'admitted' END;
  IF outcome = 'admitted' THEN
    PERFORM seat_waiter(place, 'admitted', at), count_places(1, -1, place.priority, at),
            fall_due(at + make_interval(secs => claim_seconds)) FROM waiting_room;
  END IF;
END
$$;

-- Pauses or resumes, and changes the number of seats; null leaves as it is. Where both change, nobody slips in who is
-- let in by one of them only. Returns what has changed, for the audit log; {} is nothing.
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

-- Forgets at most 10,000 moves that are older than the retention.
CREATE OR REPLACE FUNCTION forget_moves(retention_days integer) RETURNS void
LANGUAGE sql
SET lock_timeout = '100ms'
AS $$
  DELETE FROM waiting_room_moves m WHERE m.id = ANY (ARRAY(
    SELECT old.id FROM waiting_room_moves old
    WHERE old.at < (SELECT retention_clock()) - make_interval(days => retention_days) LIMIT 10000 FOR UPDATE SKIP LOCKED))
$$;

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
