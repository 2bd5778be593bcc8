-- How game sessions are read beyond their row (game.sql): what has happened in one, and lists of many, in which none is alive
-- whose time is over.

-- How many actions a minute, in hundredths.
CREATE OR REPLACE FUNCTION actions_per_minute(actions integer, ms bigint) RETURNS double precision
LANGUAGE sql IMMUTABLE
AS $$ SELECT coalesce(round(actions * 60000.0 / nullif(ms, 0), 2), 0)::double precision $$;

-- Of the log the newest before that entry, in their order.
CREATE OR REPLACE FUNCTION game_entries(game game_sessions, before bigint, at_most integer) RETURNS jsonb
LANGUAGE sql -- volatile: it sees what the reader of the row has just written
SET enable_seqscan = off -- a plan made while the tables were empty must not live on when they are large
SET jit = off
AS $$
  SELECT coalesce(jsonb_agg(to_jsonb(e) ORDER BY e.id), '[]') FROM (
    SELECT l.id, l.at, l.event, l.message, l.data FROM game_log_entries l
    WHERE l.session = game.number AND l.id <= game.last_entry AND l.id < before ORDER BY l.id DESC LIMIT at_most) e
$$;

-- What has happened in it: of a match by its events, of any other session by its log.
CREATE OR REPLACE FUNCTION game_stats(
  game game_sessions, OUT duration_ms bigint, OUT events integer, OUT errors integer, OUT per_minute double precision
)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  combat game_combats;
BEGIN
  SELECT c.* INTO combat FROM game_combats c WHERE c.session = game.number;
  duration_ms := game_duration_ms(game, clock_timestamp());
  events := coalesce(combat.last_sequence, game.last_entry);
  errors := coalesce(combat.refused_actions, 0);
  per_minute := actions_per_minute(coalesce(combat.total_actions, 0), duration_ms);
END
$$;

-- A session with the newest entries of its log (0: without) and what has happened in it (false: nulls).
CREATE OR REPLACE FUNCTION detail_game(
  game game_sessions, entries integer, with_stats boolean,
  OUT logs jsonb, OUT duration_ms bigint, OUT events integer, OUT errors integer, OUT per_minute double precision
)
LANGUAGE plpgsql -- volatile, as game_entries
AS $$
BEGIN
  IF entries > 0 THEN
    logs := game_entries(game, 2147483648, entries);
  END IF;
  IF with_stats THEN
    SELECT s.* INTO duration_ms, events, errors, per_minute FROM game_stats(game) s;
  END IF;
END
$$;

-- The session as whoever enters it would find it, by looking alone.
CREATE OR REPLACE FUNCTION present_game(game game_sessions, at timestamptz) RETURNS game_sessions
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  over record := game_overdue(game, at);
BEGIN
  RETURN CASE WHEN over.reason IS NULL THEN game
              ELSE ended_game(game, game_end_status(over.reason), over.reason, over.since) END;
END
$$;

-- The session as it is to an operator, whose looking is no call for it. Nulls: there is none.
CREATE OR REPLACE FUNCTION look_at_game(id uuid) RETURNS game_sessions
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  game game_sessions;
BEGIN
  SELECT s.* INTO game FROM game_sessions s WHERE s.session_id = id;
  IF (SELECT o.reason FROM game_overdue(game, clock_timestamp()) o) IS NOT NULL THEN
    game := enter_game(id);
  END IF;
  RETURN game;
END
$$;

-- Those that may be over, each found by an index; steps: the present jumps of the clock.
CREATE OR REPLACE FUNCTION doubtful_games(at timestamptz, steps bigint) RETURNS SETOF game_sessions
LANGUAGE sql STABLE
AS $$
  -- In the order of its index each: a plan made while there were few would go through all that live by the other's.
  (SELECT s.* FROM game_sessions s WHERE s.ended_at IS NULL AND s.not_over_before <= at ORDER BY s.not_over_before OFFSET 0)
  UNION ALL
  SELECT s.* FROM (
    SELECT g.* FROM game_sessions g WHERE g.ended_at IS NULL AND g.clock_steps < steps ORDER BY g.clock_steps OFFSET 0) s
  WHERE s.not_over_before > at
$$;

-- Whether it has one of those statuses, also where its time is over and nobody has ended it. steps: the present jumps of the
-- clock. Only of one that may be over the rules are asked.
CREATE OR REPLACE FUNCTION is_game_in(game game_sessions, statuses text[], at timestamptz, steps bigint) RETURNS boolean
LANGUAGE sql STABLE
AS $$
  SELECT game.status = ANY (statuses)
    AND (game.ended_at IS NOT NULL OR (game.not_over_before > at AND game.clock_steps = steps)
         OR (present_game(game, at)).status = ANY (statuses))
$$;

