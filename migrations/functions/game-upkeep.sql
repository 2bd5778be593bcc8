-- What time brings: game sessions that end by themselves, are forgotten, and players who are erased (game.sql).

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
      -- Its silence at least a second away, or a session that lives by an outage of ours would be looked at again and again.
      game.not_over_before :=
        least(greatest(game_silent_until(game), clock_timestamp() + interval '1 second'), game_deadline(game));
      PERFORM keep_game_call(game);
    END IF;
  END LOOP;
END
$$;

-- After the silence was made shorter: takes the next so many numbers, and dates of them the sessions that live by the present silence,
-- or who asks for many would not see that they may be over. Returns whether there may be more.
CREATE OR REPLACE FUNCTION redate_games(at_most integer) RETURNS boolean
LANGUAGE plpgsql
SET lock_timeout = '2s'
SET enable_seqscan = off
SET enable_bitmapscan = off -- by the primary key, so that locks are taken in its order
SET jit = off
AS $$
DECLARE
  redated bigint := (SELECT s.redated_to FROM game_settings s);
  silence interval := game_silence();
  go_on_after bigint;
BEGIN
  IF redated IS NULL THEN
    RETURN false;
  END IF;
  UPDATE game_sessions s SET not_over_before = s.last_call + silence
  WHERE s.number > redated AND s.number <= redated + at_most AND s.ended_at IS NULL AND s.not_over_before > s.last_call + silence;
  go_on_after := (SELECT min(s.number) - 1 FROM game_sessions s WHERE s.number > redated + at_most);
  -- What was being made while it was lowered is found by going through all once more.
  UPDATE game_settings s
  SET redated_to = CASE WHEN go_on_after IS NULL AND s.lowered_at > clock_timestamp() - interval '10 seconds' THEN 0 ELSE go_on_after END
  WHERE s.redated_to = redated;
  RETURN go_on_after IS NOT NULL;
END
$$;

-- Forgets sessions that ended longer ago than the retention, and what belongs to them: so many, that at most about 20,000 rows go,
-- but one in any case. Returns how many.
CREATE OR REPLACE FUNCTION forget_games(retention_days integer, OUT forgotten integer)
LANGUAGE plpgsql
SET lock_timeout = '100ms'
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
  DELETE FROM game_idempotency_keys k WHERE (k.caller, k.key) IN (
    SELECT old.caller, old.key FROM game_idempotency_keys old
    WHERE old.created_at <= (SELECT clock_timestamp()) - interval '24 hours' LIMIT 10000 FOR UPDATE SKIP LOCKED);
  WITH old AS (
    SELECT s.number, sum(s.rows) OVER (ORDER BY s.ended_at, s.number) - s.rows AS before
    FROM (SELECT o.number, o.ended_at, o.last_entry + coalesce(c.last_sequence, 0) AS rows
          FROM game_sessions o LEFT JOIN game_combats c ON c.session = o.number
          WHERE o.ended_at < (SELECT retention_clock()) - make_interval(days => retention_days)
          ORDER BY o.ended_at LIMIT 1000 FOR UPDATE OF o SKIP LOCKED) s)
  DELETE FROM game_sessions s USING old WHERE s.number = old.number AND old.before < 20000;
  GET DIAGNOSTICS forgotten = ROW_COUNT;
END
$$;

-- Puts another id in the place of a player's wherever the JSON has it, in whatever case.
CREATE OR REPLACE FUNCTION rename_player(data jsonb, player uuid, stand_in uuid) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$ SELECT regexp_replace(data::text, player::text, stand_in::text, 'gi')::jsonb $$;

-- Takes a player out of a match that has others too: an id that means nobody stands in wherever the player's did, so that the
-- events still fold to the state; what the player said goes. The caller holds the session.
CREATE OR REPLACE FUNCTION make_player_nobody(game game_sessions, player uuid) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  nobody uuid := gen_random_uuid();
  is_creator boolean := game.player_id = player;
  written text := '%' || player::text || '%';
BEGIN
  UPDATE game_sessions s
  SET player_id = CASE WHEN is_creator THEN nobody ELSE s.player_id END,
      metadata = CASE WHEN NOT is_creator THEN rename_player(s.metadata, player, nobody) END,
      settings = rename_player(s.settings, player, nobody)
  WHERE s.number = game.number;
  UPDATE game_log_entries e
  SET data = rename_player(CASE WHEN is_creator THEN e.data - 'reason' ELSE e.data END, player, nobody)
  WHERE e.session = game.number AND (e.data::text ILIKE written OR (is_creator AND e.data ? 'reason'));
  UPDATE game_participants p SET player_id = nobody WHERE p.session = game.number AND p.player_id = player;
  UPDATE game_combats c
  SET founders = array_replace(c.founders, player, nobody), rules = rename_player(c.rules, player, nobody),
      winner = CASE WHEN c.winner = player THEN nobody ELSE c.winner END
  WHERE c.session = game.number;
  UPDATE game_events e
  SET player_id = CASE WHEN e.player_id = player THEN nobody ELSE e.player_id END,
      target_id = CASE WHEN e.target_id = player THEN nobody ELSE e.target_id END,
      request_hash = CASE WHEN e.player_id = player AND e.request_hash IS NOT NULL THEN '' ELSE e.request_hash END,
      data = rename_player(CASE WHEN e.player_id = player THEN e.data - 'parameters' ELSE e.data END, player, nobody)
  WHERE e.session = game.number AND (e.player_id = player OR e.target_id = player OR e.data::text ILIKE written);
END
$$;

-- Takes away all that is known of a player: sessions and matches of its own, its part in those of others, its keys, and what the
-- audit log says beyond who did what and when. known: whether there was anything. Of many sessions it may take longer than its
-- caller waits, and then goes on: only its waits for others are bounded.
CREATE OR REPLACE FUNCTION erase_player(player uuid, OUT known boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  games game_sessions[];
  game game_sessions;
  gone text[] := '{}';
BEGIN
  PERFORM limit_waiting();
  -- In one order, or two erasures with a match in common wait for each other.
  games := ARRAY(
    SELECT s FROM game_sessions s
    WHERE s.number IN (SELECT o.number FROM game_sessions o WHERE o.player_id = player
                       UNION SELECT p.session FROM game_participants p WHERE p.player_id = player)
    ORDER BY s.number FOR UPDATE);
  PERFORM limit_waiting();
  FOREACH game IN ARRAY games LOOP
    IF EXISTS (SELECT FROM game_participants p WHERE p.session = game.number AND p.player_id <> player) THEN
      game := enter_game(game.session_id);
      IF game.ended_at IS NULL THEN
        game := let_go(game, clock_timestamp(), ARRAY[player]);
      END IF;
      PERFORM make_player_nobody(game, player);
    ELSE
      DELETE FROM game_sessions s WHERE s.number = game.number;
      gone := gone || game.session_id::text;
    END IF;
    PERFORM pg_notify('keybeat_game', game.session_id::text);
  END LOOP;
  known := cardinality(games) > 0;
  DELETE FROM game_idempotency_keys k WHERE k.caller = player::text OR k.session_id = ANY (gone::uuid[]);
  known := known OR FOUND;
  UPDATE audit_log a SET details = NULL
  WHERE a.details->>'player_id' = player::text OR a.details->>'game_session_id' = ANY (gone);
  known := known OR FOUND;
END
$$;
