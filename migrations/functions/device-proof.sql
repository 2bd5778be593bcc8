-- Proof: whether the processes that beat a session are one (src/trust/README.md has the protocol, and why it is so). The
-- rules of device.sql hold here, too: lock first, then read the clock, then decide.

-- The digits that begin a challenge: 32 of chance, 16 of its time in milliseconds.
CREATE OR REPLACE FUNCTION challenge_salt(at timestamptz) RETURNS text
LANGUAGE sql VOLATILE
AS $$
  SELECT replace(gen_random_uuid()::text, '-', '') || lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 16, '0')
$$;

-- The challenge with that salt to a beat of the session as it is: another one as soon as another beat was accepted. A
-- session without proof is known by when it was last heard of.
CREATE OR REPLACE FUNCTION challenge_of(salt text, present active_sessions, instance text, number bigint, beat text)
RETURNS text
LANGUAGE sql STABLE
AS $$
  SELECT salt || encode(sha256(t.challenge_secret || sha256(t.challenge_secret || convert_to(concat_ws(' ',
           salt, present.session_id, coalesce(present.proof_beat, extract(epoch FROM present.last_heartbeat)::text),
           instance, number, beat), 'UTF8'))), 'hex')
  FROM trust_state t WHERE t.singleton
$$;

-- Whether the answer is a challenge of ours to that very beat, not older than a minute, and nothing was accepted since.
CREATE OR REPLACE FUNCTION answers_challenge(
  answer text, present active_sessions, instance text, number bigint, beat text, at timestamptz
) RETURNS boolean
LANGUAGE sql STABLE
AS $$
  SELECT CASE WHEN answer = challenge_of(left(answer, 48), present, instance, number, beat)
              THEN to_timestamp(('x' || substr(answer, 33, 16))::bit(64)::bigint / 1000.0)
                   BETWEEN at - interval '1 minute' AND at
              ELSE false END
$$;

-- What a beat is to a live session, whose row is locked:
--   again:      its last one
--   follows:    the next of its current instance
--   unproven:   of nobody who is known to run now: to be challenged
--   displaces:  of a new instance, which runs
--   copy:       of an instance that runs though another has displaced it, or beats twice: the id is in use twice
CREATE OR REPLACE FUNCTION judge_beat(
  present active_sessions, instance text, number bigint, beat text, answer text, at timestamptz
) RETURNS text
LANGUAGE sql STABLE
AS $$
  SELECT CASE
    WHEN instance = present.proof_instance AND beat = present.proof_beat THEN 'again'
    WHEN instance = present.proof_instance AND number > present.proof_number THEN 'follows'
    WHEN answers_challenge(answer, present, instance, number, beat, at) IS NOT TRUE THEN 'unproven'
    WHEN instance = present.proof_instance OR instance = ANY (present.proof_displaced) THEN 'copy'
    ELSE 'displaces' END
$$;

-- The displaced instances once `instance` is the current one: the newest eight. One that is forgotten would be new.
CREATE OR REPLACE FUNCTION displaced_by(instance text, present active_sessions) RETURNS text[]
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE WHEN instance = present.proof_instance THEN present.proof_displaced
              WHEN present.proof_instance IS NOT NULL
              THEN (array_prepend(present.proof_instance, present.proof_displaced))[1:8] END
$$;

