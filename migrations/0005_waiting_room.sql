-- drizzle-kit generated the tables; added by hand: the fillfactors, which keep a poll a heap-only update, and what follows them.
CREATE TABLE "waiting_room" (
	"singleton" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"max_active" integer DEFAULT 20 NOT NULL,
	"max_active_configured" integer,
	"max_requests" integer DEFAULT 10 NOT NULL,
	"max_waiting" integer DEFAULT 10000 NOT NULL,
	"seat_seconds" integer DEFAULT 1800 NOT NULL,
	"waiter_seconds" integer DEFAULT 60 NOT NULL,
	"claim_seconds" integer DEFAULT 60 NOT NULL,
	"request_seconds" integer DEFAULT 300 NOT NULL,
	"paused" boolean DEFAULT false NOT NULL,
	"last_ticket" bigint DEFAULT 0 NOT NULL,
	"active" integer DEFAULT 0 NOT NULL,
	"waiting" integer[] DEFAULT '{0,0,0,0,0,0,0,0,0,0}'::integer[] NOT NULL,
	"next_due" timestamp with time zone DEFAULT 'infinity'::timestamptz NOT NULL,
	"occupied_since" timestamp with time zone,
	"vacated" timestamp with time zone[] DEFAULT '{}'::timestamptz[] NOT NULL,
	CONSTRAINT "waiting_room_one_row" CHECK ("waiting_room"."singleton"),
	CONSTRAINT "waiting_room_counts" CHECK ("waiting_room"."active" >= 0 AND 0 <= ALL ("waiting_room"."waiting"))
) WITH (fillfactor = 20);
--> statement-breakpoint
CREATE TABLE "waiting_room_moves" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "waiting_room_moves_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone NOT NULL,
	"move" text NOT NULL,
	"user_id" text,
	"priority" smallint,
	"ticket" bigint,
	"amount" integer,
	CONSTRAINT "waiting_room_moves_move" CHECK ("waiting_room_moves"."move" IN ('seated', 'queued', 'promoted', 'admitted', 'claimed', 'prioritised', 'closed', 'left', 'expired', 'abandoned', 'unclaimed', 'removed', 'capacity', 'paused', 'resumed'))
);
--> statement-breakpoint
CREATE TABLE "waiting_room_permits" (
	"permit_id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"ticket" bigint NOT NULL,
	"granted" boolean NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "waiting_room_places" (
	"user_id" text PRIMARY KEY NOT NULL,
	"session_id" text NOT NULL,
	"priority" smallint NOT NULL,
	"ticket" bigint NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"last_seen" timestamp with time zone NOT NULL,
	"seated_at" timestamp with time zone,
	"claimed" boolean DEFAULT false NOT NULL,
	CONSTRAINT "waiting_room_places_priority" CHECK ("waiting_room_places"."priority" BETWEEN 0 AND 9),
	CONSTRAINT "waiting_room_places_claimed" CHECK ("waiting_room_places"."seated_at" IS NOT NULL OR NOT "waiting_room_places"."claimed")
) WITH (fillfactor = 60);
--> statement-breakpoint
ALTER TABLE "waiting_room_permits" ADD CONSTRAINT "waiting_room_permits_user_id_waiting_room_places_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."waiting_room_places"("user_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_log_user_id_index" ON "audit_log" USING btree (("details"->>'user_id')) WHERE "audit_log"."details"->>'user_id' IS NOT NULL;--> statement-breakpoint
CREATE INDEX "waiting_room_moves_user_id_index" ON "waiting_room_moves" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "waiting_room_moves_at_index" ON "waiting_room_moves" USING btree ("at");--> statement-breakpoint
CREATE INDEX "waiting_room_permits_user_id_index" ON "waiting_room_permits" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "waiting_room_places_line" ON "waiting_room_places" USING btree ("priority" DESC NULLS FIRST,"ticket") WHERE "waiting_room_places"."seated_at" IS NULL;
--> statement-breakpoint

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

INSERT INTO waiting_room DEFAULT VALUES;
--> statement-breakpoint

-- Whoever was last heard of at or before this is silent too long. As for device sessions, time in which nobody served
-- does not count: it is added to the timeout of everybody who was there when it began.
CREATE FUNCTION room_cutoff(at timestamptz, timeout_seconds integer) RETURNS timestamptz
LANGUAGE sql STABLE
AS $$
  SELECT aim - CASE WHEN aim < gap_ended THEN gap_ended - gap_began ELSE interval '0' END
  FROM (SELECT CASE WHEN last_tick < at - interval '3 seconds' THEN last_tick ELSE at END
                 - make_interval(secs => timeout_seconds) AS aim, gap_began, gap_ended
        FROM service_state WHERE singleton) state
$$;
--> statement-breakpoint

CREATE FUNCTION record_move(
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
--> statement-breakpoint

-- Counts one more or one less in the seats, and in the line of a priority.
CREATE FUNCTION count_places(seats integer, waiters integer, of_priority integer, at timestamptz) RETURNS void
LANGUAGE sql
AS $$
  UPDATE waiting_room
  SET active = active + seats,
      waiting[of_priority + 1] = waiting[of_priority + 1] + waiters,
      occupied_since = CASE WHEN active + seats = 0 THEN NULL ELSE coalesce(occupied_since, at) END,
      vacated = CASE WHEN seats < 0 THEN vacated[greatest(1, cardinality(vacated) - 48):] || at ELSE vacated END
$$;
--> statement-breakpoint

CREATE FUNCTION fall_due(due timestamptz) RETURNS void
LANGUAGE sql
AS $$ UPDATE waiting_room SET next_due = due WHERE next_due > due $$;
--> statement-breakpoint

-- Takes a place away. The caller holds the room's lock and lets in whoever is next.
CREATE FUNCTION remove_place(of_place waiting_room_places, why text, at timestamptz) RETURNS void
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
--> statement-breakpoint

-- The caller holds the room's lock, and counts.
CREATE FUNCTION seat_waiter(of_place waiting_room_places, how text, at timestamptz) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  UPDATE waiting_room_places p SET seated_at = at WHERE p.user_id = of_place.user_id;
  PERFORM record_move(how, of_place, at, extract(epoch FROM at - of_place.created_at)::integer);
END
$$;
--> statement-breakpoint

-- Fills the free seats from the line: the highest priority first, by ticket within it, passing over whoever has
-- stopped asking. The caller holds the room's lock.
CREATE FUNCTION let_in(at timestamptz) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_sort = off
SET jit = off
AS $$
DECLARE
  room waiting_room;
  next_one waiting_room_places;
  seated integer := 0;
  still_waiting integer[];
BEGIN
  SELECT r.* INTO room FROM waiting_room r;
  IF room.paused OR room.active >= room.max_active OR 0 = ALL (room.waiting) THEN
    RETURN;
  END IF;
  still_waiting := room.waiting;
  FOR next_one IN
    SELECT p.* FROM waiting_room_places p
    WHERE p.seated_at IS NULL AND p.last_seen > room_cutoff(at, room.waiter_seconds)
    ORDER BY p.priority DESC, p.ticket LIMIT room.max_active - room.active
  LOOP
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
CREATE FUNCTION grant_permits(at timestamptz) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
  free integer;
  next_id text;
BEGIN
  -- Whoever waits and gave up 2 seconds ago did not say so: its process is gone.
  DELETE FROM waiting_room_permits p
  WHERE p.expires_at <= at - CASE WHEN p.granted THEN interval '0' ELSE interval '2 seconds' END;
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

-- Takes at most 1,000 places away whose users fell silent, and says when to look again. The caller holds the lock.
CREATE FUNCTION remove_silent(at timestamptz) RETURNS integer
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
    ORDER BY p.ticket LIMIT 1000 FOR UPDATE
  LOOP
    removed := removed + 1;
    PERFORM remove_place(silent, CASE WHEN silent.seated_at IS NULL THEN 'abandoned'
                                      WHEN silent.claimed THEN 'expired' ELSE 'unclaimed' END, at);
  END LOOP;
  PERFORM grant_permits(at);
  UPDATE waiting_room SET next_due = CASE WHEN removed = 1000 THEN at ELSE coalesce(least(
    (SELECT min(CASE WHEN p.seated_at IS NULL THEN p.last_seen - waiter_cutoff
                     WHEN p.claimed THEN p.last_seen - seat_cutoff
                     ELSE p.seated_at - claim_cutoff END) + at FROM waiting_room_places p),
    -- When an outage stops being added to a timeout, the cutoff leaps forward.
    (SELECT min(state.gap_ended + make_interval(secs => t.seconds))
     FROM service_state state, unnest(ARRAY[room.waiter_seconds, room.claim_seconds, room.seat_seconds]) t (seconds)
     WHERE state.gap_ended + make_interval(secs => t.seconds) > at),
    (SELECT min(p.expires_at) FROM waiting_room_permits p)), 'infinity') END;
  RETURN removed;
END
$$;
--> statement-breakpoint

-- Waits for the room's lock, then reads the clock, then removes whoever is due. After it the room is as it should be,
-- and nobody changes it but the caller.
CREATE FUNCTION enter_room(OUT at timestamptz, OUT removed integer)
LANGUAGE plpgsql
AS $$
DECLARE
  due timestamptz;
BEGIN
  PERFORM set_config('lock_timeout', '2000', true);
  SELECT r.next_due INTO due FROM waiting_room r FOR UPDATE;
  at := clock_timestamp();
  removed := 0;
  IF due <= at THEN
    removed := remove_silent(at);
    PERFORM let_in(at);
  END IF;
END
$$;
--> statement-breakpoint

-- Does early what the next call would do: removes who is due, fills the seats. Where nothing is due it takes no lock.
CREATE FUNCTION settle_room() RETURNS integer
LANGUAGE plpgsql
AS $$
BEGIN
  IF (SELECT r.next_due > clock_timestamp() FROM waiting_room r) THEN
    RETURN 0;
  END IF;
  RETURN (SELECT removed FROM enter_room());
END
$$;
--> statement-breakpoint

-- Seconds between two seats that are given up, of late: over the last hour, and at most the last 50. Null: none was.
CREATE FUNCTION seconds_per_seat(room waiting_room, at timestamptz) RETURNS double precision
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
--> statement-breakpoint

-- The place in line: 1 for whoever is next. Counts the line of the same priority up to it, and knows the others' lengths.
-- Who came last of all is the end of that line, so that whoever joins a long one does not count it under the lock.
CREATE FUNCTION line_position(of_place waiting_room_places) RETURNS integer
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
--> statement-breakpoint

-- What anybody is told of a place. outcome: active | queued, or unknown_user where there is no such place.
CREATE FUNCTION describe_place(
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
--> statement-breakpoint

-- Says that the user is there. The caller holds the room's lock. Returns the place, nulls where there is none.
CREATE FUNCTION see_place(who text, at timestamptz) RETURNS waiting_room_places
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
--> statement-breakpoint

-- Gives the user a seat, or a place in line, or the place that is theirs already.
-- outcome: active | queued | queue_full (then nothing has changed for this user)
CREATE FUNCTION take_place(
  who text, with_session text, with_priority integer,
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
--> statement-breakpoint

-- Leaves the seat or the line; whoever is next is in when it returns. Returns whether there was a place.
CREATE FUNCTION leave_place(who text, by_operator boolean DEFAULT false, OUT had_place boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
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
--> statement-breakpoint

-- Where the user stands, which keeps the place. Nearly always without the room's lock: only what changes more than the
-- moment of being seen (a claim, an expiry), or meets somebody else at the place, goes through it: outcome "again".
CREATE FUNCTION ask_place(
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
  IF room.next_due <= clock_timestamp() THEN
    outcome := 'again'; -- it may be this user's turn
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

-- The same under the room's lock.
CREATE FUNCTION ask_place_again(
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
BEGIN
  at := (SELECT e.at FROM enter_room() e);
  SELECT d.* INTO outcome, session_id, created_at, line_position, wait_seconds, active, max_active
  FROM describe_place(see_place(who, at), at) d;
END
$$;
--> statement-breakpoint

-- Keeps the places in line of those whose event stream is open. A seat is not kept by it, nor claimed.
CREATE FUNCTION keep_waiters(users jsonb) RETURNS void
LANGUAGE plpgsql
SET jit = off
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
--> statement-breakpoint

CREATE FUNCTION room_status(
  OUT active_sessions integer, OUT max_sessions integer, OUT queue_length integer,
  OUT active_requests integer, OUT max_requests integer, OUT paused boolean
)
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM settle_room();
  SELECT r.active, r.max_active, (SELECT sum(n) FROM unnest(r.waiting) n),
         (SELECT count(*) FROM waiting_room_permits p WHERE p.granted AND p.expires_at > clock_timestamp()),
         r.max_requests, r.paused
  INTO active_sessions, max_sessions, queue_length, active_requests, max_requests, paused
  FROM waiting_room r;
END
$$;
--> statement-breakpoint

-- Asks for a permit. outcome: granted | waiting (until give_up, then call drop_permit) | full | not_active
CREATE FUNCTION request_permit(
  id text, who text, wait_ms integer, OUT outcome text, OUT expires_at timestamptz
)
LANGUAGE plpgsql
SET jit = off
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
--> statement-breakpoint

-- Takes the permit that came up for a waiting request. outcome: granted | waiting | gone (its user lost the seat)
CREATE FUNCTION take_permit(id text, OUT outcome text, OUT expires_at timestamptz)
LANGUAGE plpgsql
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
--> statement-breakpoint

-- Gives a permit back, or stops waiting for it; the next request has it when this returns. Twice is harmless. Where
-- only_of is given, only a permit of that user.
CREATE FUNCTION drop_permit(id text, only_of text, OUT had_permit boolean)
LANGUAGE plpgsql
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
--> statement-breakpoint

-- Applies the settings of a starting process. The number of seats only where that setting is another than the last
-- time, so that an operator's change outlives a restart.
CREATE FUNCTION configure_room(
  seats integer, requests integer, waiters integer, seat integer, waiter integer, claim integer, request integer
) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
  at timestamptz;
  room waiting_room;
BEGIN
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

-- More seats let in exactly so many more; fewer throw nobody out.
CREATE FUNCTION set_capacity(seats integer) RETURNS void
LANGUAGE plpgsql
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
--> statement-breakpoint

-- While paused nobody is let in; who is in stays, and who waits keeps the place.
CREATE FUNCTION pause_room(pause boolean) RETURNS void
LANGUAGE plpgsql
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
--> statement-breakpoint

-- Gives somebody who waits another priority; the ticket stays, so among the new equals they stand where they came.
CREATE FUNCTION prioritise_waiter(who text, new_priority integer, OUT changed boolean)
LANGUAGE plpgsql
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
--> statement-breakpoint

-- Lets somebody who waits in by hand, past the line but not past the number of seats. outcome: admitted | full | not_waiting
CREATE FUNCTION admit_waiter(who text, OUT outcome text)
LANGUAGE plpgsql
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
--> statement-breakpoint

-- Pauses or resumes, and changes the number of seats; null leaves as it is. Where both change, nobody slips in who is
-- let in by one of them only. Returns what has changed, for the audit log; {} is nothing.
CREATE FUNCTION change_room(pause boolean, seats integer, OUT changed jsonb)
LANGUAGE plpgsql
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
--> statement-breakpoint

-- Takes away all that is known of a user: the place, the moves, and what the audit log says of them beyond who did what
-- and when. Whoever is next is in when it returns. known: whether there was anything.
CREATE FUNCTION erase_user(who text, OUT known boolean)
LANGUAGE plpgsql
AS $$
BEGIN
  known := leave_place(who, true);
  DELETE FROM waiting_room_moves m WHERE m.user_id = who;
  known := known OR FOUND;
  UPDATE audit_log a SET details = NULL WHERE a.details->>'user_id' = erase_user.who;
  known := known OR FOUND;
END
$$;
