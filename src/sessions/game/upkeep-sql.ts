/** What the start and the cleanup ask of all sessions. */
import type { Database } from "../../database/database.ts";

interface SettleRow {
  looked_at: number;
  ended: number;
}

/** Ends at most so many sessions whose time is over. */
export async function settleGameRows(
  database: Database,
  lane: "requests" | "background",
  atMost: number,
): Promise<SettleRow> {
  const [row] = await database[lane].query(
    (sql, waits) => sql`SELECT * FROM settle_games(caller_waits(${waits}, ${atMost}::int))`,
  );
  return row as unknown as SettleRow;
}

export async function configureGames(database: Database, silenceSeconds: number): Promise<void> {
  await database.background.query((sql) => sql`SELECT configure_games(${silenceSeconds})`);
}
