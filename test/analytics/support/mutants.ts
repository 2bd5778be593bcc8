/** Faults of the numbers that the random stories must find, of every rule of migrations/functions/game-numbers.sql one or more. */
import type { Mutant } from "../../support/mutants.ts";

export const MUTANTS: Mutant[] = [
  // What the triggers count.
  {
    name: "a session that is dated differently stays where it was counted",
    fn: "count_game_change",
    swaps: [["(OLD.created_at, OLD.type) = (NEW.created_at, NEW.type)", "true"]],
  },
  {
    name: "a session that goes on is counted once more",
    fn: "count_game_change",
    swaps: [
      ["(NEW.status = 'paused')::integer - (OLD.status = 'paused')::integer", "(NEW.status = 'paused')::integer"],
    ],
  },
  {
    name: "the time paused is played",
    fn: "game_duration_ms",
    swaps: [["- game.paused_ms", "- 0"]],
  },
  {
    name: "refused actions are counted by nobody",
    fn: "count_combat_change",
    swaps: [["coalesce(NEW.refused_actions, 0) - coalesce(OLD.refused_actions, 0)", "0"]],
  },
  {
    name: "the actions of an erased match stay in the numbers",
    fn: "game_counts",
    swaps: [["c.session = game.number", "c.session = game.number AND false"]],
  },
  {
    name: "numbers outlive the truncated table",
    fn: "forget_game_counts",
    swaps: [["TRUNCATE game_rollups;", ""]],
  },
  // What is over although nobody has settled it.
  {
    name: "what is overdue goes on",
    fn: "overdue_game_counts",
    swaps: [["WHERE o.since IS NOT NULL", "WHERE false"]],
  },
  {
    name: "a paused session that is overdue stays paused",
    fn: "overdue_game_counts",
    swaps: [["-(l.status = 'paused')::integer", "0"]],
  },
  {
    name: "silence completes a session",
    fn: "overdue_game_counts",
    swaps: [
      ["(l.by_deadline IS NOT TRUE)::integer", "0"],
      ["coalesce(l.by_deadline, false)::integer", "1"],
    ],
  },
  {
    name: "a match whose time is up goes on while it is heard of",
    fn: "overdue_game_counts",
    swaps: [["THEN game_deadline(d::game_sessions) END", "THEN NULL::timestamptz END"]],
  },
  {
    name: "the pause of an overdue session is played",
    fn: "overdue_game_counts",
    swaps: [["- ms_between(o.paused_at, o.since)", ""]],
  },
  {
    name: "whatever may be over is over",
    fn: "overdue_game_counts",
    swaps: [["h.heard <= p.cutoff", "true"]],
  },
  {
    name: "an outage does not move the end of silence",
    fn: "overdue_game_counts",
    swaps: [["silence_deadline_at(p.state, at, h.heard, p.silence)", "h.heard + p.silence"]],
  },
  {
    name: "a jump of the clock is not looked at",
    fn: "overdue_game_counts",
    swaps: [["WHERE p.clock_stepped_at <= p.cutoff", "WHERE false"]],
  },
  {
    name: "a moment before a jump of the clock is taken as it stands",
    fn: "overdue_game_counts",
    swaps: [["ELSE least(d.last_call, p.clock_stepped_at)", "ELSE d.last_call"]],
  },
  // What is told.
  { name: "the first step is left out", fn: "game_numbers", swaps: [["c.step >= begins", "c.step > begins"]] },
  {
    name: "the timeframe begins amid a step",
    fn: "game_numbers",
    swaps: [["date_bin(frame.step, at - frame.lasts, timestamptz 'epoch');", "at - frame.lasts;"]],
  },
  {
    name: "paused sessions are active",
    fn: "game_numbers",
    swaps: [["s.sessions - s.paused - s.completed", "s.sessions - s.completed"]],
  },
  {
    name: "the sessions active now are those of the timeframe",
    fn: "game_numbers",
    swaps: [
      [
        "(sum(s.sessions - s.paused - s.completed - s.terminated), 0)",
        "(sum(s.sessions - s.paused - s.completed - s.terminated) FILTER (WHERE s.period IS NOT NULL), 0)",
      ],
    ],
  },
  { name: "the median is another percentile", fn: "game_numbers", swaps: [["ceil(0.5 *", "ceil(0.6 *"]] },
  { name: "the 95th percentile is the 70th", fn: "game_numbers", swaps: [["ceil(0.95 *", "ceil(0.7 *"]] },
  {
    name: "a player does not see the matches of others",
    fn: "game_counts_of",
    swaps: [["WHERE p.player_id = player", "WHERE false"]],
  },
  {
    name: "a player is told what is overdue of everybody",
    fn: "game_counts_of",
    swaps: [["overdue_game_counts(at, own)", "overdue_game_counts(at, NULL)"]],
  },
  // The fold.
  {
    name: "folding loses refused actions",
    fn: "fold_game_rollups",
    swaps: [["sum(g.actions), sum(g.refused)\n    FROM", "sum(g.actions), 0\n    FROM"]],
  },
  {
    name: "folding makes one type of all",
    fn: "fold_game_rollups",
    swaps: [["RETURNING a.into_step, r.type", "RETURNING a.into_step, 'combat' AS type"]],
  },
  { name: "recent steps become coarse", fn: "coarser_game_steps", swaps: [["at - t.lasts - t.step -", "at -"]] },
];
