-- Leases: a key that its device may use for some hours without us (src/trust/README.md). A lease is no live session: nothing
-- here makes a session live, or keeps one so. One row a key; a lease holds while it has a row and its `until` is ahead. The
-- rules of device.sql hold here, too: lock first, then read the clock, then decide.

-- Who holds a key by a lease, in the words for a live holder.
CREATE OR REPLACE FUNCTION lessee_of(lease leases) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
  SELECT jsonb_build_object('session_id', mask_session_id(lease.session_id), 'generation', lease.generation,
                            'started_at', lease.issued_at, 'last_heartbeat', lease.issued_at, 'device', lease.device)
$$;

-- Gives the live session with that id a lease for so many seconds, at most until its key expires. Asked again while that
-- lease holds, it is the same one, whatever is asked for.
--
-- outcome: leased | not_live (look_at_sessions tells what became of it) | unavailable (the key expires or is revoked)
--          | proof_required | proof_challenge (challenge) | session_cloned (at: when it ended, by this request)
--
-- proof: {instance, number, beat_id, answer}, or null. With proof, and of a session that has some, the request is a beat
-- like any other (take_beat), in the same transaction: no lease is given but to a beat that is accepted. Without, of a
-- session that has none, it is no sign of life.
--
-- It locks the key before the session, as a start does, so that no start slips in between.
CREATE OR REPLACE FUNCTION take_lease(
  id text, seconds double precision, new_id text, proof jsonb,
  OUT outcome text, OUT lease_id text, OUT access_key text, OUT generation bigint, OUT device jsonb,
  OUT issued_at timestamptz, OUT until timestamptz, OUT at timestamptz, OUT challenge text
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  owner keys;
  present active_sessions;
  lease leases;
BEGIN
  PERFORM limit_waiting();
  PERFORM pg_advisory_xact_lock(1262834004, hashtext(id));
  PERFORM limit_waiting();
  SELECT k.* INTO owner FROM keys k
  WHERE k.id = (SELECT s.key_id FROM active_sessions s WHERE s.session_id = take_lease.id) FOR NO KEY UPDATE;
  IF EXISTS (SELECT FROM active_sessions s WHERE s.key_id = owner.id AND s.session_id = take_lease.id
             AND may_be_copy(s, proof)) THEN
    PERFORM claim_endings();
  END IF;
  PERFORM limit_waiting();
  SELECT s.* INTO present FROM active_sessions s
  WHERE s.key_id = owner.id AND s.session_id = take_lease.id FOR NO KEY UPDATE;
  PERFORM limit_waiting();
  at := clock_timestamp();
  IF present.key_id IS NULL OR present.last_heartbeat <= session_cutoff(at) THEN
    outcome := 'not_live';
    RETURN;
  END IF;
  IF key_fault(owner, at) IS NOT NULL THEN
    outcome := 'unavailable';
    RETURN;
  END IF;
  SELECT b.refused, b.challenge INTO outcome, challenge FROM take_beat(present, proof, at) b;
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;
  SELECT l.* INTO lease FROM leases l WHERE l.key_id = owner.id;
  IF (lease.until > at AND lease.generation = present.generation) IS NOT TRUE THEN
    INSERT INTO leases AS l (key_id, lease_id, session_id, generation, device, issued_at, until)
    VALUES (owner.id, new_id, present.session_id, present.generation, present.device, at,
            least(at + make_interval(secs => seconds), owner.expires_at))
    ON CONFLICT (key_id) DO UPDATE
    SET lease_id = excluded.lease_id, session_id = excluded.session_id, generation = excluded.generation,
        device = excluded.device, issued_at = excluded.issued_at, until = excluded.until
    RETURNING l.* INTO lease;
  END IF;
  outcome := 'leased';
  access_key := present.access_key;
  lease_id := lease.lease_id;
  generation := lease.generation;
  device := lease.device;
  issued_at := lease.issued_at;
  until := lease.until;
  PERFORM limit_waiting();
END
$$;

-- Ends that lease. Returns whether it still held.
CREATE OR REPLACE FUNCTION return_lease(id text, OUT returned boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  ended_until timestamptz;
BEGIN
  PERFORM limit_waiting();
  PERFORM FROM keys k WHERE k.id = (SELECT l.key_id FROM leases l WHERE l.lease_id = return_lease.id) FOR NO KEY UPDATE;
  PERFORM limit_waiting();
  DELETE FROM leases l WHERE l.lease_id = return_lease.id RETURNING l.until INTO ended_until;
  returned := coalesce(ended_until > clock_timestamp(), false);
  PERFORM limit_waiting();
END
$$;

-- Redates at most 10,000 leases after the clock went back: one that was given in the future is given at `moment`, for as
-- long as before. Otherwise it would hold the key for as long as the clock was ahead. Returns the number redated.
CREATE OR REPLACE FUNCTION redate_leases(moment timestamptz) RETURNS integer
LANGUAGE plpgsql
SET jit = off
AS $$
DECLARE
  redated integer;
BEGIN
  UPDATE leases l SET until = moment + (l.until - l.issued_at), issued_at = moment
  WHERE l.key_id = ANY (ARRAY(
    SELECT late.key_id FROM leases late WHERE late.issued_at > clock_timestamp() LIMIT 10000 FOR NO KEY UPDATE SKIP LOCKED));
  GET DIAGNOSTICS redated = ROW_COUNT;
  RETURN redated;
END
$$;

-- Deletes at most 10,000 leases that are over, by a clock that the service has ticked through: one that runs ahead for an
-- hour deletes none that will hold again. Returns the number deleted.
CREATE OR REPLACE FUNCTION forget_leases() RETURNS integer
LANGUAGE plpgsql
SET jit = off
SET lock_timeout = '100ms'
AS $$
DECLARE
  forgotten integer;
BEGIN
  DELETE FROM leases l WHERE l.key_id = ANY (ARRAY(
    SELECT old.key_id FROM leases old WHERE old.until <= (SELECT retention_clock()) LIMIT 10000 FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS forgotten = ROW_COUNT;
  RETURN forgotten;
END
$$;
