/** Faults of the room that the random stories must find: of every rule above migrations/functions/waiting-room.sql one or more. */
import type { Mutant } from "../../../support/mutants.ts";

type FunctionMutant = Extract<Mutant, { fn: string }>;

const WIDE_CUTOFF = "room.seat_seconds";

export const MUTANTS: FunctionMutant[] = [
  // Who comes in, and who waits.
  {
    name: "one seat more than there are",
    fn: "take_place",
    swaps: [["room.active < room.max_active", "room.active <= room.max_active"]],
  },
  { name: "a newcomer comes in while the room is paused", fn: "take_place", swaps: [["AND NOT room.paused", ""]] },
  {
    name: "the line is one longer than it may be",
    fn: "take_place",
    swaps: [["queue_length >= room.max_waiting", "queue_length > room.max_waiting"]],
  },
  {
    name: "two places have one ticket",
    fn: "take_place",
    swaps: [["UPDATE waiting_room SET last_ticket = last_ticket + 1;", ""]],
  },
  {
    name: "a priority is forgotten",
    fn: "take_place",
    swaps: [["ROW(who, with_session, with_priority,", "ROW(who, with_session, 0,"]],
  },
  {
    name: "a seat that was taken is not counted",
    fn: "take_place",
    swaps: [["count_places(1, 0, with_priority, at), ", ""]],
  },
  {
    name: "who comes twice has two places in line",
    fn: "take_place",
    swaps: [["count_places(0, 1, with_priority, at)", "count_places(0, 2, with_priority, at)"]],
  },
  // Who is next.
  {
    name: "the line forgets priorities",
    fn: "let_in",
    swaps: [["ORDER BY p.priority DESC, p.ticket", "ORDER BY p.ticket"]],
  },
  {
    name: "the last of the line is next",
    fn: "let_in",
    swaps: [["ORDER BY p.priority DESC, p.ticket LIMIT", "ORDER BY p.priority DESC, p.ticket DESC LIMIT"]],
  },
  {
    name: "one too many is let in",
    fn: "let_in",
    swaps: [
      ["room.active >= room.max_active", "room.active > room.max_active"],
      ["room.max_active - room.active", "room.max_active - room.active + 1"],
    ],
  },
  { name: "a paused room lets in", fn: "let_in", swaps: [["room.paused OR ", ""]] },
  {
    name: "who is let in still counts in line",
    fn: "let_in",
    swaps: [["still_waiting[next_one.priority + 1] - 1", "still_waiting[next_one.priority + 1]"]],
  },
  // Who goes.
  { name: "who leaves lets nobody in", fn: "leave_place", swaps: [["PERFORM let_in(at);", ""]] },
  {
    name: "what was never given is given back",
    fn: "drop_permit",
    swaps: [["had_permit := FOUND", "had_permit := true"]],
  },
  {
    name: "a removal by an operator is called a leave",
    fn: "leave_place",
    swaps: [["WHEN by_operator THEN 'removed' ", ""]],
  },
  { name: "who leaves the line frees a seat", fn: "remove_place", swaps: [["of_place.seated_at IS NULL", "false"]] },
  {
    name: "an unclaimed seat is kept",
    fn: "remove_silent",
    swaps: [["p.last_seen) <= claim_cutoff END", "p.last_seen) <= seat_cutoff END"]],
  },
  {
    name: "a waiter is kept as long as a seat",
    fn: "remove_silent",
    swaps: [
      ["waiter_cutoff := room_cutoff(at, room.waiter_seconds)", `waiter_cutoff := room_cutoff(at, ${WIDE_CUTOFF})`],
    ],
  },
  {
    name: "a seat is kept for ever",
    fn: "remove_silent",
    swaps: [["WHEN p.claimed THEN p.last_seen <= seat_cutoff", "WHEN p.claimed THEN false"]],
  },
  { name: "a no-show is called expired", fn: "remove_silent", swaps: [["ELSE 'unclaimed' END", "ELSE 'expired' END"]] },
  { name: "the room does not look who is due", fn: "enter_room", swaps: [["IF due <= at THEN", "IF false THEN"]] },
  { name: "nobody is let in for who fell silent", fn: "enter_room", swaps: [["PERFORM let_in(at);", ""]] },
  // Who asks.
  { name: "to ask is no sign of life", fn: "ask_place", swaps: [["IF seen THEN", "IF false THEN"]] },
  {
    name: "who is too late is seen all the same",
    fn: "ask_place",
    swaps: [["seen := CASE", "seen := place.user_id IS NOT NULL OR CASE"]],
  },
  {
    name: "to ask claims no seat",
    fn: "see_place",
    swaps: [["claimed = p.seated_at IS NOT NULL", "claimed = p.claimed"]],
  },
  {
    name: "the position forgets higher priorities",
    fn: "line_position",
    swaps: [["nth - 1 > of_place.priority", "false"]],
  },
  {
    name: "the position counts from nought",
    fn: "line_position",
    swaps: [["p.ticket <= of_place.ticket", "p.ticket < of_place.ticket"]],
  },
  // Requests at once.
  {
    name: "one permit too many",
    fn: "request_permit",
    swaps: [["WHERE p.granted) < room.max_requests", "WHERE p.granted) <= room.max_requests"]],
  },
  {
    name: "who waits in line gets a permit",
    fn: "request_permit",
    swaps: [["IF place.seated_at IS NULL THEN", "IF place.user_id IS NULL THEN"]],
  },
  {
    name: "a permit whose time is over counts on",
    fn: "grant_permits",
    swaps: [["over.expires_at <= granted_cutoff", "false"]],
  },
  // What operators do.
  { name: "more seats let nobody in", fn: "set_capacity", swaps: [["PERFORM let_in(at);", ""]] },
  { name: "the end of a pause lets nobody in", fn: "pause_room", swaps: [["PERFORM let_in(at);", ""]] },
  {
    name: "another priority moves nobody",
    fn: "prioritise_waiter",
    swaps: [["SET priority = new_priority", "SET priority = p.priority"]],
  },
  {
    name: "a full room takes one more by hand",
    fn: "admit_waiter",
    swaps: [["WHEN (SELECT r.active >= r.max_active FROM waiting_room r) THEN 'full' ", ""]],
  },
  {
    name: "who is admitted by hand is not counted",
    fn: "admit_waiter",
    swaps: [["count_places(1, -1, place.priority, at),", "count_places(0, -1, place.priority, at),"]],
  },
  // What is written down.
  {
    name: "moves are not written down",
    fn: "record_move",
    swaps: [
      [
        "IF what <> 'claimed' THEN",
        "DELETE FROM waiting_room_moves m WHERE m.move = what;\n  IF what <> 'claimed' THEN",
      ],
    ],
  },
  {
    name: "a wait is written down for nobody",
    fn: "seat_waiter",
    swaps: [["UPDATE waiting_room_places p SET seated_at = at WHERE p.user_id = of_place.user_id;", ""]],
  },
];
