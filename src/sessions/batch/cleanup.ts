import type { Database } from "../../database/database.ts";
import { redateAll, settleAll, tidy } from "../tidy.ts";
import { forgetBatches, redateBatchRows, settleBatchRows } from "./upkeep-sql.ts";

/** Ends whatever is over, so that a list shows none that is not. Throws `unavailable`. */
export const settleDue = (database: Database): Promise<void> =>
  settleAll((lane, atMost) => settleBatchRows(database, lane, atMost));

/** Right after the silence was made shorter; throws `unavailable`. */
export const redateBatches = (database: Database): Promise<void> =>
  redateAll((atMost) => redateBatchRows(database, atMost));

/**
 * The batch sessions' part of the cleanup: ends those that have been silent too long or are past their deadline, and forgets old
 * ones, until `untilMs` (on performance.now()).
 */
export const cleanUpBatches = (
  database: Database,
  { retentionDays, untilMs }: { retentionDays: number; untilMs: number },
) =>
  tidy(
    {
      redate: (atMost) => redateBatchRows(database, atMost),
      settle: (lane, atMost) => settleBatchRows(database, lane, atMost),
      forget: () => forgetBatches(database, retentionDays),
    },
    untilMs,
  );
