import { selectAudit } from "../../audit/sql.ts";
import type { Database } from "../../database/database.ts";
import { pageOf } from "../page-of.ts";
import type { AuditItem } from "./contract.ts";

/** What operators did, the newest first. */
export async function listAudit(database: Database, page: { cursor?: number | undefined; limit: number }) {
  const rows = await selectAudit(database, { before: page.cursor, limit: page.limit + 1 });
  return pageOf(rows, page.limit, {
    placeOf: (row) => row.id,
    item: ({ from_address, at, ...row }): AuditItem => ({ ...row, at: at.toISOString(), from: from_address }),
  });
}
