import { bigint, index, pgTable } from "drizzle-orm/pg-core";
import { tsvector } from "./columns.ts";

/**
 * The words of each label, for search. A separate table, kept by a trigger on keys, so that its index could be built
 * without blocking starts, which write to keys.
 */
export const keyWords = pgTable(
  "key_words",
  {
    keyId: bigint("key_id", { mode: "number" }).primaryKey(),
    words: tsvector("words").notNull(),
  },
  (table) => [index("key_words_words_index").using("gin", table.words)],
);
