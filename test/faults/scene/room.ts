/** The waiting room of a fault: fewer seats and permits than users, and one timeout for every sort of silence. */
import type { Circumstances } from "../checker/history.ts";

const SEATS = 5;
const PERMITS = 3;
const PERMIT_SECONDS = 300;

/** A server's settings. */
export const roomSettings = (timeoutSeconds: number): Record<string, string> => ({
  QUEUE_MAX_ACTIVE: String(SEATS),
  QUEUE_MAX_REQUESTS: String(PERMITS),
  QUEUE_SESSION_TIMEOUT_SECONDS: String(timeoutSeconds),
  QUEUE_WAITER_TIMEOUT_SECONDS: String(timeoutSeconds),
  QUEUE_CLAIM_SECONDS: String(timeoutSeconds),
  QUEUE_REQUEST_TIMEOUT_SECONDS: String(PERMIT_SECONDS),
});

export function roomTimeouts(timeoutSeconds: number): Circumstances["roomTimeoutMs"] {
  const timeoutMs = timeoutSeconds * 1000;
  return { abandoned: timeoutMs, expired: timeoutMs, unclaimed: timeoutMs, permit: PERMIT_SECONDS * 1000 };
}

export const roomUsers = (count: number): string[] => Array.from({ length: count }, (_, n) => `user-${n}`);
