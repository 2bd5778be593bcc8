/**
 * Heartbeats travel to the database together: while one batch is under way the next one gathers, without a timer.
 * Every caller is answered from its own row's outcome, after the database answered.
 */
import type { Database } from "../../database/database.ts";
import type { BatchCounts } from "../../metrics/counts.ts";
import { createBatches } from "./natural-batching.ts";
import { beatSessionRows, type OtherJson } from "./sql.ts";

/** What a batch says of one session. */
type Beat = { generation: number; at: Moment } | OtherJson | "unknown";

/** What all the sessions of one batch share. */
interface Moment {
  serverTime: string;
  expiresAt: string;
  timeoutSeconds: number;
}

export type Heartbeats = (sessionId: string) => Promise<Beat>;

/** The gathering place of one process: all its heartbeats go through one. */
export function createHeartbeats(database: Database, counts?: BatchCounts): Heartbeats {
  return createBatches({
    send: (sessionIds: string[]) => beatBatch(database, sessionIds),
    isUnsettled: (beat: Beat) => typeof beat === "object" && "outcome" in beat && beat.outcome === "locked",
    counts,
  });
}

async function beatBatch(database: Database, sessionIds: string[]): Promise<(sessionId: string) => Beat> {
  const row = await beatSessionRows(database, sessionIds);
  const at: Moment = {
    serverTime: row.beat_at.toISOString(),
    expiresAt: new Date(row.beat_at.getTime() + row.timeout_seconds * 1000).toISOString(),
    timeoutSeconds: row.timeout_seconds,
  };
  const beats = new Map<string, Beat>();
  for (const pair of row.beaten?.split(",") ?? []) {
    const space = pair.indexOf(" ");
    beats.set(pair.slice(0, space), { generation: Number(pair.slice(space + 1)), at });
  }
  for (const other of row.others ?? []) beats.set(other.session_id, other);
  return (sessionId) => beats.get(sessionId) ?? "unknown";
}
