import { sql } from "drizzle-orm";
import { bigint, check, index, jsonb, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { ENDING_REASONS } from "../src/sessions/device/endings.ts";
import { moment } from "./columns.ts";

/**
 * One row per ended session: tombstone, audit log and source of analytics in one. Partitioned by month of ended_at (in
 * the migration; drizzle-kit cannot), so that retention drops whole partitions.
 */
export const sessionHistory = pgTable(
  "session_history",
  {
    keyId: bigint("key_id", { mode: "number" }).notNull(),
    accessKey: text("access_key").notNull(),
    sessionId: text("session_id").notNull(),
    generation: bigint("generation", { mode: "number" }).notNull(),
    startedAt: moment("started_at").notNull(),
    lastHeartbeat: moment("last_heartbeat").notNull(),
    endedAt: moment("ended_at").notNull(),
    reason: text("reason").notNull(),
    device: jsonb("device"),
    replacedByGeneration: bigint("replaced_by_generation", { mode: "number" }),
    replacedByDevice: jsonb("replaced_by_device"),
    /** The operator's note to the device. */
    note: text("note"),
  },
  (table) => [
    primaryKey({ columns: [table.keyId, table.generation, table.endedAt] }),
    index("session_history_session_id_index").on(table.sessionId),
    // Rows arrive nearly in this order, so a few bytes a megabyte locate an hour, and an ending pays nothing.
    index("session_history_ended_at_index").using("brin", table.endedAt).with({ autosummarize: true }),
    check(
      "session_history_reason",
      sql`${table.reason} IN (${sql.raw(ENDING_REASONS.map((reason) => `'${reason}'`).join(", "))})`,
    ),
    check(
      "session_history_replaced_by",
      sql`(${table.reason} = 'replaced') = (${table.replacedByGeneration} IS NOT NULL)`,
    ),
  ],
);
