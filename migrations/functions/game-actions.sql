-- Actions: each happens once, in the match's one order, with its effect and its event written together (game-combat.sql).

-- The state right after that action: what its first answer said. If it has decided the match, with the end.
CREATE OR REPLACE FUNCTION state_after(game game_sessions, event game_events, participants json) RETURNS json
LANGUAGE sql STABLE
AS $$
  SELECT CASE WHEN event.data ? 'decides'
    THEN combat_state(game, event.sequence + 1, 'finished', 0, participants)
    ELSE combat_state(game, event.sequence, 'active', (event.data ->> 'time_remaining')::integer, participants) END
$$;

-- The answer to an action that has happened before, as it was.
CREATE OR REPLACE FUNCTION repeat_action(game game_sessions, event game_events) RETURNS json
LANGUAGE sql STABLE
AS $$
  SELECT state_after(game, event, (
    SELECT json_agg(json_build_object('player_id', p.player_id, 'joined_at', p.joined_at, 'status', p.status, 'score', p.score,
                                      'health', p.health) ORDER BY p.place)
    FROM fold_participants(c, event.sequence) p))
  FROM game_combats c WHERE c.session = game.number
$$;

-- In how many milliseconds that player may do such a thing: the match has not begun, or the last one was too short ago. Null: at
-- once. Of a moment that is further away than it can be, the clock has been set back since.
CREATE OR REPLACE FUNCTION action_ready_in(game game_sessions, combat game_combats, actor game_participants, of_type text, at timestamptz)
RETURNS bigint
LANGUAGE sql STABLE
AS $$
  SELECT max(w.ms) FROM (
    SELECT combat.preparation_seconds * 1000 - game_duration_ms(game, at) WHERE combat.started_at IS NULL AND game.ended_at IS NULL
    UNION ALL
    SELECT ceil(extract(epoch FROM (actor.ready_at ->> of_type)::timestamptz - at) * 1000)::bigint) w (ms)
  WHERE w.ms > 0 AND (w.ms <= (combat.rules #>> ARRAY['cooldown_ms', of_type])::integer OR combat.started_at IS NULL)
$$;

-- Why an action is none; null: it is one.
CREATE OR REPLACE FUNCTION refuse_action(
  game game_sessions, by_player uuid, is_service boolean, player uuid, actor game_participants, ready_in_ms bigint,
  target uuid, aimed_at game_participants
) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE WHEN NOT is_service AND by_player IS DISTINCT FROM player THEN 'forbidden'
              WHEN actor.session IS NULL THEN 'not_participant'
              WHEN actor.status <> 'active' THEN 'not_active'
              WHEN ready_in_ms IS NOT NULL THEN 'cooldown'
              WHEN game.paused_at IS NOT NULL THEN 'paused'
              WHEN game.ended_at IS NOT NULL THEN 'session_over'
              WHEN target IS NOT NULL AND aimed_at.session IS NULL THEN 'unknown_target' END
$$;

-- Takes in an action, once by its id. Of what a service has reckoned itself (given_…) nothing is reckoned here. The order of the
-- refusals is the contract's; those of participants are counted.
-- outcome: happened | repeated | action_conflict | session_not_found | as of refuse_action
CREATE OR REPLACE FUNCTION act_in_combat(
  id uuid, by_player uuid, is_service boolean, player uuid, of_type text, target uuid, with_id uuid, hash bytea,
  with_data jsonb, given_damage integer, given_effects jsonb, given_eliminated boolean, given_score integer,
  OUT outcome text, OUT game game_sessions, OUT ready_in_ms bigint, OUT standing text, OUT event json, OUT state json
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  at timestamptz;
  combat game_combats;
  known game_events;
  actor game_participants;
  aimed_at game_participants;
BEGIN
  game := enter_game(id);
  at := clock_timestamp();
  IF game.max_duration_seconds IS NULL OR may_read_game(game, by_player, is_service) IS NOT TRUE THEN
    outcome := 'session_not_found';
    RETURN;
  END IF;
  game := note_game_call(game, at);
  SELECT c.* INTO combat FROM game_combats c WHERE c.session = game.number;
  SELECT p.* INTO actor FROM game_participants p WHERE p.session = game.number AND p.player_id = player;
  SELECT e.* INTO known FROM game_events e WHERE e.session = game.number AND e.action_id = with_id;
  IF known.request_hash = hash THEN
    outcome := 'repeated';
    event := json_build_object('sequence', known.sequence, 'at', known.at, 'data', known.data);
    state := repeat_action(game, known);
    RETURN;
  END IF;
  SELECT p.* INTO aimed_at FROM game_participants p WHERE p.session = game.number AND p.player_id = target;
  standing := actor.status;
  ready_in_ms := action_ready_in(game, combat, actor, of_type, at);
  outcome := CASE WHEN known.session IS NOT NULL THEN 'action_conflict'
                  ELSE refuse_action(game, by_player, is_service, player, actor, ready_in_ms, target, aimed_at) END;
  IF outcome IS NOT NULL THEN
    IF outcome NOT IN ('forbidden', 'not_participant') AND actor.session IS NOT NULL AND (is_service OR by_player = player) THEN
      UPDATE game_combats c SET refused_actions = c.refused_actions + 1 WHERE c.session = game.number;
    END IF;
    RETURN;
  END IF;
  outcome := 'happened';
  known := carry_out_action(
    game, combat, actor, aimed_at, of_type, at, with_id, hash, with_data, given_damage, given_effects, given_eliminated, given_score);
  IF known.data ? 'decides' THEN
    game := decide_combat(game, at);
  ELSE
    PERFORM pg_notify('keybeat_game', game.session_id::text);
  END IF;
  PERFORM limit_waiting();
  event := json_build_object('sequence', known.sequence, 'at', known.at, 'data', known.data);
  state := state_after(game, known, combat_participants(game.number));
END
$$;

-- What an action does, written with its event. Only who is active is hit; whose own action it is defends no more, unless by
-- it. The caller holds the session, and ends the match if the event says that it is decided.
CREATE OR REPLACE FUNCTION carry_out_action(
  game game_sessions, combat game_combats, actor game_participants, aimed_at game_participants, of_type text, at timestamptz,
  with_id uuid, hash bytea, with_data jsonb, given_damage integer, given_effects jsonb, given_eliminated boolean, given_score integer
) RETURNS game_events
LANGUAGE plpgsql
AS $$
DECLARE
  hits boolean := aimed_at.session IS NOT NULL AND aimed_at.status = 'active';
  defends boolean := hits AND aimed_at.defending AND aimed_at.player_id <> actor.player_id;
  damage integer := 0;
  gained integer;
  cooldown_ms integer := (combat.rules #>> ARRAY['cooldown_ms', of_type])::integer;
  health_left integer;
  falls boolean := false;
  event game_events;
BEGIN
  IF hits THEN
    damage := coalesce(given_damage, floor(coalesce((combat.rules #>> ARRAY['damage', of_type])::numeric, 0)
                                           * CASE WHEN defends THEN (combat.rules ->> 'defend_factor')::numeric ELSE 1 END)::integer);
    health_left := greatest(0, aimed_at.health - damage);
    falls := coalesce(given_eliminated, damage > 0 AND health_left = 0);
  END IF;
  gained := least(coalesce(given_score, (combat.rules #>> ARRAY['score', of_type])::integer, damage), 2147483647 - actor.score);
  UPDATE game_participants p
  SET score = p.score + gained, defending = of_type = 'defend',
      ready_at = CASE WHEN cooldown_ms > 0
                      THEN coalesce(p.ready_at, '{}') || jsonb_build_object(of_type, at + cooldown_ms * interval '1 ms') ELSE p.ready_at END
  WHERE p.session = actor.session AND p.player_id = actor.player_id;
  IF damage > 0 OR falls THEN
    UPDATE game_participants p SET health = health_left, status = CASE WHEN falls THEN 'eliminated' ELSE p.status END
    WHERE p.session = aimed_at.session AND p.player_id = aimed_at.player_id;
  END IF;
  UPDATE game_combats c
  SET last_sequence = c.last_sequence + 1, total_actions = c.total_actions + 1, total_damage = c.total_damage + damage,
      eliminations = c.eliminations + falls::integer
  WHERE c.session = game.number;
  INSERT INTO game_events (session, sequence, at, event, player_id, action_type, target_id, action_id, request_hash, data)
  VALUES (game.number, combat.last_sequence + 1, at, 'action', actor.player_id, of_type, aimed_at.player_id, with_id, hash,
          jsonb_strip_nulls(jsonb_build_object(
            'damage_dealt', damage, 'score', gained, 'effects', given_effects, 'health', health_left,
            'eliminated', nullif(falls, false), 'decides', CASE WHEN falls THEN (SELECT nullif(d.decided, false) FROM combat_decision(combat) d) END,
            'time_remaining', combat_remaining(game, at))) || with_data)
  RETURNING * INTO event;
  RETURN event;
END
$$;
