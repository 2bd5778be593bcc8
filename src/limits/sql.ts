/** Where the limits count, so that all processes count together. The statements are those of rate-limiter-flexible. */
import type { Database } from "../database/database.ts";

/** What its RateLimiterPostgres asks of a driver. */
export interface LimitClient {
  query(query: { text: string; values: Array<string | number | null> }): Promise<{ rows: object[]; rowCount: number }>;
}

/** How long a caller waits for a count; then the count of this process alone holds. */
const COUNT_MS_MAX = 400;

export function openLimitClient(database: Database): LimitClient {
  return {
    async query({ text, values }) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no count within ${COUNT_MS_MAX} ms`)), COUNT_MS_MAX);
      });
      // One after the other: whatever becomes of the counting, it takes one connection and no device waits for it.

      const counted = database.requests.query((sql) => sql.unsafe(text, values, { prepare: true }), "limits");
      const rows = await Promise.race([counted, late]).finally(() => clearTimeout(timer));
      return { rows, rowCount: rows.length };
    },
  };
}

/** Counts whose time is over, and such as a clock that was ahead has dated: they would go on for as long as it was. */
export async function deleteOldCounts(database: Database): Promise<void> {
  await database.background.query((sql) => sql`SELECT forget_limit_counts()`);
}
