/** What the start, the cleanup and the metrics ask of all sessions. */
import type { Database } from "../../database/database.ts";
import type { SettleRow } from "../tidy.ts";

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

/** Forgets sessions that ended longer ago than the retention; several calls may be needed. Returns how many. */
export async function forgetGames(database: Database, retentionDays: number): Promise<number> {
  const [row] = await database.background.query((sql) => sql`SELECT forget_games(${retentionDays}) AS forgotten`);
  return row?.forgotten;
}

export async function configureGames(database: Database, silenceSeconds: number): Promise<void> {
  await database.background.query((sql) => sql`SELECT configure_games(${silenceSeconds})`);
}
