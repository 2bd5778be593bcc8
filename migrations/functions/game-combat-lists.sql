-- Lists of matches (game-combat.sql): none is alive whose time is over.

-- Matches of that status before a session. The caller has settled what is due: what is over and has not been ended yet is left
-- out. An active one may still be prepared. steps: the present jumps of the clock.
CREATE OR REPLACE FUNCTION matches_of_status(of_status text, of_mode text, before bigint, at timestamptz, steps bigint)
RETURNS SETOF game_sessions
LANGUAGE sql STABLE
AS $$
  SELECT s.* FROM game_sessions s
  WHERE s.type = 'combat' AND s.status = CASE of_status WHEN 'initializing' THEN 'active' ELSE of_status END AND s.number < before
    AND s.max_duration_seconds IS NOT NULL
    AND (s.ended_at IS NOT NULL OR (s.not_over_before > at AND s.clock_steps = steps)
         OR (SELECT o.reason IS NULL FROM game_overdue(s, at) o))
    AND (of_mode IS NULL OR EXISTS (SELECT FROM game_combats c WHERE c.session = s.number AND c.mode = of_mode))
    AND (of_status <> 'initializing' OR EXISTS (
           SELECT FROM game_combats c WHERE c.session = s.number AND (combat_start(s, c) <= at) IS NOT TRUE))
$$;

-- The newest of them by their numbers: of a player, those that it made, takes part in, or could join; null: all.
CREATE OR REPLACE FUNCTION select_combats(whose uuid, of_status text, of_mode text, before bigint, at_most integer) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE
SET enable_seqscan = off -- a plan made while the tables were empty must not live on when they are large
SET jit = off
AS $$
DECLARE
  at timestamptz := clock_timestamp();
  steps bigint := (SELECT s.clock_steps FROM present_state() s);
BEGIN
  IF whose IS NULL THEN
    RETURN QUERY
      SELECT m.number FROM matches_of_status(of_status, of_mode, before, at, steps) m ORDER BY m.number DESC LIMIT at_most;
  ELSE
    RETURN QUERY
      (SELECT m.number FROM matches_of_status(of_status, of_mode, before, at, steps) m
       WHERE m.player_id = whose ORDER BY m.number DESC LIMIT at_most)
      UNION
      (SELECT m.number FROM game_participants p JOIN matches_of_status(of_status, of_mode, before, at, steps) m ON m.number = p.session
       WHERE p.player_id = whose ORDER BY p.session DESC LIMIT at_most)
      UNION
      (SELECT m.number FROM game_combats c JOIN matches_of_status(of_status, of_mode, before, at, steps) m ON m.number = c.session
       WHERE c.open ORDER BY c.session DESC LIMIT at_most)
      ORDER BY 1 DESC LIMIT at_most;
  END IF;
END
$$;

-- How many there are, but for those beyond at_most.
CREATE OR REPLACE FUNCTION count_combats(whose uuid, of_status text, of_mode text, at_most integer) RETURNS integer
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  newest bigint := 9223372036854775807;
  at timestamptz := clock_timestamp();
  steps bigint := (SELECT s.clock_steps FROM present_state() s);
BEGIN
  IF whose IS NOT NULL THEN
    RETURN (SELECT count(*) FROM select_combats(whose, of_status, of_mode, newest, at_most));
  END IF;
  -- In no order, so that it stops early.
  RETURN (SELECT count(*) FROM (SELECT FROM matches_of_status(of_status, of_mode, newest, at, steps) LIMIT at_most) c);
END
$$;

-- A page of them, newest first, and how many there are in all, but for those beyond `counted`. One row at least, which has the
-- count; number null: there is no match on the page.
CREATE OR REPLACE FUNCTION list_combats(
  whose uuid, of_status text, of_mode text, before bigint, at_most integer, counted integer
) RETURNS TABLE (total integer, number bigint, combat json)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
  RETURN QUERY
    SELECT c.total, page.number, page.combat FROM (SELECT count_combats(whose, of_status, of_mode, counted) AS total) c
    LEFT JOIN (
      SELECT s.number, view_combat(s, clock_timestamp()) AS combat
      FROM select_combats(whose, of_status, of_mode, before, at_most) n JOIN game_sessions s ON s.number = n) page ON true
    ORDER BY page.number DESC;
END
$$;
