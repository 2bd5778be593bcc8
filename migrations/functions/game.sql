-- Game sessions. Five rules:
--
--   * The session's row is its lock, its match's too. Whoever changes it, acts in it or ends it holds the row (enter_game), so
--     that what many callers do comes one after the other, and of an ending and an action one is first.
--   * Lock first, then read the clock, then decide; clock_timestamp() of the database alone decides.
--   * Every change is an entry of the log, and of a match an event too, written with it; their ids are given under the lock:
--     without a gap, and in the order of commits.
--   * A session whose time is over is over for whoever asks; whoever finds it so ends it (settle_game). Time paused is no
--     part of its duration, and time in which nobody served is nobody's silence.
--   * The numbers follow the rows by triggers (game-numbers.sql): nobody counts by hand.
--
--   active ⇄ paused, both ──► completed | terminated

-- The legal moves: these 6 of the 16.
CREATE OR REPLACE FUNCTION is_game_move(before text, after text) RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
  SELECT (before, after) IN (
    ('active', 'paused'), ('paused', 'active'),
    ('active', 'completed'), ('active', 'terminated'), ('paused', 'completed'), ('paused', 'terminated'))
$$;

CREATE OR REPLACE FUNCTION refuse_game_move() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  RAISE check_violation USING MESSAGE = format('a game session does not go from %s to %s', OLD.status, NEW.status);
END
$$;

-- Whoever writes the table: an ending is final.
CREATE OR REPLACE TRIGGER game_sessions_move BEFORE UPDATE ON game_sessions
FOR EACH ROW WHEN (OLD.status <> NEW.status AND NOT is_game_move(OLD.status, NEW.status))
EXECUTE FUNCTION refuse_game_move();

-- A shorter silence makes what lives be dated anew (redate_games).
CREATE OR REPLACE FUNCTION configure_games(silence integer) RETURNS void
LANGUAGE sql
SET lock_timeout = '2s'
AS $$
  UPDATE game_settings s
  SET silence_seconds = silence,
      redated_to = CASE WHEN silence < s.silence_seconds THEN 0 ELSE s.redated_to END,
      lowered_at = CASE WHEN silence < s.silence_seconds THEN clock_timestamp() ELSE s.lowered_at END
  WHERE s.silence_seconds <> silence
$$;

-- GAME_SILENCE_SECONDS.
CREATE OR REPLACE FUNCTION game_silence() RETURNS interval
LANGUAGE sql STABLE
AS $$ SELECT make_interval(secs => s.silence_seconds) FROM game_settings s $$;

-- Until when a session lives without a further call.
CREATE OR REPLACE FUNCTION game_silent_until(game game_sessions) RETURNS timestamptz
LANGUAGE sql STABLE
AS $$ SELECT silence_deadline(by_present_clock(game.last_call, game.clock_steps), game_silence()) WHERE game.ended_at IS NULL $$;

-- Until when it lives whatever is called. Null: it has no such limit, or stands still.
CREATE OR REPLACE FUNCTION game_deadline(game game_sessions) RETURNS timestamptz
LANGUAGE sql IMMUTABLE
AS $$
  SELECT game.created_at + make_interval(secs => game.max_duration_seconds + game.paused_ms / 1000.0)
  WHERE game.paused_at IS NULL
$$;

