import { sql } from "drizzle-orm";
import { bigint, index, jsonb, pgTable, text } from "drizzle-orm/pg-core";
import { moment } from "./columns.ts";

/**
 * One row per change by an operator, written in the transaction of the change. The key's id is no foreign key: the row
 * outlives an erased key, without its `details`.
 */
export const auditLog = pgTable(
  "audit_log",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    at: moment("at").notNull(),
    who: text("who").notNull(),
    /** The address it came from; null: the command line. */
    fromAddress: text("from_address"),
    action: text("action").notNull(),
    keyId: bigint("key_id", { mode: "number" }),
    details: jsonb("details"),
  },
  (table) => [
    index("audit_log_key_id_index").on(table.keyId),
    // Finds what is said about a user of the waiting room, for erasure.
    index("audit_log_user_id_index")
      .on(sql`(${table.details}->>'user_id')`)
      .where(sql`${table.details}->>'user_id' IS NOT NULL`),
  ],
);
