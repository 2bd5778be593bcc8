import { sql } from "drizzle-orm";
import { bigint, boolean, check, doublePrecision, integer, jsonb, pgTable, text } from "drizzle-orm/pg-core";
import { moment, stretches, transaction } from "./columns.ts";

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
    /** Every transaction before this one was over by then. */
    tickedAfter: transaction("ticked_after"),
    /** The last time that nobody served: from when to when. Gaps less than a session timeout apart are shown as one. */
    gapBegan: moment("gap_began"),
    gapEnded: moment("gap_ended"),
    /** Each of the last gaps by itself, that one included. */
    gaps: stretches("gaps").notNull().default(sql`'{}'::tstzmultirange`),
    /** How far retention goes by the clock: ticks push it, at most a day in an hour. */
    confirmedAt: moment("confirmed_at"),
    /** How often the clock was seen to jump, and the last time: when by the clock after it, and how far (back: below 0). */
    clockSteps: bigint("clock_steps", { mode: "number" }).notNull().default(0),
    clockSteppedAt: moment("clock_stepped_at"),
    clockSteppedSeconds: doublePrecision("clock_stepped_seconds"),
    /** The clock went back, and there are sessions left whose last heartbeat is still to come by it. */
    clockUnsettled: boolean("clock_unsettled").notNull().default(false),
    /** By which KEY_PEPPER is known again; null: not known yet. */
    pepperMark: text("pepper_mark"),
  },
  (table) => [
    check("service_state_one_row", sql`${table.singleton}`),
    check("service_state_timeout", sql`${table.sessionTimeoutSeconds} > 0`),
    check("service_state_gap", sql`${table.gapBegan} < ${table.gapEnded}`),
  ],
);

/**
 * What the one row should say while somebody else's transaction holds its lock: ticks must go on. The newest counts, and
 * only while the row still has the tick that it was made for; the next tick that gets the lock takes them away.
 */
export const serviceStateStandIns = pgTable("service_state_stand_ins", {
  id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
  forTick: moment("for_tick"),
  /** The row but for its timeout, by column. */
  state: jsonb("state").notNull(),
});
