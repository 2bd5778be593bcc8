import { bigint, index, pgTable } from "drizzle-orm/pg-core";
import { tsvector } from "./columns.ts";

/**
 * The words of each label, for searching. A table of its own, kept by a trigger of keys: the index could be made without
 * holding up the starts, which write to keys.
 */
export const keyWords = pgTable(
  "key_words",
  {
    keyId: bigint("key_id", { mode: "number" }).primaryKey(),
    words: tsvector("words").notNull(),
  },
  (table) => [index("key_words_words_index").using("gin", table.words)],
);
