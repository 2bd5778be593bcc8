/** Faults of what PUT and DELETE do (update_game, terminate_game, move_game). */
import type { FunctionMutant } from "../../../support/mutants.ts";

const IF_MATCH = "game.version <> ALL (matching) THEN 'precondition_failed'";
const IS_CALL = "IF outcome <> 'session_not_found' THEN";

export const CHANGE_MUTANTS: FunctionMutant[] = [
  {
    name: "whoever sees a session changes it",
    fn: "refuse_game_change",
    swaps: [["NOT is_service AND game.player_id <> player", "false"]],
  },
  {
    name: "who does not see a session is told that it is another's",
    fn: "refuse_game_change",
    swaps: [["OR may_read_game(game, player, is_service) IS NOT TRUE", ""]],
  },
  {
    name: "a service changes its own sessions alone",
    fn: "refuse_game_change",
    swaps: [["NOT is_service AND game.player_id <> player", "game.player_id IS DISTINCT FROM player"]],
  },
  {
    name: "a session that has ended is changed",
    fn: "update_game",
    swaps: [["game.ended_at IS NOT NULL THEN 'session_over'", "false THEN 'session_over'"]],
  },
  {
    name: "a change heeds no version",
    fn: "update_game",
    swaps: [["game.version <> with_version THEN", "false THEN"]],
  },
  { name: "a change heeds no If-Match", fn: "update_game", swaps: [[IF_MATCH, "false THEN 'precondition_failed'"]] },
  {
    name: "a change wants every version of its If-Match",
    fn: "update_game",
    swaps: [["game.version <> ALL (matching)", "game.version <> ANY (matching)"]],
  },
  { name: "a refused change is no call", fn: "update_game", swaps: [[IS_CALL, "IF false THEN"]] },
  {
    name: "a change without effect is no call",
    fn: "update_game",
    swaps: [["PERFORM keep_game_call(game);\n    RETURN;", "RETURN;"]],
  },
  {
    name: "the present status is a change",
    fn: "update_game",
    swaps: [["to_status IS NULL AND cardinality(replaced) = 0", "false"]],
  },
  {
    name: "what is left out is taken away",
    fn: "update_game",
    swaps: [["coalesce(with_metadata, game.metadata)", "with_metadata"]],
  },
  {
    name: "settings take the place of metadata",
    fn: "update_game",
    swaps: [["coalesce(with_metadata, game.metadata)", "coalesce(with_settings, with_metadata, game.metadata)"]],
  },
  {
    name: "a change leaves the version",
    fn: "update_game",
    swaps: [["game.version := game.version + 1;", ""]],
  },
  { name: "a change has no entry", fn: "update_game", swaps: [[/game := write_game_entry\([\s\S]*?\)\);/, ""]] },
  {
    name: "an ending does not say what it has replaced",
    fn: "update_game",
    swaps: [["at, NULL, more);", "at, NULL);"]],
  },
  {
    name: "a pause is not told to who watches",
    fn: "move_game",
    swaps: [["game.max_duration_seconds IS NOT NULL", "false"]],
  },
  {
    name: "the pause before counts as played",
    fn: "move_game",
    swaps: [
      [
        "game.paused_ms := game.paused_ms + ms_between(game.paused_at, at);",
        "game.paused_ms := ms_between(game.paused_at, at);",
      ],
    ],
  },
  {
    name: "what ends while it is paused has played on",
    fn: "ended_game",
    swaps: [["game.paused_ms := game.paused_ms + ms_between(game.paused_at, at);", ""]],
  },
  {
    name: "DELETE ends what has ended",
    fn: "terminate_game",
    swaps: [["game.ended_at IS NOT NULL THEN 'unchanged'", "false THEN 'unchanged'"]],
  },
  { name: "DELETE heeds no If-Match", fn: "terminate_game", swaps: [[IF_MATCH, "false THEN 'precondition_failed'"]] },
  { name: "a refused DELETE is no call", fn: "terminate_game", swaps: [[IS_CALL, "IF false THEN"]] },
  {
    name: "nobody is told why a session was ended",
    fn: "terminate_game",
    swaps: [["jsonb_build_object('reason', why)", "'{}'::jsonb"]],
  },
];
