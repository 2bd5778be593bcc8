import { sql } from "drizzle-orm";
import { boolean, check, integer, pgTable } from "drizzle-orm/pg-core";

/**
 * What holds for the whole installation, in one row, so that every process, the cleanup of a host's cron and an
 * operator's SQL answer by the same rule.
 */
export const serviceState = pgTable(
  "service_state",
  {
    only: boolean("only").primaryKey().default(true),
    sessionTimeoutSeconds: integer("session_timeout_seconds").notNull().default(60),
  },
  (table) => [
    check("service_state_one_row", sql`${table.only}`),
    check("service_state_timeout", sql`${table.sessionTimeoutSeconds} > 0`),
  ],
);
