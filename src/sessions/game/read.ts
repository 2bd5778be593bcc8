import type { Database } from "../../database/database.ts";
import { noSuchSession } from "../no-such-session.ts";
import { type GameSession, type LogsQuery, type SessionDetails, SHOWN_ENTRIES_MAX } from "./contract.ts";
import { type DetailsRow, type Looking, selectEntries, selectGame, selectGameDetails } from "./reading-sql.ts";
import { describeEntries, describeSession, describeStats } from "./session.ts";

/** The session as it is now; to ask for it is a call for it. Throws session_not_found (another's, too), or unavailable. */
export async function readSession(database: Database, sessionId: string, by: Looking): Promise<GameSession> {
  const row = await selectGame(database, sessionId, by);
  if (row === undefined) throw noSuchSession();
  return describeSession(row);
}

/** The same, with the newest entries of its log, and what has happened in it, as asked. */
export async function readDetails(
  database: Database,
  sessionId: string,
  by: Looking,
  asked: { logs: boolean; stats: boolean },
): Promise<SessionDetails> {
  const row = await readDetailsRow(database, sessionId, by, asked);
  const { logs, next_cursor } = describeEntries(row.logs ?? [], SHOWN_ENTRIES_MAX);
  return {
    ...describeSession(row),
    logs: asked.logs ? logs : undefined,
    logs_cursor: next_cursor,
    stats: asked.stats ? describeStats(row) : undefined,
  };
}

async function readDetailsRow(
  database: Database,
  sessionId: string,
  by: Looking,
  { logs, stats }: { logs: boolean; stats: boolean },
): Promise<DetailsRow> {
  const row = await selectGameDetails(database, sessionId, by, { entries: logs ? SHOWN_ENTRIES_MAX + 1 : 0, stats });
  if (row === undefined) throw noSuchSession();
  return row;
}

/** A page of its log: the newest entries before the cursor's, in their order. Throws session_not_found, or unavailable. */
export async function listLogs(database: Database, sessionId: string, by: Looking, { limit, cursor }: LogsQuery) {
  const rows = await selectEntries(database, sessionId, by, { before: cursor, limit: limit + 1 });
  if (rows === undefined) throw noSuchSession();
  return describeEntries(rows, limit);
}
