import { sql } from "drizzle-orm";
import { bigint, index, jsonb, pgTable, text } from "drizzle-orm/pg-core";
import { moment } from "./columns.ts";

/**
 * One row a change that an operator made, written in the transaction of the change. The key's id is no reference: the
 * row outlives an erased key, without `details` then.
 */
export const auditLog = pgTable(
  "audit_log",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    at: moment("at").notNull(),
    who: text("who").notNull(),
    /** The address that it came from; null: from the command line. */
    fromAddress: text("from_address"),
    action: text("action").notNull(),
    keyId: bigint("key_id", { mode: "number" }),
    details: jsonb("details"),
  },
  (table) => [
    index("audit_log_key_id_index").on(table.keyId),
    // What is said of a user of the waiting room, for who erases it.
    index("audit_log_user_id_index")
      .on(sql`(${table.details}->>'user_id')`)
      .where(sql`${table.details}->>'user_id' IS NOT NULL`),
  ],
);
