import type { Database } from "../../database/database.ts";
import type { HashKey } from "../../keys/index.ts";
import type { Limit } from "../../limits/limit.ts";
import type { Heartbeats } from "./heartbeat-batch.ts";
import type { ReportPingPong } from "./ping-pong.ts";

/** What the verbs of device sessions need. */
export interface DeviceSessions {
  database: Database;
  heartbeats: Heartbeats;
  hashKey: HashKey;
  /** The longest wait until the next heartbeat that a device is told. */
  heartbeatSeconds: number;
  /** Called with the code of each refused start. */
  countRefusal?(code: string): void;
  /** Called when a start, or a request for a lease, has ended a session that was in use twice. */
  countCopy?(): void;
  /** Called when the owner of a key has ended its session. */
  countSignOut?(): void;
  /** Counts calls with a key that does not exist. */
  unknownKeys?: Limit;
  /** How many sessions of a key may end in a minute before the next start waits; 0 or undefined: no limit. */
  startsMax?: number;
  reportPingPong?: ReportPingPong;
}
