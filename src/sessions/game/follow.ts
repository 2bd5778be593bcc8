import type { Database } from "../../database/database.ts";
import type { Tidings } from "../../events/replay.ts";
import type { GameSession } from "./contract.ts";
import { selectGameDetails } from "./reading-sql.ts";
import { describeEntries, describeSession } from "./session.ts";

/** More than happen between two looks. */
const ENTRIES_MAX = 1_000;

/**
 * What is told of a session that has no match to whoever follows it: the entries of its log after one of them. To look is no call
 * for it. Undefined: it is gone.
 */
export async function readLogTidings(
  database: Database,
  sessionId: string,
  after: number,
): Promise<(Tidings & { session: GameSession; lastEntry: number }) | undefined> {
  const row = await selectGameDetails(database, sessionId, "operator", { entries: ENTRIES_MAX, stats: false });
  if (row === undefined) return undefined;
  const entries = (row.logs ?? []).filter(({ id }) => id > after);
  const { logs } = describeEntries(entries, ENTRIES_MAX);
  return {
    session: describeSession(row),
    lastEntry: row.last_entry,
    events: logs.map((entry, at) => ({ id: entries[at]?.id as number, event: entry.event_type, data: entry })),
    complete: true,
    state: undefined,
    over: row.ended_at !== null,
    dueInMs: undefined,
  };
}
