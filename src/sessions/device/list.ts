import type { Database } from "../../database/database.ts";
import { type LiveSessionRow, selectLiveSessions } from "./sql.ts";

const PAGE_SIZE = 1000;

/** All live sessions in the order of their keys' ids, page by page. */
export async function* listSessions(database: Database): AsyncGenerator<LiveSessionRow> {
  for (let after = 0; ; ) {
    const page = await selectLiveSessions(database, { after, limit: PAGE_SIZE });
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < PAGE_SIZE) return;
    after = last.key_id;
  }
}
