/**
 * The device's side of Keybeat: claims an access key, keeps it by heartbeats, and tells when it is lost and why.
 * No dependencies; runs in browsers, Node 18 and later, Electron, Deno and Bun.
 *
 *                heartbeats fail            for too long
 *         live ◄───────────────► degraded ────────────► lost ──── end() ──► ended
 *          ▲ │      they work                            ▲ │
 *          │ └────────── the service says: over ─────────┘ │
 *          └── expired or unreachable, and nobody else ────┘
 *              holds the key: by itself, with a new signal
 *
 * What it promises:
 * - A failed request is not a lost session. Only the service's own word ends one, or the local deadline, which counts by
 *   a monotonic clock from before the last acknowledged heartbeat was sent.
 * - After `replaced`, `ended` and `revoked` it sends nothing more: two devices never take the key from each other in turn.
 * - It comes back by itself only onto a key that nobody holds.
 */
export type { Device, Holder } from "../sessions/device/contract.ts";
export { KeybeatError, type KeybeatErrorCode, type KeybeatErrorData } from "./error.ts";
export type {
  DegradedEvent,
  LiveEvent,
  LostEvent,
  LostReason,
  OfflineEvent,
  RecoveredEvent,
  SessionEvent,
} from "./events.ts";
export type { Session, SessionState } from "./handle.ts";
export type { Conflict, SessionIdStorage, StartOptions } from "./options.ts";
export type { Clock, Fetch, LinkOptions, PageEvents, Timers } from "./platform.ts";
export { startSession } from "./start.ts";
