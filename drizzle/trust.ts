import { sql } from "drizzle-orm";
import { bigint, boolean, check, pgTable, real } from "drizzle-orm/pg-core";
import { bytea, moment } from "./columns.ts";

/** In one row, what makes a challenge unforgeable: every process, and none outside, can tell whether it issued one. */
export const trustState = pgTable(
  "trust_state",
  {
    singleton: boolean("singleton").primaryKey().default(true),
    challengeSecret: bytea("challenge_secret").notNull(),
  },
  (table) => [
    check("trust_state_one_row", sql`${table.singleton}`),
    check("trust_state_secret", sql`length(${table.challengeSecret}) = 32`),
  ],
);

/** Sessions without proof that are heard of about twice as often as asked: one id may be in use on two machines. */
export const suspectedCopies = pgTable("suspected_copies", {
  keyId: bigint("key_id", { mode: "number" }).primaryKey(),
  /** Of the session; one that started since is another. */
  generation: bigint("generation", { mode: "number" }).notNull(),
  /** How many times as often as asked. */
  timesAsked: real("times_asked").notNull(),
  seenAt: moment("seen_at").notNull(),
});
