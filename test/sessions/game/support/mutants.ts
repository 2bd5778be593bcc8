/** Faults of matches and sessions that the random stories must find: of every rule of migrations/functions/game*.sql one or more. */
import { BODY, type FunctionMutant } from "../../../support/mutants.ts";
import { CHANGE_MUTANTS } from "./mutants-of-changes.ts";

export const MUTANTS: FunctionMutant[] = [
  ...CHANGE_MUTANTS,
  // What an action does.
  {
    name: "who is out is hit again",
    fn: "carry_out_action",
    swaps: [[" AND aimed_at.status = 'active'", ""]],
  },
  {
    name: "a defender is hit as hard as others",
    fn: "carry_out_action",
    swaps: [["CASE WHEN defends THEN (combat.rules ->> 'defend_factor')::numeric ELSE 1 END", "1"]],
  },
  {
    name: "who defends is shielded against itself",
    fn: "carry_out_action",
    swaps: [[" AND aimed_at.player_id <> actor.player_id", ""]],
  },
  {
    name: "who has defended once defends for ever",
    fn: "carry_out_action",
    swaps: [["defending = of_type = 'defend'", "defending = p.defending OR of_type = 'defend'"]],
  },
  { name: "damage is rounded up", fn: "carry_out_action", swaps: [["floor(", "ceil("]] },
  {
    name: "damage takes more health than there is",
    fn: "carry_out_action",
    swaps: [["greatest(0, aimed_at.health - damage)", "aimed_at.health - damage"]],
    also: "ALTER TABLE game_participants DROP CONSTRAINT game_participants_health",
  },
  {
    name: "a service's damage is not believed",
    fn: "carry_out_action",
    swaps: [["coalesce(given_damage, floor(", "coalesce(NULL::integer, floor("]],
  },
  {
    name: "a service's word that somebody stands is not believed",
    fn: "carry_out_action",
    swaps: [
      [
        "coalesce(given_eliminated, damage > 0 AND health_left = 0)",
        "coalesce(given_eliminated, false) OR (damage > 0 AND health_left = 0)",
      ],
    ],
  },
  {
    name: "nobody falls by a service's word",
    fn: "carry_out_action",
    swaps: [["coalesce(given_eliminated, damage", "(damage"]],
  },
  {
    name: "a service's score is not believed",
    fn: "carry_out_action",
    swaps: [["coalesce(given_score, ", "coalesce(NULL::integer, "]],
  },
  {
    name: "the rules' score is forgotten",
    fn: "carry_out_action",
    swaps: [["(combat.rules #>> ARRAY['score', of_type])::integer, damage)", "damage)"]],
  },
  {
    name: "a score is set, not added",
    fn: "carry_out_action",
    swaps: [["score = p.score + gained", "score = gained"]],
  },
  {
    name: "an elimination is not counted",
    fn: "carry_out_action",
    swaps: [["c.eliminations + falls::integer", "c.eliminations"]],
  },
  { name: "damage is not summed up", fn: "carry_out_action", swaps: [["c.total_damage + damage", "c.total_damage"]] },
  {
    name: "the fallen still stand in the rows",
    fn: "carry_out_action",
    swaps: [["CASE WHEN falls THEN 'eliminated' ELSE p.status END", "p.status"]],
  },
  {
    name: "health is not kept",
    fn: "carry_out_action",
    swaps: [["SET health = health_left,", "SET health = p.health,"]],
  },
  {
    name: "a cooldown is not kept",
    fn: "carry_out_action",
    swaps: [["CASE WHEN cooldown_ms > 0", "CASE WHEN false"]],
  },
  {
    name: "one cooldown forgets the other",
    fn: "carry_out_action",
    swaps: [["coalesce(p.ready_at, '{}') || jsonb_build_object", "'{}' || jsonb_build_object"]],
  },
  {
    name: "an event does not say what it left of the target",
    fn: "carry_out_action",
    swaps: [["'health', health_left,", ""]],
  },
  {
    name: "an event does not say who has fallen",
    fn: "carry_out_action",
    swaps: [["'eliminated', nullif(falls, false),", ""]],
  },
  {
    name: "a client's null in its parameters is dropped",
    fn: "carry_out_action",
    swaps: [["|| with_data)", "|| jsonb_strip_nulls(with_data))"]],
  },
  {
    name: "a blow that decides ends nothing",
    fn: "act_in_combat",
    swaps: [["IF known.data ? 'decides' THEN", "IF false THEN"]],
  },
  // Once each.
  {
    name: "an action that is sent again gets the state as it is now",
    fn: "repeat_action",
    swaps: [["fold_participants(c, event.sequence)", "fold_participants(c, c.last_sequence)"]],
  },
  {
    name: "a decisive action that is sent again forgets the end",
    fn: "state_after",
    swaps: [["event.data ? 'decides'", "false"]],
  },
  {
    name: "another action with a known id is answered with the first",
    fn: "act_in_combat",
    swaps: [["IF known.request_hash = hash THEN", "IF known.session IS NOT NULL THEN"]],
  },
  {
    name: "after the end no answer is repeated",
    fn: "act_in_combat",
    swaps: [["IF known.request_hash = hash THEN", "IF known.request_hash = hash AND game.ended_at IS NULL THEN"]],
  },
  // Refusals.
  {
    name: "players act in each other's name",
    fn: "refuse_action",
    swaps: [["WHEN NOT is_service AND by_player", "WHEN false AND by_player"]],
  },
  {
    name: "a service acts for nobody",
    fn: "refuse_action",
    swaps: [["WHEN NOT is_service AND by_player", "WHEN by_player"]],
  },
  { name: "the fallen act", fn: "refuse_action", swaps: [["WHEN actor.status <> 'active' THEN 'not_active'", ""]] },
  {
    name: "who has left acts",
    fn: "refuse_action",
    swaps: [["actor.status <> 'active'", "actor.status = 'eliminated'"]],
  },
  { name: "nobody has to wait", fn: "refuse_action", swaps: [["WHEN ready_in_ms IS NOT NULL THEN 'cooldown'", ""]] },
  {
    name: "a paused match goes on",
    fn: "refuse_action",
    swaps: [["WHEN game.paused_at IS NOT NULL THEN 'paused'", ""]],
  },
  { name: "the ended go on", fn: "refuse_action", swaps: [["WHEN game.ended_at IS NOT NULL THEN 'session_over'", ""]] },
  {
    name: "whom nobody knows is a target",
    fn: "refuse_action",
    swaps: [["WHEN target IS NOT NULL AND aimed_at.session IS NULL THEN 'unknown_target'", ""]],
  },
  {
    name: "a pause is told before a cooldown",
    fn: "refuse_action",
    swaps: [
      [
        "WHEN ready_in_ms IS NOT NULL THEN 'cooldown'",
        "WHEN game.paused_at IS NOT NULL THEN 'paused' WHEN ready_in_ms IS NOT NULL THEN 'cooldown'",
      ],
    ],
  },
  {
    name: "refusals are not counted",
    fn: "act_in_combat",
    swaps: [["refused_actions = c.refused_actions + 1", "refused_actions = c.refused_actions"]],
  },
  {
    name: "refusals of strangers are counted",
    fn: "act_in_combat",
    swaps: [
      [
        "outcome NOT IN ('forbidden', 'not_participant') AND actor.session IS NOT NULL AND (is_service OR by_player = player)",
        "true",
      ],
    ],
  },
  {
    name: "who does not see a match acts in it",
    fn: "act_in_combat",
    swaps: [["OR may_read_game(game, by_player, is_service) IS NOT TRUE", ""]],
  },
  {
    name: "a refused action is no call for the match",
    fn: "act_in_combat",
    swaps: [
      ["game := note_game_call(game, at);", ""],
      ["outcome := 'happened';", "outcome := 'happened'; game := note_game_call(game, at);"],
    ],
  },
  {
    name: "before it begins there is no waiting",
    fn: "action_ready_in",
    swaps: [["WHERE combat.started_at IS NULL AND game.ended_at IS NULL", "WHERE false"]],
  },
  {
    name: "a cooldown of one type holds for all",
    fn: "action_ready_in",
    swaps: [
      [
        "(actor.ready_at ->> of_type)::timestamptz",
        "(SELECT max(r.value)::timestamptz FROM jsonb_each_text(actor.ready_at) r)",
      ],
      ["w.ms <= (combat.rules #>> ARRAY['cooldown_ms', of_type])::integer", "true"],
    ],
  },
  // Who comes and goes.
  {
    name: "players move each other",
    fn: "refuse_passage",
    swaps: [["WHEN NOT is_service AND players", "WHEN false AND players"]],
  },
  {
    name: "a closed match is open",
    fn: "refuse_passage",
    swaps: [[/WHEN NOT \(SELECT c\.open.*THEN 'not_open'/, ""]],
  },
  {
    name: "the ended are joined",
    fn: "refuse_passage",
    swaps: [["WHEN game.ended_at IS NOT NULL THEN 'session_over'", ""]],
  },
  {
    name: "there is always a place",
    fn: "join_combat",
    swaps: [["WHEN cardinality(new) > places_left THEN 'full'", ""]],
  },
  {
    name: "one more has a place",
    fn: "join_combat",
    swaps: [["cardinality(new) > places_left", "cardinality(new) > places_left + 1"]],
  },
  {
    name: "who has left gives the place away",
    fn: "join_combat",
    swaps: [
      [
        "c.max_participants - known)",
        "c.max_participants - (SELECT count(*)::integer FROM game_participants p WHERE p.session = game.number AND p.status = 'active'))",
      ],
    ],
  },
  {
    name: "the fallen come back",
    fn: "join_combat",
    swaps: [
      ["p.player_id = ANY (players) AND p.status = 'eliminated') THEN 'not_active'", "false) THEN 'not_active'"],
      ["p.status = 'disconnected' RETURNING", "p.status <> 'active' RETURNING"],
    ],
  },
  {
    name: "who comes back is unhurt",
    fn: "join_combat",
    swaps: [["SET status = 'active'", "SET status = 'active', health = (rules ->> 'health')::integer"]],
  },
  {
    name: "who comes back has no score",
    fn: "join_combat",
    swaps: [["SET status = 'active'", "SET status = 'active', score = 0"]],
  },
  {
    name: "who was there joins again",
    fn: "join_combat",
    swaps: [
      ["game := tell_passage(game, at, 'joined', back || new);", "game := tell_passage(game, at, 'joined', players);"],
    ],
  },
  {
    name: "who is no participant leaves",
    fn: "leave_combat",
    swaps: [["THEN 'not_participant' END", "THEN NULL END"]],
  },
  {
    name: "the fallen are disconnected when they leave",
    fn: "let_go",
    swaps: [["AND p.status = 'active' RETURNING", "RETURNING"]],
  },
  { name: "who leaves decides nothing", fn: "let_go", swaps: [["game := decide_combat(game, at);", ""]] },
  { name: "a passage is no change", fn: "tell_passage", swaps: [["game.version := game.version + 1;", ""]] },
  {
    name: "a passage is not told",
    fn: "tell_passage",
    swaps: [["PERFORM write_combat_event(game, at, event, player, '{}');", ""]],
  },
  // How it ends.
  {
    name: "against the environment the last one wins",
    fn: "combat_decision",
    swaps: [["OR combat.mode = 'pve' ", ""]],
  },
  { name: "who began alone wins at once", fn: "combat_decision", swaps: [["IF began_as > 1 THEN", "IF true THEN"]] },
  {
    name: "who joined before it began does not count",
    fn: "combat_decision",
    swaps: [["IF combat.preparation_seconds > 0 THEN", "IF false THEN"]],
  },
  {
    name: "an empty match goes on",
    fn: "combat_decision",
    swaps: [["decided := cardinality(remaining) = 0;", "decided := false;"]],
  },
  { name: "nobody wins", fn: "combat_decision", swaps: [["winner := remaining[1];", ""]] },
  { name: "an end is not told", fn: "tell_combat_end", swaps: [[BODY, "AS $$ BEGIN END $$"]] },
  { name: "an end does not say who has won", fn: "tell_combat_end", swaps: [[", 'winner', c.winner", ""]] },
  // What time brings.
  { name: "a preparation never ends", fn: "combat_starts", swaps: [["combat_start(game, c) <= at", "false"]] },
  {
    name: "a preparation goes on while the match is paused",
    fn: "combat_start",
    swaps: [["+ game.paused_ms / 1000.0", ""]],
  },
  { name: "a beginning is not told", fn: "start_combat", swaps: [[/PERFORM write_combat_event[^;]*;/, ""]] },
  {
    name: "a beginning counts who has left",
    fn: "start_combat",
    swaps: [[" AND p.status = 'active'", ""]],
  },
  {
    name: "an end by time forgets the beginning before it",
    fn: "settle_game",
    swaps: [
      [
        /game := start_combat\(game, [^;]*;/,
        "IF over.reason IS NULL THEN game := start_combat(game, clock_timestamp()); END IF;",
      ],
    ],
  },
  {
    name: "a match has no end by time",
    fn: "game_overdue",
    swaps: [["IF deadline <= least(at, since) THEN", "IF false THEN"]],
  },
  {
    name: "nobody falls silent",
    fn: "game_overdue",
    swaps: [["game_silence()) THEN", "game_silence()) AND false THEN"]],
  },
  { name: "a paused match runs out", fn: "game_deadline", swaps: [["WHERE game.paused_at IS NULL", ""]] },
  {
    name: "pauses count as play",
    fn: "game_deadline",
    swaps: [["game.max_duration_seconds + game.paused_ms / 1000.0", "game.max_duration_seconds"]],
  },
  {
    name: "sessions live for two seconds less",
    fn: "game_silence",
    swaps: [["secs => s.silence_seconds", "secs => s.silence_seconds - 2"]],
  },
  {
    name: "sessions live for two seconds more",
    fn: "game_silence",
    swaps: [["secs => s.silence_seconds", "secs => s.silence_seconds + 2"]],
  },
  {
    name: "silence completes",
    fn: "game_end_status",
    swaps: [["WHEN 'silence' THEN 'terminated' ELSE", "WHEN 'silence' THEN 'completed' ELSE"]],
  },
  {
    name: "the time that is left runs while it is paused",
    fn: "game_duration_ms",
    swaps: [["game.paused_at, at", "at"]],
  },
  {
    name: "the time that is left goes on after the end",
    fn: "combat_remaining",
    swaps: [["CASE WHEN game.ended_at IS NULL", "CASE WHEN true"]],
  },
  { name: "to read is no call", fn: "read_game", swaps: [["game := hear_game(game, clock_timestamp());", ""]] },
  {
    name: "a call finds a session live whose time is over",
    fn: "enter_game",
    swaps: [["RETURN settle_game(game);", "RETURN game;"]],
  },
  { name: "the cleanup ends none", fn: "settle_games", swaps: [["s.not_over_before <= at", "false"]] },
  // Who sees what.
  {
    name: "everybody sees every session",
    fn: "may_read_game",
    swaps: [["is_service OR game.player_id = player", "true OR game.player_id = player"]],
  },
  { name: "participants do not see their match", fn: "may_read_game", swaps: [["p.player_id = player)", "false)"]] },
  {
    name: "an open match is seen by its own alone",
    fn: "may_read_game",
    swaps: [["c.session = game.number AND c.open", "false"]],
  },
  // Lists.
  {
    name: "a list has what is prepared under its own word alone",
    fn: "select_matches",
    swaps: [
      [
        /is_game_in\(s, ARRAY\[of_status\], at, steps\)/g,
        "is_game_in(s, ARRAY[of_status], at, steps) AND (of_status <> 'active' OR combat_start(s, c) <= at)",
      ],
    ],
  },
  {
    name: "a list of what is prepared has what has begun",
    fn: "select_matches",
    swaps: [["(combat_start(s, c) <= at) IS NOT TRUE", "true"]],
  },
  {
    name: "a list heeds no mode",
    fn: "select_matches",
    swaps: [["IN ARRAY modes", "IN ARRAY ARRAY['pvp', 'pve', 'arena', 'tournament']"]],
  },
  {
    name: "a list forgets who takes part",
    fn: "select_own_matches",
    swaps: [["WHERE p.player_id >= whose", "WHERE false"]],
  },
  {
    name: "a list forgets who made it",
    fn: "select_own_matches",
    swaps: [["WHERE s.player_id >= whose", "WHERE false"]],
  },
  { name: "a list forgets the open ones", fn: "select_matches", swaps: [["WHERE c.open", "WHERE false"]] },
  { name: "a list shows a player all", fn: "select_matches", swaps: [["IF whose IS NULL THEN", "IF true THEN"]] },
  {
    name: "lists know a match as it was before its last change",
    fn: "write_combat_event",
    swaps: [[", status = game.status", ""]],
  },
  {
    name: "a list begins with the oldest",
    fn: "list_matches",
    swaps: [["ORDER BY s.number DESC", "ORDER BY s.number"]],
  },
  // What a match is.
  {
    name: "what is prepared is called active",
    fn: "view_combat",
    swaps: [["THEN 'initializing' ELSE", "THEN 'active' ELSE"]],
  },
  {
    name: "who takes part is shown in any order",
    fn: "combat_participants",
    swaps: [["ORDER BY p.place", "ORDER BY p.player_id DESC"]],
  },
  {
    name: "a state shows the first events",
    fn: "combat_state",
    swaps: [["e.sequence > up_to - 50 AND", "e.sequence < 3 AND"]],
  },
  {
    name: "a match begins as soon as it is made",
    fn: "create_combat",
    swaps: [["CASE preparation WHEN 0 THEN at END", "at"]],
  },
  // Requests that come twice.
  {
    name: "a request that comes twice makes two sessions",
    fn: "take_game_key",
    swaps: [["IF request_key IS NULL THEN", "IF true THEN"]],
  },
  {
    name: "another request with the same key gets that session",
    fn: "take_game_key",
    swaps: [["known.request_hash = hash", "true"]],
  },
  {
    name: "keys are everybody's",
    fn: "take_game_key",
    swaps: [
      ["VALUES (by_caller,", "VALUES ('everybody',"],
      ["k.caller = by_caller AND k.key = request_key FOR", "k.key = request_key FOR"],
    ],
  },
  { name: "a key is kept for two days", fn: "take_game_key", swaps: [["interval '24 hours'", "interval '48 hours'"]] },
];
