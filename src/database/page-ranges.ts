/**
 * A large table in pieces: who reads it at one go takes a core from the devices for as long. After each piece there is
 * a rest of several times what the piece took, unless the reader says that there is work to do.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "./database.ts";

/** 8 MiB: about 20,000 sessions, a few milliseconds. */
const PAGES = 1024;
const REST_TIMES = 4;
const REST_MS_MAX = 20;

/** Ends of a range of row addresses (tid); `past` is not in it. */
export interface PageRange {
  readonly first: string;
  readonly past: string;
  /** Whether there is a rest after it. */
  rest: boolean;
}

/** Together they cover the table as it is when the last is reached. */
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
