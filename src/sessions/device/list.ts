import { allById } from "../../database/all-by-id.ts";
import type { Database } from "../../database/database.ts";
import { type LiveSessionRow, selectLiveSessions } from "./listing-sql.ts";

/** All live sessions in the order of their keys' ids. */
export function listSessions(database: Database): AsyncGenerator<LiveSessionRow> {
  return allById(
    (page) => selectLiveSessions(database, page),
    (session) => session.key_id,
  );
}
