import { integer, pgTable, text } from "drizzle-orm/pg-core";
import { moment } from "./columns.ts";

/** Which files of functions (migrations/functions) the database has, and had: the highest version is the present one. */
export const appliedFunctions = pgTable("applied_functions", {
  version: integer("version").primaryKey(),
  hash: text("hash").notNull(),
  appliedAt: moment("applied_at").notNull(),
});
