-- Matches: what a game session of two or more sides has beyond it, by the rules of game sessions (game.sql).

-- Adds an event to a match's one order. The caller holds the session, and tells who watches (keep_game). Returns its sequence.
CREATE OR REPLACE FUNCTION write_combat_event(game game_sessions, at timestamptz, event text, player uuid, data jsonb) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
  place bigint;
BEGIN
  UPDATE game_combats c SET last_sequence = c.last_sequence + 1 WHERE c.session = game.number RETURNING c.last_sequence INTO place;
  INSERT INTO game_events (session, sequence, at, event, player_id, data) VALUES (game.number, place, at, event, player, data);
  RETURN place;
END
$$;

-- The last event of a match, which has ended. Of a session that is no match there is none. The caller holds the session.
CREATE OR REPLACE FUNCTION tell_combat_end(game game_sessions, at timestamptz) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  IF game.max_duration_seconds IS NULL THEN
    RETURN;
  END IF;
  PERFORM write_combat_event(game, at, 'ended', NULL, (
    SELECT jsonb_strip_nulls(jsonb_build_object('status', game.status, 'ended_reason', game.ended_reason, 'winner', c.winner))
    FROM game_combats c WHERE c.session = game.number));
END
$$;
