-- Matches: what a game session has beyond it where players fight in it, by the rules of game sessions (game.sql). And three more:
--
--   * What happens in a match is an event, written with its effect, its sequence under the session's lock: 1, 2, 3 … without a gap.
--   * The events say their effects as they were: folded they give the state (fold_combat), and nothing is reckoned again.
--   * Time that has come counts as come for whoever asks: preparation that is over is over, noted by whoever finds it so.
--
--   preparation ──► active ──► finished, from either

-- Adds an event to a match's one order. What changes the session's status writes one, and with it the status by which lists find the
-- match. The caller holds the session, and tells who watches (keep_game). Returns the event's sequence.
CREATE OR REPLACE FUNCTION write_combat_event(game game_sessions, at timestamptz, event text, player uuid, data jsonb) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
  place bigint;
BEGIN
  UPDATE game_combats c SET last_sequence = c.last_sequence + 1, status = game.status
  WHERE c.session = game.number RETURNING c.last_sequence INTO place;
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

-- When its preparation is over, or was. Null: it has ended before, or stands still before.
CREATE OR REPLACE FUNCTION combat_start(game game_sessions, combat game_combats) RETURNS timestamptz
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE
    WHEN combat.started_at IS NOT NULL THEN combat.started_at
    WHEN game.ended_at IS NULL AND game.paused_at IS NULL
    THEN game.created_at + make_interval(secs => combat.preparation_seconds + game.paused_ms / 1000.0) END
$$;

-- Whether its preparation is over without anybody having noted it.
CREATE OR REPLACE FUNCTION combat_starts(game game_sessions, at timestamptz) RETURNS boolean
LANGUAGE sql STABLE
AS $$
  SELECT game.max_duration_seconds IS NOT NULL AND game.ended_at IS NULL AND EXISTS (
    SELECT FROM game_combats c WHERE c.session = game.number AND c.started_at IS NULL AND combat_start(game, c) <= at)
$$;

-- Notes that its preparation is over, if it is at that moment. The caller holds the session.
CREATE OR REPLACE FUNCTION start_combat(game game_sessions, until timestamptz) RETURNS game_sessions
LANGUAGE plpgsql
AS $$
DECLARE
  at timestamptz;
BEGIN
  IF NOT combat_starts(game, until) THEN
    RETURN game;
  END IF;
  UPDATE game_combats c SET started_at = combat_start(game, c) WHERE c.session = game.number RETURNING c.started_at INTO at;
  PERFORM write_combat_event(game, at, 'started', NULL, (
    SELECT jsonb_build_object('participants', count(*))
    FROM game_participants p WHERE p.session = game.number AND p.status = 'active'));
  game := write_game_entry(game, at, 'started');
  PERFORM keep_game(game);
  RETURN game;
END
$$;

-- Whether it is decided: nobody is left, or of several who began it one, who has won; not where they play against the environment,
-- and not before it has begun.
CREATE OR REPLACE FUNCTION combat_decision(combat game_combats, OUT decided boolean, OUT winner uuid)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  remaining uuid[] := ARRAY(
    SELECT p.player_id FROM game_participants p WHERE p.session = combat.session AND p.status = 'active' LIMIT 2);
  began_as integer := cardinality(combat.founders);
BEGIN
  decided := cardinality(remaining) = 0;
  IF combat.started_at IS NULL OR combat.mode = 'pve' OR cardinality(remaining) <> 1 THEN
    RETURN;
  END IF;
  IF combat.preparation_seconds > 0 THEN
    began_as := (SELECT (e.data ->> 'participants')::integer FROM game_events e
                 WHERE e.session = combat.session AND e.event = 'started' ORDER BY e.sequence LIMIT 1);
  END IF;
  IF began_as > 1 THEN
    decided := true;
    winner := remaining[1];
  END IF;
END
$$;

-- Ends it if it is decided. The caller holds the session.
CREATE OR REPLACE FUNCTION decide_combat(game game_sessions, at timestamptz) RETURNS game_sessions
LANGUAGE plpgsql
AS $$
DECLARE
  decision record;
