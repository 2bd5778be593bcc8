/**
 * Sends heartbeats to the database together: while one batch is under way the next one gathers, without a timer. Every
 * caller is answered from its own row's outcome, after the database answered.
 *
 *   beat ─► live: answered
 *     ▲ └─► not: its fate is looked up beside the next batches, in batches of its own ─► ended, unknown: answered
 *     └──────── live after all (its row was locked), or not known yet ◄──────────────┘
 *
 * So a live session never waits for the history, which holds the endings.
 */
import type { Database } from "../../database/database.ts";
import { unavailable } from "../../errors.ts";
import type { BatchCounts } from "../../metrics/counts.ts";
import { type Ending, endingOf } from "./ending.ts";
import { createBatches, WAIT_MS_MAX } from "./natural-batching.ts";
import { beatSessionRows, type LookRow, lookAtSessions } from "./sql.ts";

/** The outcome of one session. */
type Beat = { generation: number; at: Moment } | { ending: Ending | "unknown" };

/** What all sessions of one batch share. */
interface Moment {
  serverTime: string;
  expiresAt: string;
  timeoutSeconds: number;
}

export type Heartbeats = (sessionId: string) => Promise<Beat>;

/** Before asking again for a session whose row was locked. */
const AGAIN_MS = 20;

/** Batches the heartbeats of this process. */
export function createHeartbeats(database: Database, counts?: BatchCounts): Heartbeats {
  const beat = createBatches({ send: (sessionIds: string[]) => beatBatch(database, sessionIds), counts });
  const look = createBatches({ send: (sessionIds: string[]) => lookBatch(database, sessionIds) });
  return async (sessionId) => {
    const since = performance.now();
    while (performance.now() - since < WAIT_MS_MAX) {
      const beaten = await beat(sessionId, since);
      if (beaten) return beaten;
      const row = await look(sessionId, since);
      if (!row) return { ending: "unknown" };
      if (row.outcome !== "live" && row.outcome !== "locked") return { ending: endingOf(row) };
      await new Promise((done) => setTimeout(done, AGAIN_MS));
    }
    throw unavailable(new Error("the session's row, or the history, is held by somebody else"));
  };
}

async function beatBatch(database: Database, sessionIds: string[]): Promise<(sessionId: string) => Beat | undefined> {
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
  return (sessionId) => beats.get(sessionId);
}

/** On the heartbeats' lane too, one at a time: it has a connection to spare beside a batch and a tick. */
async function lookBatch(
  database: Database,
  sessionIds: string[],
): Promise<(sessionId: string) => LookRow | undefined> {
  const rows = await lookAtSessions(database, sessionIds, true, database.heartbeats);
  const found = new Map(rows.map((row) => [row.session_id, row]));
  return (sessionId) => found.get(sessionId);
}
