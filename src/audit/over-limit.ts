/** Tells the operator of addresses that are over a limit: a line in the log and an entry in the audit log for each. */
import type { Database } from "../database/database.ts";
import type { OverLimit } from "../limits/limit.ts";
import type { Logger } from "../log.ts";
import { insertAudit } from "./sql.ts";

/** A flood from many addresses must not fill what is kept for good. */
const ENTRIES_MAX = 20;
const WINDOW_MS = 60_000;

export function createLimitReport(database: Database, log: Logger): (over: OverLimit) => void {
  let windowEnds = 0;
  let entries = 0;
  return ({ name, address, count, limit }) => {
    if (performance.now() > windowEnds) {
      windowEnds = performance.now() + WINDOW_MS;
      entries = 0;
    }
    if (++entries > ENTRIES_MAX) return;
    const details = { limit: name, count, per_minute: limit };
    log.warn({ ...details, address }, "an address is over a limit");
    const by = { who: "service", from: address };
    insertAudit(database, { by, action: "limit_exceeded", details }).catch(() => {}); // the log has it
  };
}