BEGIN
  SELECT d.* INTO decision FROM game_combats c, combat_decision(c) d WHERE c.session = game.number;
  IF NOT decision.decided THEN
    RETURN game;
  END IF;
  UPDATE game_combats c SET winner = decision.winner WHERE c.session = game.number;
  RETURN end_game(
    game, 'completed', 'decided', at, CASE WHEN decision.winner IS NULL THEN 'nobody is left' ELSE 'one is left' END);
END
$$;

-- Makes a match, from a request that has a key the first time only. outcome: created | repeated | idempotency_conflict
CREATE OR REPLACE FUNCTION create_combat(
  id uuid, player uuid, of_mode text, players uuid[], with_settings jsonb, max_duration integer, of_difficulty text,
  with_rules jsonb, is_open boolean, places integer, preparation integer, by_caller text, request_key text, hash bytea,
  OUT outcome text, OUT game game_sessions
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  taken record := take_game_key(by_caller, request_key, hash, id);
  at timestamptz;
BEGIN
  outcome := taken.outcome;
  game := taken.game;
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;
  PERFORM limit_waiting();
  at := clock_timestamp();
  game := insert_game(id, player, 'combat', NULL, with_settings, max_duration, at);
  INSERT INTO game_combats (session, mode, difficulty, rules, founders, open, max_participants, preparation_seconds, started_at)
  VALUES (game.number, of_mode, of_difficulty, with_rules, players, is_open, places, preparation, CASE preparation WHEN 0 THEN at END);
  INSERT INTO game_participants (session, player_id, place, joined_at, health)
  SELECT game.number, p.id, p.place, at, (with_rules ->> 'health')::integer
  FROM unnest(players) WITH ORDINALITY AS p (id, place);
  outcome := 'created';
  PERFORM limit_waiting();
END
$$;

-- How long it may still be played, in seconds, rounded up: stands still while it is paused, and is 0 once it is over.
CREATE OR REPLACE FUNCTION combat_remaining(game game_sessions, at timestamptz) RETURNS integer
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE WHEN game.ended_at IS NULL
              THEN greatest(0, ceil(game.max_duration_seconds - game_duration_ms(game, at) / 1000.0))::integer ELSE 0 END
$$;

-- Who takes part, in the order of joining.
CREATE OR REPLACE FUNCTION combat_participants(of_session bigint) RETURNS json
LANGUAGE sql STABLE
SET enable_seqscan = off -- a plan made while the tables were empty must not live on when they are large
AS $$
  SELECT json_agg(one) FROM (
    SELECT p.player_id, p.joined_at, p.status, p.score, p.health FROM game_participants p
    WHERE p.session = of_session ORDER BY p.place) one
$$;

-- A match as its reader sees it. The caller reads all of one moment.
CREATE OR REPLACE FUNCTION view_combat(game game_sessions, at timestamptz) RETURNS json
LANGUAGE sql STABLE
SET enable_seqscan = off
AS $$
  SELECT json_build_object(
    'session_id', game.session_id, 'mode', c.mode,
    'status', CASE WHEN game.status = 'active' AND (combat_start(game, c) <= at) IS NOT TRUE THEN 'initializing' ELSE game.status END,
    'participants', combat_participants(c.session), 'created_at', game.created_at,
    'started_at', CASE WHEN combat_start(game, c) <= at THEN combat_start(game, c) END, 'ended_at', game.ended_at,
    'settings', game.settings, 'version', game.version, 'duration_ms', game_duration_ms(game, at),
    'total_actions', c.total_actions, 'total_damage', c.total_damage, 'eliminations', c.eliminations, 'winner', c.winner)
  FROM game_combats c WHERE c.session = game.number
$$;

-- An event as it is told: what is absent is left out, but in the client's parameters nothing. A state is read often, and shows
-- parameters up to 1 KiB; the stream of events has all.
CREATE OR REPLACE FUNCTION combat_event_data(event game_events, whole boolean) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object(
           'player_id', event.player_id, 'action_type', event.action_type, 'target_id', event.target_id,
           'action_id', event.action_id))
         || CASE WHEN NOT whole AND octet_length((event.data -> 'parameters')::text) > 1024
                 THEN event.data - 'parameters' || '{"parameters_omitted": true}' ELSE event.data END
