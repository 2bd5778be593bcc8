-- What time brings: game sessions that end by themselves (game.sql).

-- Ends at most so many sessions whose time is over; those that somebody else holds are settled by whoever holds them. Returns how
-- many it has looked at: as many as it may means that there may be more.
CREATE OR REPLACE FUNCTION settle_games(at_most integer, OUT looked_at integer, OUT ended integer)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  state service_state := present_state();
  at timestamptz := clock_timestamp();
  again timestamptz;
  game game_sessions;
BEGIN
  looked_at := 0;
  ended := 0;
  -- One index each, in its order: with an OR every session that lives is looked at.
  FOR game IN
    SELECT * FROM (
      SELECT s.* FROM game_sessions s WHERE s.ended_at IS NULL AND s.not_over_before <= at
      ORDER BY s.not_over_before LIMIT at_most FOR NO KEY UPDATE SKIP LOCKED) due
    UNION ALL
    SELECT * FROM (
      SELECT s.* FROM game_sessions s WHERE s.ended_at IS NULL AND s.clock_steps < state.clock_steps
      ORDER BY s.clock_steps LIMIT at_most FOR NO KEY UPDATE SKIP LOCKED) dated
    LIMIT at_most
  LOOP
    looked_at := looked_at + 1;
    game := enter_game(game.session_id);
    IF game.ended_at IS NOT NULL THEN
      ended := ended + 1;
    ELSE
      -- At least a second away, or a session that lives by an outage of ours would be looked at again and again.
      again := greatest(least(game_silent_until(game), game_deadline(game)), clock_timestamp() + interval '1 second');
      UPDATE game_sessions s
      SET last_call = game.last_call, clock_steps = game.clock_steps, not_over_before = again
      WHERE s.number = game.number;
    END IF;
  END LOOP;
END
$$;
