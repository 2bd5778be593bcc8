/**
 * A large table in pieces, because reading it in one go would occupy a core for the whole scan. After each piece comes
 * a pause of several times the piece's duration, unless the reader says that there is work to do.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "./database.ts";

/** 8 MiB: about 20,000 sessions, a few milliseconds. */
const PAGES = 1024;
const REST_TIMES = 4;
const REST_MS_MAX = 20;

/** The bounds of a range of row addresses (tid); `past` is exclusive. */
export interface PageRange {
  readonly first: string;
  readonly past: string;
  /** Whether a pause follows. */
  rest: boolean;
}

/** Together they cover the table as of when the last is reached. */
export async function* pageRanges(database: Database, table: string): AsyncGenerator<PageRange> {
  const [row] = await database.background.query(
    (sql) => sql`SELECT (pg_relation_size(${table}::regclass) / current_setting('block_size')::int)::int AS pages`,
  );
  for (let page = 0; ; page += PAGES) {
    const isLast = page + PAGES >= row?.pages;
    const began = performance.now();
    const range = { first: `(${page},0)`, past: isLast ? "(4294967295,0)" : `(${page + PAGES},0)`, rest: !isLast };
    yield range;
    if (isLast) return;
    if (range.rest) await sleep(Math.min(REST_TIMES * (performance.now() - began), REST_MS_MAX));
  }
}
