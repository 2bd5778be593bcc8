import { sql } from "drizzle-orm";
import { bigint, boolean, check, index, integer, pgTable, smallint, text } from "drizzle-orm/pg-core";
import { moment } from "./columns.ts";

/** The room itself: settings and counts in one row, whose lock decides every arrival, departure and promotion. */
export const waitingRoom = pgTable(
  "waiting_room",
  {
    singleton: boolean("singleton").primaryKey().default(true),
    maxActive: integer("max_active").notNull().default(20),
    /** The QUEUE_MAX_ACTIVE applied last: an operator's change stays until that setting changes. */
    maxActiveConfigured: integer("max_active_configured"),
    maxRequests: integer("max_requests").notNull().default(10),
    maxWaiting: integer("max_waiting").notNull().default(10_000),
    seatSeconds: integer("seat_seconds").notNull().default(1800),
    waiterSeconds: integer("waiter_seconds").notNull().default(60),
    claimSeconds: integer("claim_seconds").notNull().default(60),
    requestSeconds: integer("request_seconds").notNull().default(300),
    /** While true nobody is let in; those inside stay. */
    paused: boolean("paused").notNull().default(false),
    lastTicket: bigint("last_ticket", { mode: "number" }).notNull().default(0),
    active: integer("active").notNull().default(0),
    /** Waiters by priority; the first is priority 0. */
    waiting: integer("waiting").array().notNull().default(sql`'{0,0,0,0,0,0,0,0,0,0}'::integer[]`),
    /** No place and no permit falls due before this. */
    nextDue: moment("next_due").notNull().default(sql`'infinity'::timestamptz`),
    /** Since when seats have been in use, and when the last 50 were vacated: the basis of the estimate. */
    occupiedSince: moment("occupied_since"),
    vacated: moment("vacated").array().notNull().default(sql`'{}'::timestamptz[]`),
    /** The clock jumps that the places have been dated by; see service_state. */
    clockSteps: bigint("clock_steps", { mode: "number" }).notNull().default(0),
  },
  (table) => [
    check("waiting_room_one_row", sql`${table.singleton}`),
    check("waiting_room_counts", sql`${table.active} >= 0 AND 0 <= ALL (${table.waiting})`),
  ],
);

/** At most one place per user: a seat, or a place in line. */
export const waitingRoomPlaces = pgTable(
  "waiting_room_places",
  {
    userId: text("user_id").primaryKey(),
    sessionId: text("session_id").notNull(),
    priority: smallint("priority").notNull(),
    ticket: bigint("ticket", { mode: "number" }).notNull(),
    createdAt: moment("created_at").notNull(),
    /** Deliberately not indexed: every poll of every waiter would be an index write. */
    lastSeen: moment("last_seen").notNull(),
    /** Null: waiting. */
    seatedAt: moment("seated_at"),
    /** Whether a user who was let in has shown up. */
    claimed: boolean("claimed").notNull().default(false),
  },
  (table) => [
    index("waiting_room_places_line")
      .on(table.priority.desc().nullsFirst(), table.ticket)
      .where(sql`${table.seatedAt} IS NULL`),
    check("waiting_room_places_priority", sql`${table.priority} BETWEEN 0 AND 9`),
    check("waiting_room_places_claimed", sql`${table.seatedAt} IS NOT NULL OR NOT ${table.claimed}`),
  ],
);

/** Concurrent requests: those running, and those waiting their turn. They are deleted with their user's place. */
export const waitingRoomPermits = pgTable(
  "waiting_room_permits",
  {
    permitId: text("permit_id").primaryKey(),
    userId: text("user_id")
      .notNull()
      .references(() => waitingRoomPlaces.userId, { onDelete: "cascade" }),
    ticket: bigint("ticket", { mode: "number" }).notNull(),
    granted: boolean("granted").notNull(),
    /** When a granted permit dies, or a waiting request gives up. */
    expiresAt: moment("expires_at").notNull(),
  },
  (table) => [index("waiting_room_permits_user_id_index").on(table.userId)],
);

/** One row per move, in the order of the decisions: audit log and proof of fairness. */
export const waitingRoomMoves = pgTable(
  "waiting_room_moves",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    at: moment("at").notNull(),
    move: text("move").notNull(),
    userId: text("user_id"),
    priority: smallint("priority"),
    ticket: bigint("ticket", { mode: "number" }),
    /** The move's number: of seats for "capacity", of seconds in line for "promoted". */
    amount: integer("amount"),
  },
  (table) => [
    index("waiting_room_moves_user_id_index").on(table.userId, table.id),
    index("waiting_room_moves_at_index").on(table.at),
    check(
      "waiting_room_moves_move",
      sql`${table.move} IN ('seated', 'queued', 'promoted', 'admitted', 'claimed', 'prioritised', 'closed', 'left', 'expired', 'abandoned', 'unclaimed', 'removed', 'capacity', 'paused', 'resumed')`,
    ),
  ],
);
