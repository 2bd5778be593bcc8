/**
 * Game sessions: a match, or any other play of a player, that survives every crash, ends by itself and counts no pause.
 *
 *   active ⇄ paused
 *     │        ├── the creator, a service, an operator ──► completed | terminated
 *     │        └── silent ──────────────────────────────► terminated
 *     └── a match: its time is up, or one side is left ──► completed
 *
 * One row of the database decides each session, its match's actions too (see migrations/functions/game.sql): an ending is
 * final, each change has one place in one order, and a version that is outdated changes nothing. Time in which nobody served
 * counts as nobody's silence (G6).
 */
export { createSession } from "./create.ts";
export { listSessions } from "./list.ts";
export { readSession } from "./read.ts";
export { terminateSession } from "./terminate.ts";
export { updateSession } from "./update.ts";
