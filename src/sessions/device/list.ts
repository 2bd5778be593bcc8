import { allById } from "../../database/all-by-id.ts";
import type { Database } from "../../database/database.ts";
import { type LeaseHolderRow, type LiveSessionRow, selectLeaseHolders, selectLiveSessions } from "./listing-sql.ts";

export type { LiveSessionRow };

/** All live sessions in the order of their keys' ids. */
export function listSessions(database: Database): AsyncGenerator<LiveSessionRow> {
  return allById(
    (page) => selectLiveSessions(database, page),
    (session) => session.key_id,
  );
}

/** All leases that hold in the order of their keys' ids. */
export function listLeases(database: Database): AsyncGenerator<LeaseHolderRow> {
  return allById(
    (page) => selectLeaseHolders(database, page),
    (lease) => lease.key_id,
  );
}