-- The newest sessions before that one, by their numbers, in no order: of a player (whose: who made them or takes part in them; maker:
-- who made them), or of all. So many at least, if there are; of each of several sources no more. Of types and statuses there is one
-- each, or all. The caller has settled what is due: what is over and not yet ended is left out where it does not fit, and not added
-- where it does.
CREATE OR REPLACE FUNCTION select_games(
  whose uuid, types text[], statuses text[], maker uuid, before bigint, at_most integer
) RETURNS SETOF bigint
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
  one_type text;
  one_status text;
BEGIN
  -- Each by ranges and in the order of the columns of one index: with `=` the planner may take the order from the primary key, and
  -- look through all sessions for the few that fit.
  IF whose IS NOT NULL OR maker IS NOT NULL THEN
    RETURN QUERY
      SELECT s.number FROM game_sessions s
      WHERE s.player_id >= coalesce(whose, maker) AND (s.player_id, s.number) < (coalesce(whose, maker), before)
        AND s.type = ANY (types) AND (maker IS NULL OR s.player_id = maker) AND is_game_in(s, statuses, at, steps)
      ORDER BY s.player_id DESC, s.number DESC LIMIT at_most;
    RETURN QUERY
      SELECT p.session FROM game_participants p,
        LATERAL (SELECT g.* FROM game_sessions g WHERE g.number = p.session OFFSET 0) s
      WHERE p.player_id >= whose AND (p.player_id, p.session) < (whose, before) AND s.player_id <> whose AND s.type = ANY (types)
        AND (maker IS NULL OR s.player_id = maker) AND is_game_in(s, statuses, at, steps)
      ORDER BY p.player_id DESC, p.session DESC LIMIT at_most;
    RETURN;
  END IF;
  IF least(cardinality(types), cardinality(statuses)) > 1 THEN
    RETURN QUERY SELECT s.number FROM game_sessions s WHERE s.number < before ORDER BY s.number DESC LIMIT at_most;
    RETURN;
  END IF;
  FOREACH one_type IN ARRAY types LOOP
    FOREACH one_status IN ARRAY statuses LOOP
      RETURN QUERY
        SELECT s.number FROM game_sessions s
        WHERE (s.type, s.status) >= (one_type, one_status) AND (s.type, s.status, s.number) < (one_type, one_status, before)
          AND is_game_in(s, statuses, at, steps)
        ORDER BY s.type DESC, s.status DESC, s.number DESC LIMIT at_most;
    END LOOP;
  END LOOP;
END
$$;

-- How many such sessions there are, but for those beyond at_most.
CREATE OR REPLACE FUNCTION count_games(whose uuid, types text[], statuses text[], maker uuid, at_most integer) RETURNS integer
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
DECLARE
  at timestamptz := clock_timestamp();
  steps bigint := (SELECT s.clock_steps FROM present_state() s);
  newest bigint := 9223372036854775807;
  one_type text;
  one_status text;
  total integer := 0;
  more integer;
BEGIN
  IF whose IS NOT NULL OR maker IS NOT NULL THEN
    RETURN (SELECT least(at_most, count(*)) FROM select_games(whose, types, statuses, maker, newest, at_most));
  END IF;
  -- By an index alone, however many there are; then those that are over go, which are few.
  IF least(cardinality(types), cardinality(statuses)) > 1 THEN
    RETURN (SELECT count(*) FROM (SELECT FROM game_sessions s ORDER BY s.number DESC LIMIT at_most) c);
  END IF;
  FOREACH one_type IN ARRAY types LOOP
    FOREACH one_status IN ARRAY statuses LOOP
      SELECT count(*) INTO more FROM (
        SELECT FROM game_sessions s WHERE s.type = one_type AND s.status = one_status LIMIT at_most - total) c;
      total := total + more;
    END LOOP;
  END LOOP;
  IF total < at_most THEN
    total := total - (SELECT count(*) FROM doubtful_games(at, steps) s
                      WHERE s.type = ANY (types) AND s.status = ANY (statuses) AND (present_game(s, at)).status <> ALL (statuses));
  END IF;
  RETURN total;
END
$$;

-- A page of them, newest first, and how many there are in all. One row at least, which has the count; number null: there is no
-- session on the page.
CREATE OR REPLACE FUNCTION list_games(
  whose uuid, types text[], statuses text[], maker uuid, before bigint, at_most integer, counted integer
) RETURNS TABLE (total integer, game game_sessions)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  at timestamptz := clock_timestamp();
  steps bigint := (SELECT s.clock_steps FROM present_state() s);
  page bigint[] := ARRAY(
    SELECT n FROM select_games(whose, types, statuses, maker, before, at_most) n ORDER BY n DESC LIMIT at_most);
BEGIN
  total := count_games(whose, types, statuses, maker, counted);
  IF cardinality(page) = 0 THEN
    RETURN NEXT;
  END IF;
  FOR game IN SELECT s.* FROM game_sessions s WHERE s.number = ANY (page) ORDER BY s.number DESC LOOP
    IF game.ended_at IS NULL AND (game.not_over_before <= at OR game.clock_steps <> steps) THEN
      game := present_game(game, at);
    END IF;
    RETURN NEXT;
  END LOOP;
END
$$;
