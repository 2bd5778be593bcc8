import { integer, pgTable, text } from "drizzle-orm/pg-core";
import { moment } from "./columns.ts";

/** Which versions of migrations/functions the database has had; the highest is the current one. */
export const appliedFunctions = pgTable("applied_functions", {
  version: integer("version").primaryKey(),
  hash: text("hash").notNull(),
  appliedAt: moment("applied_at").notNull(),
});