$$;

-- A match's state at the end of that sequence, of which the caller says what no event says.
CREATE OR REPLACE FUNCTION combat_state(game game_sessions, up_to bigint, phase text, remaining integer, participants json) RETURNS json
LANGUAGE sql STABLE
AS $$
  SELECT json_build_object(
    'session_id', game.session_id, 'phase', phase, 'time_remaining', remaining, 'participants', participants, 'last_sequence', up_to,
    'events', (
      SELECT json_agg(json_build_object('sequence', e.sequence, 'type', e.event, 'at', e.at, 'data', combat_event_data(e, false))
                      ORDER BY e.sequence)
      FROM game_events e WHERE e.session = game.number AND e.sequence > up_to - 50 AND e.sequence <= up_to))
$$;

-- A match's state now. The caller reads all of one moment.
CREATE OR REPLACE FUNCTION view_combat_state(game game_sessions, at timestamptz) RETURNS json
LANGUAGE sql STABLE
AS $$
  SELECT combat_state(
    game, c.last_sequence,
    CASE WHEN game.ended_at IS NOT NULL THEN 'finished' WHEN combat_start(game, c) <= at THEN 'active' ELSE 'preparation' END,
    combat_remaining(game, at), combat_participants(c.session))
  FROM game_combats c WHERE c.session = game.number
$$;

-- A match as it is to that reader: over, if its time is. To ask for it is a call for it (read_game). Null: there is none that
-- this reader sees. state: with its events, instead of its numbers.
CREATE OR REPLACE FUNCTION read_combat(id uuid, player uuid, is_service boolean, state boolean) RETURNS json
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  game game_sessions := read_game(id, player, is_service);
  at timestamptz := clock_timestamp();
BEGIN
  IF game.max_duration_seconds IS NULL THEN
    RETURN NULL;
  END IF;
  RETURN (
    SELECT CASE WHEN state THEN view_combat_state(s, at) ELSE view_combat(s, at) END
    FROM game_sessions s WHERE s.number = game.number);
END
$$;

-- Why a player may not come or go: session_not_found | forbidden | not_open | session_over; null: it may.
CREATE OR REPLACE FUNCTION refuse_passage(game game_sessions, by_player uuid, is_service boolean, players uuid[]) RETURNS text
LANGUAGE sql STABLE
AS $$
  SELECT CASE WHEN game.max_duration_seconds IS NULL OR may_read_game(game, by_player, is_service) IS NOT TRUE THEN 'session_not_found'
              WHEN NOT is_service AND players IS DISTINCT FROM ARRAY[by_player] THEN 'forbidden'
              WHEN NOT (SELECT c.open FROM game_combats c WHERE c.session = game.number) THEN 'not_open'
              WHEN game.ended_at IS NOT NULL THEN 'session_over' END
$$;

-- Keeps that players have come or gone, with an event for each. The caller holds the session.
CREATE OR REPLACE FUNCTION tell_passage(game game_sessions, at timestamptz, event text, players uuid[]) RETURNS game_sessions
LANGUAGE plpgsql
AS $$
DECLARE
  player uuid;
BEGIN
  FOREACH player IN ARRAY players LOOP
    PERFORM write_combat_event(game, at, event, player, '{}');
  END LOOP;
  IF cardinality(players) > 0 THEN
    game.version := game.version + 1;
    game.updated_at := at;
    game := write_game_entry(game, at, event, NULL, jsonb_build_object('player_ids', players));
  END IF;
  game := hear_game(game, at);
  PERFORM keep_game(game);
  RETURN game;
END
$$;

