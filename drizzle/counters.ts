import { integer, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { moment } from "./columns.ts";

/** Refused starts by hour and code; a refusal leaves no other trace. */
export const refusalCounts = pgTable(
  "refusal_counts",
  {
    hour: moment("hour").notNull(),
    code: text("code").notNull(),
    refusals: integer("refusals").notNull(),
  },
  (table) => [primaryKey({ columns: [table.hour, table.code] })],
);

/** The most sessions seen live at once in each hour, and when. */
export const livePeaks = pgTable("live_peaks", {
  hour: moment("hour").primaryKey(),
  live: integer("live").notNull(),
  at: moment("at").notNull(),
  /** When the sessions were last counted, so that many processes count no more often than one. */
  sampledAt: moment("sampled_at").notNull(),
});
