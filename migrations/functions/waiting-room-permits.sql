-- Permits limit how many requests of seated users run at once, by the rules of the room (waiting-room.sql).

-- A request waits 30 seconds at most, and 2 more until its process is known to be gone.
CREATE OR REPLACE FUNCTION wait_began(permit waiting_room_permits) RETURNS timestamptz
LANGUAGE sql STABLE
AS $$ SELECT permit.expires_at - interval '30 seconds' $$;

-- Grants the free permits to waiting requests in order of arrival. A granted one must be taken within 5 seconds (its
-- process may have died). The caller holds the room's lock.
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
  -- A request still waiting 2 seconds after its time lost its process. Permits only change under the room's lock, so a
  -- locked row is held by an outsider, for whom nobody waits.
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

-- Requests a permit. outcome: granted | waiting (for wait_ms, then call drop_permit) | full | not_active
CREATE OR REPLACE FUNCTION request_permit(
  id text, who text, wait_ms integer, OUT outcome text, OUT expires_at timestamptz
)
LANGUAGE plpgsql
SET jit = off
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz := (SELECT e.at FROM enter_room() e);
  room waiting_room;
  place waiting_room_places;
BEGIN
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

-- Takes the permit granted to a waiting request. outcome: granted | waiting | gone (its user lost the seat)
CREATE OR REPLACE FUNCTION take_permit(id text, OUT outcome text, OUT expires_at timestamptz)
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz := (SELECT e.at FROM enter_room() e);
  permit waiting_room_permits;
BEGIN
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

-- Returns a permit, or stops waiting for one; the next request has it when this returns. Repeating it is harmless.
-- only_of: limits it to a permit of that user.
CREATE OR REPLACE FUNCTION drop_permit(id text, only_of text, OUT had_permit boolean)
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
  at timestamptz := (SELECT e.at FROM enter_room() e);
BEGIN
  DELETE FROM waiting_room_permits p WHERE p.permit_id = id AND p.user_id = coalesce(only_of, p.user_id);
  had_permit := FOUND;
  PERFORM grant_permits(at);
END
$$;
