import type { Database } from "../database/database.ts";
import { type KeyRow, selectKeys } from "./sql.ts";

const PAGE_SIZE = 1000;

/** All keys in the order of their ids, a page at a time, so that a million of them need no memory. */
export async function* listKeys(database: Database): AsyncGenerator<KeyRow> {
  for (let after = 0; ; ) {
    const page = await selectKeys(database, { after, limit: PAGE_SIZE });
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < PAGE_SIZE) return;
    after = last.id;
  }
}
