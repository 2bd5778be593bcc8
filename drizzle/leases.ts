import { sql } from "drizzle-orm";
import { bigint, check, jsonb, pgTable, text, uniqueIndex } from "drizzle-orm/pg-core";
import { moment } from "./columns.ts";

/**
 * At most one offline lease a key: whoever holds it may work without us until then, and nobody else starts meanwhile. It
 * is not a live session; that stands in active_sessions, and expires as any other. No reference to the key: adding one would
 * lock every start out while the migration runs.
 */
export const leases = pgTable(
  "leases",
  {
    keyId: bigint("key_id", { mode: "number" }).primaryKey(),
    /** Known to its holder alone, and to those whom the holder shows the signed lease. */
    leaseId: text("lease_id").notNull(),
    /** The session that asked for it. */
    sessionId: text("session_id").notNull(),
    generation: bigint("generation", { mode: "number" }).notNull(),
    device: jsonb("device"),
    issuedAt: moment("issued_at").notNull(),
    until: moment("until").notNull(),
  },
  (table) => [
    uniqueIndex("leases_lease_id_unique").on(table.leaseId),
    check("leases_until", sql`${table.issuedAt} < ${table.until}`),
  ],
);
