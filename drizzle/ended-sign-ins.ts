import { pgTable, text } from "drizzle-orm/pg-core";
import { moment } from "./columns.ts";

/** The page's sign-ins that were ended early; the name `*` stands for all before that moment. */
export const endedSignIns = pgTable("ended_sign_ins", {
  name: text("name").primaryKey(),
  endedAt: moment("ended_at").notNull(),
});
