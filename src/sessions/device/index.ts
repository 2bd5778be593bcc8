/**
 * Device sessions: one live device per access key.
 *
 *            start                     start by another device
 *   (none) ─────────► live ───────────────────────────────────► replaced
 *                     │ ▲ └─ heartbeat, start with the same id ─┘ stays live
 *                     │
 *                     ├── end ──────────────────────────────────► ended
 *                     ├── the key is revoked, or a kick ────────► revoked
 *                     ├── two processes prove to use its id ────► cloned
 *                     └── no heartbeat for the timeout ─────────► expired
 *
 * An ending is final: no call makes a session live again, and its id starts nothing for as long as the history is
 * kept. The database decides every transition (see migrations/, the functions of device sessions): at most one live
 * session a key (G1), generations that only rise (G2), final endings (G3), starts that are safe to retry (G4), by the
 * database's clock alone (G5).
 */
export { endSession } from "./end.ts";
export type { Ending } from "./ending.ts";
export { countLiveSessions, expireSessions } from "./expire.ts";
export { findSessions } from "./find.ts";
export { beatSession } from "./heartbeat.ts";
export { createHeartbeats } from "./heartbeat-batch.ts";
export { kickSession } from "./kick.ts";
export { type LiveSessionRow, listLeases, listSessions } from "./list.ts";
export { createPingPongReport } from "./ping-pong.ts";
export { startSession } from "./start.ts";
export { readStatus } from "./status.ts";
export { lookForEndings, watchSession } from "./watch.ts";