-- How long one moment is after another, and never less than nothing: a clock may have been set back between them.
CREATE OR REPLACE FUNCTION ms_between(earlier timestamptz, later timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$ SELECT greatest(0, floor(extract(epoch FROM later - earlier) * 1000))::bigint $$;

-- How long it has been played at that moment: without its pauses, and to its end at most.
CREATE OR REPLACE FUNCTION game_duration_ms(game game_sessions, at timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$ SELECT greatest(0, ms_between(game.created_at, coalesce(game.ended_at, game.paused_at, at)) - game.paused_ms) $$;

-- Whether its time is over, by which limit (silence | max_duration) and since when; reason null: it is not.
CREATE OR REPLACE FUNCTION game_overdue(game game_sessions, at timestamptz, OUT reason text, OUT since timestamptz)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  deadline timestamptz := game_deadline(game);
BEGIN
  IF game.number IS NULL OR game.ended_at IS NOT NULL THEN
    RETURN;
  END IF;
  IF by_present_clock(game.last_call, game.clock_steps) <= silence_cutoff(at, game_silence()) THEN
    reason := 'silence';
    since := least(at, game_silent_until(game));
  END IF;
  IF deadline <= least(at, since) THEN
    reason := 'max_duration';
    since := deadline;
  END IF;
END
$$;

-- Adds an entry, and takes away those beyond the last 10,000, a hundred at a time. The caller holds the session, and keeps it
-- (keep_game).
CREATE OR REPLACE FUNCTION write_game_entry(
  game game_sessions, at timestamptz, event text, message text DEFAULT NULL, data jsonb DEFAULT NULL
) RETURNS game_sessions
LANGUAGE plpgsql
AS $$
BEGIN
  game.last_entry := game.last_entry + 1;
  INSERT INTO game_log_entries (session, id, at, event, message, data)
  VALUES (game.number, game.last_entry, at, event, message, data);
  IF game.last_entry % 100 = 0 THEN
    DELETE FROM game_log_entries e WHERE e.session = game.number AND e.id <= game.last_entry - 10000;
  END IF;
  RETURN game;
END
$$;

-- Keeps what the caller, who holds the session's lock, has made of it, and tells who watches a match.
CREATE OR REPLACE FUNCTION keep_game(game game_sessions) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off -- a plan made while the tables were empty must not live on when they are large
SET jit = off
AS $$
BEGIN
  UPDATE game_sessions s
  SET status = game.status, version = game.version, metadata = game.metadata, settings = game.settings,
      updated_at = game.updated_at, ended_at = game.ended_at, ended_reason = game.ended_reason, paused_at = game.paused_at,
      paused_ms = game.paused_ms, last_call = game.last_call, clock_steps = game.clock_steps,
      not_over_before = game.not_over_before, last_entry = game.last_entry
  WHERE s.number = game.number;
  IF game.max_duration_seconds IS NOT NULL THEN
    PERFORM pg_notify('keybeat_game', game.session_id::text);
  END IF;
  PERFORM limit_waiting();
END
$$;

-- As it is once it has ended, whether or not somebody has written that yet.
CREATE OR REPLACE FUNCTION ended_game(game game_sessions, to_status text, reason text, at timestamptz) RETURNS game_sessions
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
  IF game.paused_at IS NOT NULL THEN
    game.paused_ms := game.paused_ms + ms_between(game.paused_at, at);
    game.paused_at := NULL;
  END IF;
  game.status := to_status;
  game.ended_reason := reason;
  game.ended_at := at;
  game.updated_at := at;
  game.version := game.version + 1;
  game.not_over_before := NULL;
  RETURN game;
END
$$;

-- Ends it. more: for the log's entry. The caller holds the session.
CREATE OR REPLACE FUNCTION end_game(
  game game_sessions, to_status text, reason text, at timestamptz, message text DEFAULT NULL, more jsonb DEFAULT '{}'
) RETURNS game_sessions
LANGUAGE plpgsql
AS $$
BEGIN
  game := ended_game(game, to_status, reason, at);
  game := write_game_entry(game, at, to_status, message, more || jsonb_build_object('ended_reason', reason));
  PERFORM tell_combat_end(game, at);
  PERFORM keep_game(game);
  RETURN game;
END
$$;

-- A match that was played to its limit is completed, what fell silent is terminated.
CREATE OR REPLACE FUNCTION game_end_status(reason text) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$ SELECT CASE reason WHEN 'silence' THEN 'terminated' ELSE 'completed' END WHERE reason IS NOT NULL $$;

-- Ends it if its time is over. The caller holds the session.
CREATE OR REPLACE FUNCTION settle_game(game game_sessions) RETURNS game_sessions
LANGUAGE plpgsql
AS $$
DECLARE
  over record := game_overdue(game, clock_timestamp());
BEGIN
  -- Of a match, preparation that was over by then comes first.
  game := start_combat(game, coalesce(over.since, clock_timestamp()));
  IF over.reason IS NULL THEN
    RETURN game;
  END IF;
  RETURN end_game(
    game, game_end_status(over.reason), over.reason, over.since,
    CASE over.reason WHEN 'silence' THEN 'no call for ' || duration_in_words((SELECT s.silence_seconds FROM game_settings s))
                     ELSE 'played for ' || duration_in_words(game.max_duration_seconds) END);
END
$$;

-- Its moments by the clock as it is after a jump: what is ahead of it since the clock was set back is of then, or a match would
-- last so much longer, and be called prepared until then. Of one that began ahead, pauses before are forgotten; no cooldown lasts
-- longer than its whole time from now on. The caller holds the session, and keeps the call.
CREATE OR REPLACE FUNCTION date_game(game game_sessions, steps bigint) RETURNS game_sessions
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  created timestamptz := by_present_clock(game.created_at, game.clock_steps);
BEGIN
  IF created < game.created_at THEN
    game.paused_ms := 0;
  END IF;
  IF game.paused_at IS NOT NULL THEN
    game.paused_at := by_present_clock(game.paused_at, game.clock_steps);
  END IF;
  UPDATE game_combats c SET started_at = by_present_clock(c.started_at, game.clock_steps)
  WHERE c.session = game.number AND c.started_at > created;
  UPDATE game_participants p
  SET ready_at = (
    SELECT jsonb_object_agg(r.key, least(
      (r.value #>> '{}')::timestamptz, clock_timestamp() + (c.rules #>> ARRAY['cooldown_ms', r.key])::integer * interval '1 ms'))
    FROM jsonb_each(p.ready_at) r)
  FROM game_combats c WHERE c.session = game.number AND p.session = game.number AND p.ready_at <> '{}';
  game.created_at := created;
  game.updated_at := by_present_clock(game.updated_at, game.clock_steps);
  game.last_call := by_present_clock(game.last_call, game.clock_steps);
  game.not_over_before := clock_timestamp();
  game.clock_steps := steps;
  UPDATE game_sessions s
  SET created_at = game.created_at, updated_at = game.updated_at, paused_at = game.paused_at, paused_ms = game.paused_ms
  WHERE s.number = game.number;
  RETURN game;
END
$$;

-- The session, locked, dated by the clock as it is now, and ended if its time is over. Nulls: there is none.
CREATE OR REPLACE FUNCTION enter_game(id uuid) RETURNS game_sessions
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  game game_sessions;
  steps bigint;
BEGIN
  PERFORM limit_waiting();
  SELECT s.* INTO game FROM game_sessions s WHERE s.session_id = id FOR NO KEY UPDATE;
  PERFORM limit_waiting();
  IF game.number IS NULL OR game.ended_at IS NOT NULL THEN
    RETURN game;
  END IF;
  steps := (SELECT s.clock_steps FROM present_state() s);
  IF game.clock_steps <> steps THEN
    game := date_game(game, steps);
  END IF;
  RETURN settle_game(game);
END
$$;

-- A call for it. To be called last, when its pauses are as they will be. The caller holds the session, and keeps it.
CREATE OR REPLACE FUNCTION hear_game(game game_sessions, at timestamptz) RETURNS game_sessions
LANGUAGE plpgsql
AS $$
DECLARE
  until timestamptz := least(at + game_silence(), game_deadline(game));
BEGIN
  game.last_call := at;
  -- An index has it: once in a twentieth of the time is enough.
  IF game.not_over_before < until - game_silence() / 20 OR game.not_over_before > until THEN
    game.not_over_before := until;
  END IF;
  RETURN game;
END
$$;

-- Keeps a call for it that has changed nothing. The caller holds the session.
CREATE OR REPLACE FUNCTION keep_game_call(game game_sessions) RETURNS void
LANGUAGE sql
AS $$
  UPDATE game_sessions s
  SET last_call = game.last_call, clock_steps = game.clock_steps, not_over_before = game.not_over_before
  WHERE s.number = game.number
$$;

-- Notes that it was called for, by whatever changes nothing in its row, as a reader does (read_game): once in a second, or in a
-- thousandth of the silence, so that an action seldom writes the session. The caller holds it.
CREATE OR REPLACE FUNCTION note_game_call(game game_sessions, at timestamptz) RETURNS game_sessions
LANGUAGE plpgsql
AS $$
BEGIN
  IF game.ended_at IS NOT NULL OR (game.last_call > at - least(interval '1 second', game_silence() / 1000) AND game.last_call <= at) THEN
    RETURN game;
  END IF;
  game := hear_game(game, at);
  PERFORM keep_game_call(game);
  RETURN game;
END
$$;

-- Who sees it: who made it, a service, and of a match who takes part, or every player where it is open.
CREATE OR REPLACE FUNCTION may_read_game(game game_sessions, player uuid, is_service boolean) RETURNS boolean
LANGUAGE sql STABLE
AS $$
  SELECT is_service OR game.player_id = player OR (game.max_duration_seconds IS NOT NULL AND player IS NOT NULL AND (
    EXISTS (SELECT FROM game_participants p WHERE p.session = game.number AND p.player_id = player)
    OR EXISTS (SELECT FROM game_combats c WHERE c.session = game.number AND c.open)))
$$;

-- Takes a caller's Idempotency-Key for a session that is to be made, from that request. outcome: null (it is new: make it) |
-- repeated (game is what it has made) | idempotency_conflict
CREATE OR REPLACE FUNCTION take_game_key(
  by_caller text, request_key text, hash bytea, id uuid, OUT outcome text, OUT game game_sessions
)
LANGUAGE plpgsql
AS $$
DECLARE
  known game_idempotency_keys;
BEGIN
  IF request_key IS NULL THEN
    RETURN;
  END IF;
  LOOP
    PERFORM limit_waiting();
    INSERT INTO game_idempotency_keys (caller, key, request_hash, session_id, created_at)
    VALUES (by_caller, request_key, hash, id, clock_timestamp()) ON CONFLICT DO NOTHING;
    EXIT WHEN FOUND;
    -- A statement of its own sees what it has waited for: the session of the one that was first.
    SELECT k.* INTO known FROM game_idempotency_keys k WHERE k.caller = by_caller AND k.key = request_key FOR UPDATE;
    CONTINUE WHEN NOT FOUND;
    SELECT s.* INTO game FROM game_sessions s WHERE s.session_id = known.session_id;
    IF FOUND AND known.created_at > clock_timestamp() - interval '24 hours' THEN
      outcome := CASE WHEN known.request_hash = hash THEN 'repeated' ELSE 'idempotency_conflict' END;
      RETURN;
    END IF;
    DELETE FROM game_idempotency_keys k WHERE k.caller = by_caller AND k.key = request_key;
  END LOOP;
  game := NULL;
END
$$;

-- A new row, with the log's first entry. max_duration: of a match; null: it is none.
CREATE OR REPLACE FUNCTION insert_game(
  id uuid, player uuid, of_type text, with_metadata jsonb, with_settings jsonb, max_duration integer, at timestamptz
) RETURNS game_sessions
LANGUAGE plpgsql
AS $$
DECLARE
  game game_sessions;
BEGIN
  INSERT INTO game_sessions (session_id, type, player_id, metadata, settings, created_at, updated_at, max_duration_seconds,
                             last_call, clock_steps, not_over_before, last_entry)
  SELECT id, of_type, player, with_metadata, with_settings, at, at, max_duration, at, s.clock_steps,
         least(at + game_silence(), at + make_interval(secs => max_duration)), 1
  FROM present_state() s RETURNING * INTO game;
  INSERT INTO game_log_entries (session, id, at, event) VALUES (game.number, 1, at, 'created');
  RETURN game;
END
$$;

-- Makes a session, from a request that has a key the first time only. outcome: created | repeated | idempotency_conflict
CREATE OR REPLACE FUNCTION create_game(
  id uuid, player uuid, of_type text, with_metadata jsonb, with_settings jsonb, by_caller text, request_key text, hash bytea,
  OUT outcome text, OUT game game_sessions
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  taken record := take_game_key(by_caller, request_key, hash, id);
BEGIN
  outcome := taken.outcome;
  game := taken.game;
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;
  PERFORM limit_waiting();
  game := insert_game(id, player, of_type, with_metadata, with_settings, NULL, clock_timestamp());
  outcome := 'created';
  PERFORM limit_waiting();
END
$$;

-- The session as it is to that reader: ended, if its time is over. Asking for it is a call for it, which is noted once in a
-- second (or in a thousandth of the silence, if that is less), waits for nobody, and may be lost in a crash. Nulls: there is
-- none that this reader sees.
CREATE OR REPLACE FUNCTION read_game(id uuid, player uuid, is_service boolean) RETURNS game_sessions
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  game game_sessions;
  at timestamptz;
BEGIN
  SELECT s.* INTO game FROM game_sessions s WHERE s.session_id = id;
  IF may_read_game(game, player, is_service) IS NOT TRUE OR game.number IS NULL THEN
    RETURN NULL;
  END IF;
  at := clock_timestamp();
  IF game.ended_at IS NOT NULL THEN
    RETURN game;
  END IF;
  IF (SELECT o.reason FROM game_overdue(game, at) o) IS NOT NULL THEN
    RETURN enter_game(id);
  END IF;
  IF combat_starts(game, at) THEN
    game := enter_game(id);
    RETURN note_game_call(game, clock_timestamp());
  END IF;
  IF game.last_call > at - least(interval '1 second', game_silence() / 1000) AND game.last_call <= at THEN
    RETURN game;
  END IF;
  PERFORM FROM game_sessions s WHERE s.number = game.number FOR NO KEY UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN game; -- whoever holds it calls for it too
  END IF;
  game := enter_game(id);
  IF game.number IS NOT NULL AND game.ended_at IS NULL THEN
    PERFORM set_config('synchronous_commit', 'off', true);
    game := hear_game(game, clock_timestamp());
    PERFORM keep_game_call(game);
  END IF;
  RETURN game;
END
$$;

-- Why that caller may not change it; null: it may. Others who see it are told that it is not theirs.
CREATE OR REPLACE FUNCTION refuse_game_change(game game_sessions, player uuid, is_service boolean) RETURNS text
LANGUAGE sql STABLE
AS $$
  SELECT CASE WHEN game.number IS NULL OR may_read_game(game, player, is_service) IS NOT TRUE THEN 'session_not_found'
              WHEN NOT is_service AND game.player_id <> player THEN 'forbidden' END
$$;

-- Pauses it, or goes on. The caller holds the session.
CREATE OR REPLACE FUNCTION move_game(game game_sessions, to_status text, at timestamptz) RETURNS game_sessions
LANGUAGE plpgsql
AS $$
BEGIN
  game.status := to_status;
  IF to_status = 'paused' THEN
    game.paused_at := at;
  ELSE
    game.paused_ms := game.paused_ms + ms_between(game.paused_at, at);
    game.paused_at := NULL;
  END IF;
  IF game.max_duration_seconds IS NOT NULL THEN
    PERFORM write_combat_event(game, at, CASE to_status WHEN 'paused' THEN 'paused' ELSE 'resumed' END, NULL, '{}');
  END IF;
  RETURN game;
END
$$;

-- Replaces what is given, as one change with one entry; what is given as it is already (its status) is none. with_version:
-- that which it must have; matching: those of which it must have one. Null: whichever it has.
-- outcome: updated | session_not_found | forbidden | session_over | precondition_failed | version_conflict
CREATE OR REPLACE FUNCTION update_game(
  id uuid, player uuid, is_service boolean, to_status text, with_metadata jsonb, with_settings jsonb, with_version integer,
  matching integer[], OUT outcome text, OUT game game_sessions
)
LANGUAGE plpgsql
AS $$
DECLARE
  at timestamptz;
  replaced text[] := array_remove(ARRAY[
    CASE WHEN with_metadata IS NOT NULL THEN 'metadata' END, CASE WHEN with_settings IS NOT NULL THEN 'settings' END], NULL);
  more jsonb := CASE WHEN cardinality(replaced) > 0 THEN jsonb_build_object('replaced', replaced) ELSE '{}' END;
BEGIN
  game := enter_game(id);
  at := clock_timestamp();
  outcome := coalesce(refuse_game_change(game, player, is_service), CASE
    WHEN game.ended_at IS NOT NULL THEN 'session_over'
    WHEN game.version <> ALL (matching) THEN 'precondition_failed'
    WHEN game.version <> with_version THEN 'version_conflict' END);
  IF outcome IS NOT NULL THEN
    IF outcome <> 'session_not_found' THEN
      game := note_game_call(game, at);
    END IF;
    RETURN;
  END IF;
  outcome := 'updated';
  to_status := nullif(to_status, game.status);
  IF to_status IS NULL AND cardinality(replaced) = 0 THEN
    game := hear_game(game, at);
    PERFORM keep_game_call(game);
    RETURN;
  END IF;
  game.metadata := coalesce(with_metadata, game.metadata);
  game.settings := coalesce(with_settings, game.settings);
  IF to_status IN ('completed', 'terminated') THEN
    game := end_game(hear_game(game, at), to_status, 'requested', at, NULL, more);
    RETURN;
  END IF;
  IF to_status IS NOT NULL THEN
    game := move_game(game, to_status, at);
  END IF;
  game.version := game.version + 1;
  game.updated_at := at;
  game := write_game_entry(
    game, at, CASE to_status WHEN 'paused' THEN 'paused' WHEN 'active' THEN 'resumed' ELSE 'updated' END, NULL,
    nullif(more, '{}'));
  game := hear_game(game, at);
  PERFORM keep_game(game);
END
$$;

-- Ends it on its player's wish. outcome: terminated | unchanged (it had ended) | session_not_found | forbidden |
-- precondition_failed
CREATE OR REPLACE FUNCTION terminate_game(
  id uuid, player uuid, is_service boolean, why text, matching integer[], OUT outcome text, OUT game game_sessions
)
LANGUAGE plpgsql
AS $$
DECLARE
  at timestamptz;
BEGIN
  game := enter_game(id);
  at := clock_timestamp();
  outcome := coalesce(refuse_game_change(game, player, is_service), CASE
    WHEN game.ended_at IS NOT NULL THEN 'unchanged'
    WHEN game.version <> ALL (matching) THEN 'precondition_failed' END);
  IF outcome IS NOT NULL THEN
    IF outcome <> 'session_not_found' THEN
      game := note_game_call(game, at);
    END IF;
    RETURN;
  END IF;
  outcome := 'terminated';
  game := end_game(
    hear_game(game, at), 'terminated', 'requested', at, NULL, jsonb_strip_nulls(jsonb_build_object('reason', why)));
END
$$;

-- Ends it by an operator. outcome: terminated | unchanged (it had ended) | session_not_found
CREATE OR REPLACE FUNCTION force_game_end(id uuid, why text, OUT outcome text, OUT game game_sessions)
LANGUAGE plpgsql
AS $$
BEGIN
  game := enter_game(id);
  outcome := CASE WHEN game.number IS NULL THEN 'session_not_found' WHEN game.ended_at IS NOT NULL THEN 'unchanged' END;
  IF outcome IS NULL THEN
    outcome := 'terminated';
    game := end_game(
      game, 'terminated', 'operator', clock_timestamp(), coalesce(why, 'ended by an operator'),
      jsonb_strip_nulls(jsonb_build_object('reason', why)));
  END IF;
END
$$;
