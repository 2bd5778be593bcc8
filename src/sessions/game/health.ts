import type { Database } from "../../database/database.ts";
import { readVersion } from "../../version.ts";
import type { HealthReply, UnhealthyReply } from "./contract.ts";
import { selectClock } from "./sql.ts";

/** A database that takes longer to say what time it is has trouble. */
const SLOW_MS = 500;

/** Whether matches can be played: asks the database. Its clock gives the moment, as long as it answers. */
export async function readHealth(database: Database): Promise<HealthReply | UnhealthyReply> {
  const began = performance.now();
  const at = await selectClock(database).catch(() => undefined);
  const program = { version: readVersion(), uptime_seconds: Math.floor(process.uptime()) };
  if (at === undefined) return { status: "unhealthy", timestamp: new Date().toISOString(), ...program };
  const status = performance.now() - began > SLOW_MS ? "degraded" : "healthy";
  return { status, timestamp: at.toISOString(), ...program };
}
