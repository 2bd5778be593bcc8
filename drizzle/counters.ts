import { integer, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { moment } from "./columns.ts";

/** Starts that were refused, by hour and code: a refusal leaves no other trace. */
export const refusalCounts = pgTable(
  "refusal_counts",
  {
    hour: moment("hour").notNull(),
    code: text("code").notNull(),
    refusals: integer("refusals").notNull(),
  },
  (table) => [primaryKey({ columns: [table.hour, table.code] })],
);

/** The most sessions that were seen live at once in an hour, and when. */
export const livePeaks = pgTable("live_peaks", {
  hour: moment("hour").primaryKey(),
  live: integer("live").notNull(),
  at: moment("at").notNull(),
  /** When was counted last, so that many processes count no oftener than one. */
  sampledAt: moment("sampled_at").notNull(),
});
