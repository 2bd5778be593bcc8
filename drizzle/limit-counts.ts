import { bigint, index, integer, pgTable, text } from "drizzle-orm/pg-core";

/**
 * What the limits have counted, shared between processes. Unlogged (the migration says so): a crash of the database may
 * forget a minute of counting.
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
