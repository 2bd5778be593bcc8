import { sql } from "drizzle-orm";
import { bigint, boolean, check, doublePrecision, integer, jsonb, pgTable, text } from "drizzle-orm/pg-core";
import { moment, stretches, transaction } from "./columns.ts";

/**
 * The state of the whole installation, in one row, so that every process, a host's cron job and an operator's SQL
 * follow the same rule.
 */
export const serviceState = pgTable(
  "service_state",
  {
    singleton: boolean("singleton").primaryKey().default(true),
    sessionTimeoutSeconds: integer("session_timeout_seconds").notNull().default(60),
    /** Updated each second by every serving process; null until the first one serves. */
    lastTick: moment("last_tick"),
    /** Every transaction before this one had finished by then. */
    tickedAfter: transaction("ticked_after"),
    /** The last outage: from when to when. Gaps less than a session timeout apart are shown as one. */
    gapBegan: moment("gap_began"),
    gapEnded: moment("gap_ended"),
    /** Each recent gap on its own, that one included. */
    gaps: stretches("gaps").notNull().default(sql`'{}'::tstzmultirange`),
    /** How far the retention's clock has advanced: by ticks, at most a day in an hour. */
    confirmedAt: moment("confirmed_at"),
    /** How often the clock jumped, and the last jump: when, by the clock after it, and how far (back: below 0). */
    clockSteps: bigint("clock_steps", { mode: "number" }).notNull().default(0),
    clockSteppedAt: moment("clock_stepped_at"),
    clockSteppedSeconds: doublePrecision("clock_stepped_seconds"),
    /** The clock went back, and some sessions' last heartbeat is still in the future by it. */
    clockUnsettled: boolean("clock_unsettled").notNull().default(false),
    /** Identifies the KEY_PEPPER in use; null: not known yet. */
    pepperMark: text("pepper_mark"),
  },
  (table) => [
    check("service_state_one_row", sql`${table.singleton}`),
    check("service_state_timeout", sql`${table.sessionTimeoutSeconds} > 0`),
    check("service_state_gap", sql`${table.gapBegan} < ${table.gapEnded}`),
  ],
);

/**
 * What the one row should say while another transaction holds its lock, because ticks must go on. The newest counts,
 * and only while the row has the tick it was made after; the next tick that gets the lock deletes them.
 */
export const serviceStateStandIns = pgTable("service_state_stand_ins", {
  id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
  forTick: moment("for_tick"),
  /** The row except for its timeout, by column. */
  state: jsonb("state").notNull(),
});