-- Players come, all of them or none. Who was there before has the health, the score and the place of before.
-- outcome: joined | full | not_active (eliminated) | as of refuse_passage
CREATE OR REPLACE FUNCTION join_combat(
  id uuid, by_player uuid, is_service boolean, players uuid[],
  OUT outcome text, OUT game game_sessions, OUT places_left integer, OUT combat json
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  at timestamptz;
  rules jsonb;
  known integer;
  back uuid[];
  new uuid[];
BEGIN
  game := enter_game(id);
  at := clock_timestamp();
  outcome := refuse_passage(game, by_player, is_service, players);
  IF outcome IS NULL OR outcome <> 'session_not_found' THEN
    game := note_game_call(game, at);
  END IF;
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;
  known := (SELECT count(*) FROM game_participants p WHERE p.session = game.number);
  SELECT c.rules, greatest(0, c.max_participants - known) INTO rules, places_left FROM game_combats c WHERE c.session = game.number;
  new := ARRAY(
    SELECT w.player FROM unnest(players) WITH ORDINALITY AS w (player, nth)
    WHERE NOT EXISTS (SELECT FROM game_participants p WHERE p.session = game.number AND p.player_id = w.player) ORDER BY w.nth);
  outcome := CASE
    WHEN EXISTS (
      SELECT FROM game_participants p
      WHERE p.session = game.number AND p.player_id = ANY (players) AND p.status = 'eliminated') THEN 'not_active'
    WHEN cardinality(new) > places_left THEN 'full' END;
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;
  outcome := 'joined';
  WITH returned AS (
    UPDATE game_participants p SET status = 'active'
    WHERE p.session = game.number AND p.player_id = ANY (players) AND p.status = 'disconnected' RETURNING p.player_id, p.place)
  SELECT array_agg(r.player_id ORDER BY r.place) INTO back FROM returned r;
  INSERT INTO game_participants (session, player_id, place, joined_at, health)
  SELECT game.number, n.player, known + n.nth, at, (rules ->> 'health')::integer FROM unnest(new) WITH ORDINALITY AS n (player, nth);
  game := tell_passage(game, at, 'joined', back || new);
  combat := view_combat(game, at);
END
$$;

-- Those of the players who are active go. Their places stay theirs; if nobody is left to go on with, the match ends. The caller
-- holds the session.
CREATE OR REPLACE FUNCTION let_go(game game_sessions, at timestamptz, players uuid[]) RETURNS game_sessions
LANGUAGE plpgsql
AS $$
DECLARE
  gone uuid[];
BEGIN
  WITH left_it AS (
    UPDATE game_participants p SET status = 'disconnected'
    WHERE p.session = game.number AND p.player_id = ANY (players) AND p.status = 'active' RETURNING p.player_id, p.place)
  SELECT coalesce(array_agg(l.player_id ORDER BY l.place), '{}') INTO gone FROM left_it l;
  game := tell_passage(game, at, 'left', gone);
  IF cardinality(gone) > 0 THEN
    game := decide_combat(game, at);
  END IF;
  RETURN game;
END
$$;

-- Players go, all of them or none. Who has gone stays so, also when that has ended the match: sent again it is the same.
-- outcome: left | not_participant | as of refuse_passage
CREATE OR REPLACE FUNCTION leave_combat(
  id uuid, by_player uuid, is_service boolean, players uuid[],
  OUT outcome text, OUT game game_sessions, OUT combat json
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  at timestamptz;
BEGIN
  game := enter_game(id);
  at := clock_timestamp();
  outcome := coalesce(refuse_passage(game, by_player, is_service, players), CASE WHEN cardinality(players) > (
    SELECT count(*) FROM game_participants p WHERE p.session = game.number AND p.player_id = ANY (players)) THEN 'not_participant' END);
  IF outcome = 'session_over' AND cardinality(players) = (
    SELECT count(*) FROM game_participants p
    WHERE p.session = game.number AND p.player_id = ANY (players) AND p.status = 'disconnected') THEN
    outcome := 'left';
    combat := view_combat(game, at);
    RETURN;
  END IF;
  IF outcome IS NULL OR outcome <> 'session_not_found' THEN
    game := note_game_call(game, at);
  END IF;
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;
  outcome := 'left';
  game := let_go(game, at, players);
  combat := view_combat(game, at);
END
$$;

-- Who takes part, as the events up to that one say.
CREATE OR REPLACE FUNCTION fold_participants(combat game_combats, up_to bigint)
RETURNS TABLE (player_id uuid, place bigint, joined_at timestamptz, status text, score bigint, health integer, defending boolean)
LANGUAGE sql STABLE
AS $$
  WITH told AS MATERIALIZED (
    SELECT e.* FROM game_events e WHERE e.session = combat.session AND e.sequence <= up_to
  ), who AS (
    SELECT f.player_id, f.place, (
             SELECT p.joined_at FROM game_participants p WHERE p.session = combat.session AND p.player_id = f.player_id) AS joined_at
    FROM unnest(combat.founders) WITH ORDINALITY AS f (player_id, place)
    UNION ALL
    SELECT j.player_id, cardinality(combat.founders) + row_number() OVER (ORDER BY min(j.sequence)),
           (array_agg(j.at ORDER BY j.sequence))[1]
    FROM told j WHERE j.event = 'joined' AND j.player_id <> ALL (combat.founders) GROUP BY j.player_id
  ), passages AS (
    SELECT t.player_id, (array_agg(t.event ORDER BY t.sequence DESC))[1] AS last
    FROM told t WHERE t.event IN ('joined', 'left') GROUP BY t.player_id
  ), deeds AS (
    SELECT t.player_id, sum((t.data ->> 'score')::bigint) AS score,
           (array_agg(t.action_type ORDER BY t.sequence DESC))[1] = 'defend' AS defending
    FROM told t WHERE t.event = 'action' GROUP BY t.player_id
  ), blows AS (
    SELECT t.target_id AS player_id, (array_agg((t.data ->> 'health')::integer ORDER BY t.sequence DESC))[1] AS health,
           bool_or(t.data ? 'eliminated') AS eliminated
    FROM told t WHERE t.data ? 'health' GROUP BY t.target_id
  )
  SELECT who.player_id, who.place, who.joined_at,
         CASE WHEN blows.eliminated THEN 'eliminated' WHEN passages.last = 'left' THEN 'disconnected' ELSE 'active' END,
         least(coalesce(deeds.score, 0), 2147483647), coalesce(blows.health, (combat.rules ->> 'health')::integer),
         coalesce(deeds.defending, false)
  FROM who LEFT JOIN passages USING (player_id) LEFT JOIN deeds USING (player_id) LEFT JOIN blows USING (player_id)
$$;

-- A match, as its events from the first on say: its end, its numbers, who takes part and how. Nothing else is read but what
-- it was made with. Null: there is no such match.
CREATE OR REPLACE FUNCTION fold_combat(id uuid) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
  SELECT (
    SELECT jsonb_build_object(
      'phase', CASE WHEN bool_or(e.event = 'ended') THEN 'finished'
                    WHEN c.preparation_seconds = 0 OR bool_or(e.event = 'started') THEN 'active' ELSE 'preparation' END,
      'paused', coalesce((array_agg(e.event ORDER BY e.sequence DESC) FILTER (WHERE e.event IN ('paused', 'resumed', 'ended')))[1] = 'paused', false),
      'last_sequence', coalesce(max(e.sequence), 0), 'total_actions', count(*) FILTER (WHERE e.event = 'action'),
      'total_damage', coalesce(sum((e.data ->> 'damage_dealt')::bigint), 0), 'eliminations', count(*) FILTER (WHERE e.data ? 'eliminated'),
      'winner', max(e.data ->> 'winner'))
    FROM game_events e WHERE e.session = c.session)
    || jsonb_build_object('participants', (
      SELECT jsonb_agg(to_jsonb(p) ORDER BY p.place) FROM fold_participants(c, c.last_sequence) p))
  FROM game_sessions s JOIN game_combats c ON c.session = s.number WHERE s.session_id = id
$$;
