import { bigint, index, integer, pgTable, text } from "drizzle-orm/pg-core";

/**
 * Counts of the limits, shared between processes. Unlogged (see the migration): a crash of the database may lose a
 * minute of counting.
 */
export const limitCounts = pgTable(
  "limit_counts",
  {
    key: text("key").primaryKey(),
    points: integer("points").notNull(),
    /** Milliseconds since 1970. */
    expire: bigint("expire", { mode: "number" }),
  },
  (table) => [index("limit_counts_expire_index").on(table.expire)],
);