-- Beats many sessions with proof in one statement, as beat_sessions does without. Values are joined by commas, which none
-- contains; an answer may be empty. A session may be in it once.
--
-- beaten: "id generation,id generation,…" of those whose beat was accepted at beat_at.
-- others: [{session_id, verdict: again, generation, heard_at, expires_at} | {…, verdict: unproven, challenge}
--          | {…, verdict: copy}] of the other live ones; nothing of these has changed. See end_copy, look_at_sessions.
--
-- A new current instance is durable before anybody hears of it: who could be displaced by accident must not be.
CREATE OR REPLACE FUNCTION beat_with_proof(
  session_ids text, instances text, numbers text, beat_ids text, answers text,
  OUT beat_at timestamptz, OUT timeout_seconds integer, OUT beaten text, OUT others jsonb
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET lock_timeout = '1s'
AS $$
DECLARE
  asked text[] := string_to_array(session_ids, ',');
  locked tid[];
  cutoff timestamptz;
  displaced boolean;
BEGIN
  locked := ARRAY(SELECT s.ctid FROM active_sessions s WHERE s.session_id = ANY (asked) FOR NO KEY UPDATE SKIP LOCKED);
  beat_at := clock_timestamp();
  SELECT session_timeout_seconds INTO timeout_seconds FROM service_state WHERE singleton;
  cutoff := session_cutoff(beat_at);
  WITH accepted AS (
    UPDATE active_sessions s
    SET last_heartbeat = beat_at, proof_instance = a.instance, proof_number = a.number, proof_beat = a.beat,
        proof_displaced = displaced_by(a.instance, s)
    FROM unnest(asked, string_to_array(instances, ','), string_to_array(numbers, ',')::bigint[],
                string_to_array(beat_ids, ','), string_to_array(answers, ','))
         AS a (session_id, instance, number, beat, answer)
    WHERE s.ctid = ANY (locked) AND s.session_id = a.session_id AND s.last_heartbeat > cutoff
      AND judge_beat(s, a.instance, a.number, a.beat, a.answer, beat_at) IN ('follows', 'displaces')
    RETURNING s.session_id, s.generation, a.answer
  )
  SELECT string_agg(a.session_id || ' ' || a.generation, ','), bool_or(a.answer <> '') INTO beaten, displaced
  FROM accepted a;
  -- Only of a new instance there is an answer. Mere beats may be lost as those without proof (G7).
  IF displaced IS NOT TRUE THEN
    PERFORM set_config('synchronous_commit', 'off', true);
  END IF;
  -- Of those that were beaten the locked version is gone.
  SELECT jsonb_agg(CASE j.verdict
      WHEN 'again' THEN jsonb_build_object('session_id', s.session_id, 'verdict', j.verdict, 'generation', s.generation,
                          'heard_at', s.last_heartbeat, 'expires_at', session_deadline(s.last_heartbeat))
      WHEN 'unproven' THEN jsonb_build_object('session_id', s.session_id, 'verdict', j.verdict,
                             'challenge', challenge_of(challenge_salt(beat_at), s, a.instance, a.number, a.beat))
      ELSE jsonb_build_object('session_id', s.session_id, 'verdict', j.verdict) END)
  INTO others
  FROM unnest(asked, string_to_array(instances, ','), string_to_array(numbers, ',')::bigint[],
              string_to_array(beat_ids, ','), string_to_array(answers, ','))
       AS a (session_id, instance, number, beat, answer)
  JOIN active_sessions s ON s.session_id = a.session_id,
  LATERAL (SELECT judge_beat(s, a.instance, a.number, a.beat, a.answer, beat_at) AS verdict) j
  WHERE s.ctid = ANY (locked) AND s.last_heartbeat > cutoff;
END
$$;

-- Ends a live session that is in use twice, for all who use it. The caller has locked its row.
CREATE OR REPLACE FUNCTION record_copy(present active_sessions, at timestamptz) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  DELETE FROM active_sessions s WHERE s.key_id = present.key_id;
  PERFORM record_ending(present, 'cloned', at);
  PERFORM limit_waiting();
  PERFORM record_audit('service', NULL, 'session_cloned', present.key_id, jsonb_build_object('generation', present.generation));
END
$$;

-- Whether a beat with that proof may be of a copy: then the history is wanted before the session's row is locked.
CREATE OR REPLACE FUNCTION may_be_copy(present active_sessions, proof jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
  SELECT proof->>'answer' IS NOT NULL
         AND (proof->>'instance' = present.proof_instance OR proof->>'instance' = ANY (present.proof_displaced))
$$;

-- Takes a beat that is more than a heartbeat: a start that resumes, a request for a lease. The session is live, its row is
-- locked, and where the beat may be of a copy, the history as well.
--
-- proof:   {instance, number, beat_id, answer}, or null.
-- refused: null (the beat is accepted; heard_at is before `at` if it was accepted before, as the last one) | proof_required
--          | proof_challenge (challenge) | session_cloned (at: when it ended, by this beat). The first two change nothing.
--
-- Without proof, of a session that has none, it is accepted and nothing has changed: what it then is, is the caller's rule.
CREATE OR REPLACE FUNCTION take_beat(
  present active_sessions, proof jsonb, at timestamptz, OUT refused text, OUT challenge text, OUT heard_at timestamptz
)
LANGUAGE plpgsql
AS $$
DECLARE
  instance text := proof->>'instance';
  number bigint := (proof->>'number')::bigint;
  beat text := proof->>'beat_id';
  verdict text;
BEGIN
  heard_at := at;
  IF proof IS NULL THEN
    refused := CASE WHEN present.proof_instance IS NOT NULL THEN 'proof_required' END;
    RETURN;
  END IF;
  verdict := judge_beat(present, instance, number, beat, proof->>'answer', at);
  IF verdict IN ('follows', 'displaces') THEN
    UPDATE active_sessions s
    SET last_heartbeat = at, proof_instance = instance, proof_number = number, proof_beat = beat,
        proof_displaced = displaced_by(instance, present)
    WHERE s.key_id = present.key_id;
  ELSIF verdict = 'again' THEN
    heard_at := present.last_heartbeat;
  ELSIF verdict = 'unproven' THEN
    refused := 'proof_challenge';
    challenge := challenge_of(challenge_salt(at), present, instance, number, beat);
  ELSE
    refused := 'session_cloned';
    PERFORM record_copy(present, at);
    PERFORM limit_waiting();
  END IF;
END
$$;

-- Ends the session with that id if it is live and this beat still proves that it is in use twice: the verdict of
-- beat_with_proof, which waits for no history, may be out of date.
CREATE OR REPLACE FUNCTION end_copy(id text, instance text, number bigint, beat text, answer text, OUT cloned boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  present active_sessions;
  at timestamptz;
BEGIN
  PERFORM claim_endings();
  PERFORM limit_waiting();
  SELECT s.* INTO present FROM active_sessions s WHERE s.session_id = id FOR UPDATE;
  PERFORM limit_waiting();
  at := clock_timestamp();
  cloned := present.key_id IS NOT NULL AND present.last_heartbeat > session_cutoff(at)
            AND judge_beat(present, instance, number, beat, answer, at) = 'copy';
  IF cloned THEN
    PERFORM record_copy(present, at);
  END IF;
  PERFORM limit_waiting();
END
$$;

-- Notes which sessions may be copied, [{key_id, generation, times}], and forgets the keys whose session is not heard of too
-- often any more, and those whose session is over. What another process is just noting waits for the next time.
CREATE OR REPLACE FUNCTION keep_suspects(suspects jsonb, cleared jsonb) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM limit_waiting();
  DELETE FROM suspected_copies c WHERE c.key_id IN (
    SELECT o.key_id FROM suspected_copies o
    WHERE o.key_id IN (SELECT value::bigint FROM jsonb_array_elements_text(cleared))
       OR NOT EXISTS (SELECT FROM active_sessions s WHERE s.key_id = o.key_id AND s.generation = o.generation)
    FOR UPDATE SKIP LOCKED);
  INSERT INTO suspected_copies AS c (key_id, generation, times_asked, seen_at)
  SELECT s.key_id, s.generation, s.times, clock_timestamp()
  FROM jsonb_to_recordset(suspects) AS s (key_id bigint, generation bigint, times real) ORDER BY s.key_id
  ON CONFLICT (key_id) DO UPDATE
  SET generation = excluded.generation, times_asked = excluded.times_asked, seen_at = excluded.seen_at;
  PERFORM limit_waiting();
END
$$;
