import type { Database } from "../../database/database.ts";
import { ENDINGS, type EndingReason } from "../../sessions/device/endings.ts";
import { type HistoryRow, selectHistory } from "../../sessions/device/listing-sql.ts";
import { pageOf } from "../page-of.ts";
import type { HistoryItem } from "./contract.ts";

/** All that is kept of a key's sessions, the newest first. */
export async function listHistory(
  database: Database,
  keyId: number,
  page: { cursor?: number | undefined; limit: number },
) {
  const rows = await selectHistory(database, { keyId, before: page.cursor, limit: page.limit + 1 });
  return pageOf(rows, page.limit, { placeOf: (row) => row.generation, item: itemOf });
}

function itemOf({ replaced_by_generation, replaced_by_device, ...row }: HistoryRow): HistoryItem {
  return {
    ...row,
    started_at: row.started_at.toISOString(),
    last_heartbeat: row.last_heartbeat.toISOString(),
    ended_at: row.ended_at?.toISOString() ?? null,
    ended_by: row.reason && endedBy(row.reason, row.note),
    replaced_by:
      replaced_by_generation === null ? null : { generation: replaced_by_generation, device: replaced_by_device },
  };
}

/** A device that says goodbye leaves no note; the owner of the key, who signs it out, does. */
const endedBy = (reason: EndingReason, note: string | null): HistoryItem["ended_by"] =>
  reason === "ended" && note !== null ? "owner" : ENDINGS[reason].by;
