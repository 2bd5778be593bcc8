import { pgTable, text } from "drizzle-orm/pg-core";
import { moment } from "./columns.ts";

/** Sign-ins of the page that were ended before their time; the name `*` stands for all until then. */
export const endedSignIns = pgTable("ended_sign_ins", {
  name: text("name").primaryKey(),
  endedAt: moment("ended_at").notNull(),
});
