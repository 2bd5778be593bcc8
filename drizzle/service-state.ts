import { sql } from "drizzle-orm";
import { boolean, check, integer, pgTable, text } from "drizzle-orm/pg-core";
import { moment } from "./columns.ts";

/**
 * What holds for the whole installation, in one row, so that every process, the cleanup of a host's cron and an
 * operator's SQL answer by the same rule.
 */
export const serviceState = pgTable(
  "service_state",
  {
    singleton: boolean("singleton").primaryKey().default(true),
    sessionTimeoutSeconds: integer("session_timeout_seconds").notNull().default(60),
    /** Every serving process pushes it each second; null until the first one serves. */
    lastTick: moment("last_tick"),
    /** The last time that nobody served: from when to when. */
    gapBegan: moment("gap_began"),
    gapEnded: moment("gap_ended"),
    /** By which KEY_PEPPER is known again; null: not known yet. */
    pepperMark: text("pepper_mark"),
  },
  (table) => [
    check("service_state_one_row", sql`${table.singleton}`),
    check("service_state_timeout", sql`${table.sessionTimeoutSeconds} > 0`),
    check("service_state_gap", sql`${table.gapBegan} < ${table.gapEnded}`),
  ],
);
