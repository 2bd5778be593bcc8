import type { Database } from "../../database/database.ts";
import { redateAll, settleAll, tidy } from "../tidy.ts";
import { forgetGames, redateGameRows, settleGameRows } from "./upkeep-sql.ts";

/** Ends whatever is over, so that a list shows none that is not. Throws `unavailable`. */
export const settleDue = (database: Database): Promise<void> =>
  settleAll((lane, atMost) => settleGameRows(database, lane, atMost));

/** Right after the silence was made shorter; throws `unavailable`. */
export const redateGames = (database: Database): Promise<void> =>
  redateAll((atMost) => redateGameRows(database, atMost));

/**
 * The game sessions' part of the cleanup: ends those that have been silent too long or were played for their whole time, and
 * forgets old ones, until `untilMs` (on performance.now()).
 */
export const cleanUpGames = (
  database: Database,
  { retentionDays, untilMs }: { retentionDays: number; untilMs: number },
) =>
  tidy(
    {
      redate: (atMost) => redateGameRows(database, atMost),
      settle: (lane, atMost) => settleGameRows(database, lane, atMost),
      forget: () => forgetGames(database, retentionDays),
    },
    untilMs,
  );
