-- How a game session is made, from a request with an Idempotency-Key once (game.sql).

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
