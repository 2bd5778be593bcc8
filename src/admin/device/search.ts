import type { Database } from "../../database/database.ts";
import { formsOf, type HashKey } from "../../keys/index.ts";
import { selectSessions } from "../../sessions/device/listing-sql.ts";
import { pageOf } from "../page-of.ts";
import type { SearchSessions, SessionItem } from "./contract.ts";

/** A page of the live sessions that fit all that is asked for, in the order of their keys' ids. */
export async function searchSessions(database: Database, hashKey: HashKey, asked: SearchSessions) {
  const [hash, alias] = asked.access_key === undefined ? [] : formsOf(asked.access_key).map(hashKey);
  const rows = await selectSessions(database, {
    hash,
    alias,
    prefix: asked.prefix,
    label: asked.label || undefined,
    device: asked.device || undefined,
    silentSecondsMin: asked.silent_seconds_min,
    after: asked.cursor ?? undefined,
    limit: asked.limit + 1,
  });
  return pageOf(rows, asked.limit, {
    placeOf: (row) => row.key_id,
    item: (row): SessionItem => ({
      ...row,
      started_at: row.started_at.toISOString(),
      last_heartbeat: row.last_heartbeat.toISOString(),
      expires_at: row.expires_at.toISOString(),
    }),
  });
}
