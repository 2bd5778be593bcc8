import { bigint, index, pgTable, text, uniqueIndex } from "drizzle-orm/pg-core";
import { bytea, moment } from "./columns.ts";

/** Access keys. The key itself is stored nowhere: only its hash, and its first characters for people. */
export const keys = pgTable(
  "keys",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    keyHash: bytea("key_hash").notNull(),
    keyPrefix: text("key_prefix").notNull(),
    label: text("label"),
    createdAt: moment("created_at").notNull().defaultNow(),
    expiresAt: moment("expires_at"),
    revokedAt: moment("revoked_at"),
    lastUsedAt: moment("last_used_at"),
    /** The newest fencing token of this key; rises with every start, never falls. */
    generation: bigint("generation", { mode: "number" }).notNull().default(0),
  },
  (table) => [
    uniqueIndex("keys_key_hash_unique").on(table.keyHash),
    index("keys_key_prefix_index").on(table.keyPrefix.op("text_pattern_ops")),
  ],
);
