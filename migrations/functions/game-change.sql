-- What is done to a game session from outside, by its player, a service or an operator (game.sql).

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
