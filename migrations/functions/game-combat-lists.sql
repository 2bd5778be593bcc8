-- Lists of matches (game-combat.sql), by the indexes of game_combats: none is alive whose time is over. The callers have settled
-- what is due: what is over and has not been ended yet is left out. steps: the present jumps of the clock.

-- The newest matches before that one in which a player may have a part and that not everybody may join, by their numbers, in no
-- order: of each source so many at most.
CREATE OR REPLACE FUNCTION select_own_matches(
  whose uuid, of_status text, modes text[], before bigint, at_most integer, at timestamptz, steps bigint
) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE
SET enable_seqscan = off -- each by ranges and in the order of the columns of one index, and no further, as select_games
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_sort = off
SET jit = off
AS $$
BEGIN
  RETURN QUERY
    SELECT s.number FROM game_sessions s,
      LATERAL (SELECT m.mode, m.open FROM game_combats m WHERE m.session = s.number OFFSET 0) c
    WHERE s.player_id >= whose AND (s.player_id, s.number) < (whose, before) AND s.max_duration_seconds IS NOT NULL
      AND is_game_in(s, ARRAY[of_status], at, steps) AND c.mode = ANY (modes) AND NOT c.open
    ORDER BY s.player_id DESC, s.number DESC LIMIT at_most;
  RETURN QUERY
    SELECT p.session FROM game_participants p,
      LATERAL (SELECT g.* FROM game_sessions g WHERE g.number = p.session OFFSET 0) s,
      LATERAL (SELECT m.mode, m.open FROM game_combats m WHERE m.session = p.session OFFSET 0) c
    WHERE p.player_id >= whose AND (p.player_id, p.session) < (whose, before) AND s.player_id <> whose
      AND is_game_in(s, ARRAY[of_status], at, steps) AND c.mode = ANY (modes) AND NOT c.open
    ORDER BY p.player_id DESC, p.session DESC LIMIT at_most;
END
$$;

-- The newest matches before that one, by their numbers, in no order: of a player (whose) those that it made, takes part in, or could
-- join; null: all. So many at least, if there are. An active one may still be prepared.
CREATE OR REPLACE FUNCTION select_matches(whose uuid, of_status text, modes text[], before bigint, at_most integer)
RETURNS SETOF bigint
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_sort = off
SET jit = off
AS $$
DECLARE
  at timestamptz := clock_timestamp();
  steps bigint := (SELECT s.clock_steps FROM present_state() s);
  one_mode text;
BEGIN
  IF of_status = 'initializing' THEN
    RETURN QUERY
      SELECT c.session FROM game_combats c,
        LATERAL (SELECT g.* FROM game_sessions g WHERE g.number = c.session OFFSET 0) s
      WHERE c.started_at IS NULL AND c.status = 'active' AND c.session < before AND c.mode = ANY (modes)
        AND (combat_start(s, c) <= at) IS NOT TRUE AND is_game_in(s, '{active}', at, steps)
        AND may_read_game(s, whose, whose IS NULL)
      ORDER BY c.session DESC LIMIT at_most;
    RETURN;
  END IF;
  FOREACH one_mode IN ARRAY modes LOOP
    IF whose IS NULL THEN
      RETURN QUERY
        SELECT c.session FROM game_combats c,
          LATERAL (SELECT g.* FROM game_sessions g WHERE g.number = c.session OFFSET 0) s
        WHERE (c.mode, c.status) >= (one_mode, of_status) AND (c.mode, c.status, c.session) < (one_mode, of_status, before)
          AND is_game_in(s, ARRAY[of_status], at, steps)
        ORDER BY c.mode DESC, c.status DESC, c.session DESC LIMIT at_most;
    ELSE
      RETURN QUERY
        SELECT c.session FROM game_combats c,
          LATERAL (SELECT g.* FROM game_sessions g WHERE g.number = c.session OFFSET 0) s
        WHERE c.open AND (c.mode, c.status) >= (one_mode, of_status)
          AND (c.mode, c.status, c.session) < (one_mode, of_status, before) AND is_game_in(s, ARRAY[of_status], at, steps)
        ORDER BY c.mode DESC, c.status DESC, c.session DESC LIMIT at_most;
    END IF;
  END LOOP;
  RETURN QUERY
    SELECT n FROM select_own_matches(whose, of_status, modes, before, at_most, at, steps) n WHERE whose IS NOT NULL;
END
$$;

-- How many there are, but for those beyond at_most.
CREATE OR REPLACE FUNCTION count_matches(whose uuid, of_status text, modes text[], at_most integer) RETURNS integer
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
DECLARE
  at timestamptz := clock_timestamp();
  steps bigint := (SELECT s.clock_steps FROM present_state() s);
  newest bigint := 9223372036854775807;
  one_mode text;
  total integer := 0;
  more integer;
BEGIN
  IF of_status = 'initializing' THEN
    RETURN (SELECT count(*) FROM select_matches(whose, of_status, modes, newest, at_most));
  END IF;
  -- By an index alone, however many there are; then those that are over go, which are few.
  FOREACH one_mode IN ARRAY modes LOOP
    IF whose IS NULL THEN
      SELECT count(*) INTO more FROM (
        SELECT FROM game_combats c WHERE c.mode = one_mode AND c.status = of_status LIMIT at_most - total) c;
    ELSE
      SELECT count(*) INTO more FROM (
        SELECT FROM game_combats c WHERE c.open AND c.mode = one_mode AND c.status = of_status LIMIT at_most - total) c;
    END IF;
    total := total + more;
  END LOOP;
  IF total < at_most THEN
    -- The few sessions first: a plan made while there were few matches would look at every match.
    total := total - (SELECT count(*) FROM doubtful_games(at, steps) s,
                        LATERAL (SELECT c.mode, c.status, c.open FROM game_combats c WHERE c.session = s.number OFFSET 0) c
                      WHERE c.mode = ANY (modes) AND c.status = of_status AND (whose IS NULL OR c.open)
                        AND (present_game(s, at)).status <> of_status);
  END IF;
  RETURN CASE WHEN whose IS NULL THEN total
              ELSE least(at_most, total + (SELECT count(*) FROM select_own_matches(
                     whose, of_status, modes, newest, at_most - total, at, steps))) END;
END
$$;

-- A page of them, newest first, and how many there are in all, but for those beyond `counted`. One row at least, which has the
-- count; number null: there is no match on the page.
CREATE OR REPLACE FUNCTION list_matches(
  whose uuid, of_status text, modes text[], before bigint, at_most integer, counted integer
) RETURNS TABLE (total integer, number bigint, combat json)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  page bigint[] := ARRAY(SELECT n FROM select_matches(whose, of_status, modes, before, at_most) n ORDER BY n DESC LIMIT at_most);
BEGIN
  total := count_matches(whose, of_status, modes, counted);
  IF cardinality(page) = 0 THEN
    RETURN NEXT;
  END IF;
  RETURN QUERY
    SELECT list_matches.total, s.number, view_combat(s, clock_timestamp()) FROM game_sessions s
    WHERE s.number = ANY (page) ORDER BY s.number DESC;
END
$$;
