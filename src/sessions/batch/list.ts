import type { Database } from "../../database/database.ts";
import { settleDue } from "./cleanup.ts";
import type { BatchStatus, ListQuery } from "./contract.ts";
import { countBatches, selectBatches } from "./reading-sql.ts";
import { describeSession } from "./session.ts";
import { BATCH_STATUSES } from "./states.ts";

/** A page of the sessions, newest first. Throws `unavailable`. */
export async function listSessions(database: Database, { status, limit, cursor }: ListQuery) {
  await settleDue(database);
  const rows = await selectBatches(database, { status, before: cursor, limit: limit + 1 });
  const shown = rows.slice(0, limit);
  return {
    sessions: shown.map((row) => describeSession(row)),
    next_cursor: rows.length > limit ? String(shown.at(-1)?.number) : null,
  };
}

/** How many there are. Throws `unavailable`. */
export async function readStats(database: Database) {
  await settleDue(database);
  const counts = new Map((await countBatches(database)).map(({ status, count }) => [status, count]));
  const of = (status: BatchStatus) => counts.get(status) ?? 0;
  const by_status = Object.fromEntries(BATCH_STATUSES.map((status) => [status, of(status)]));
  const total_sessions = BATCH_STATUSES.reduce((sum, status) => sum + of(status), 0);
  return { active_sessions: of("pending") + of("running"), total_sessions, by_status };
}
