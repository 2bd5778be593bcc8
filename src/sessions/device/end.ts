import type { DeviceSessions } from "./deps.ts";
import { endSessionRow } from "./sql.ts";

/** Ends that session if it is live. A late end from a replaced device does nothing to its successor. */
export function endSession(service: DeviceSessions, sessionId: string): Promise<boolean> {
  return endSessionRow(service.database, sessionId);
}
