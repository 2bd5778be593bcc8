import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { BATCH_STATUSES, ENDED_REASONS, NODE_STATUSES } from "../src/sessions/batch/states.ts";
import { bytea, moment, oneOf } from "./columns.ts";

/** What holds for all runs, in one row, so that every process, a host's cron and an operator's SQL answer by the same rule. */
export const batchSettings = pgTable(
  "batch_settings",
  {
    singleton: boolean("singleton").primaryKey().default(true),
    silenceSeconds: integer("silence_seconds").notNull().default(1800),
    /** Up to which run what lives is dated by it since it was made shorter; null: all is. */
    redatedTo: bigint("redated_to", { mode: "number" }),
    loweredAt: moment("lowered_at"),
  },
  (table) => [check("batch_settings_one_row", sql`${table.singleton}`)],
);

/**
 * One row a run; its lock decides everything about it. What it has done is in batch_nodes: counts are counts of those
 * rows, and never kept here.
 */
export const batchSessions = pgTable(
  "batch_sessions",
  {
    /** In the order of creation; what belongs to the run refers to it by this. */
    run: bigint("run", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    sessionId: uuid("session_id").notNull(),
    canvasPath: text("canvas_path").notNull(),
    nodeCount: integer("node_count").notNull(),
    /** What the client said of it, as it said it. */
    metadata: jsonb("metadata").notNull(),
    /** Of a run whose nodes were named beforehand: {max_concurrent, groups: [{group_id, agent_type, total_nodes}]}. */
    plan: jsonb("plan"),
    timeoutSeconds: integer("timeout_seconds"),
    status: text("status").notNull().default("pending"),
    createdAt: moment("created_at").notNull(),
    updatedAt: moment("updated_at").notNull(),
    startedAt: moment("started_at"),
    completedAt: moment("completed_at"),
    endedReason: text("ended_reason"),
    errorMessage: text("error_message"),
    message: text("message"),
    /** As the worker said; null: what the results say. */
    progressSent: doublePrecision("progress_sent"),
    /** The fencing token: rises with every claim. */
    attempt: integer("attempt").notNull().default(0),
    worker: text("worker"),
    claimedAt: moment("claimed_at"),
    /** The last call with the present attempt. */
    workerSeen: moment("worker_seen"),
    lastReport: moment("last_report").notNull(),
    /** The jumps of the clock by which last_report and worker_seen are dated; see service_state. */
    clockSteps: bigint("clock_steps", { mode: "number" }).notNull(),
    /** It cannot be over before this; null once it is. Moved on from time to time, so that a report writes no index. */
    notOverBefore: moment("not_over_before"),
    resultBytes: bigint("result_bytes", { mode: "number" }).notNull().default(0),
    /** The id of its last event. */
    lastEvent: bigint("last_event", { mode: "number" }).notNull().default(0),
    /** How many results it has taken over from the run that it resumes. */
    carriedNodes: integer("carried_nodes").notNull().default(0),
    resumedFrom: uuid("resumed_from"),
    resumedAs: uuid("resumed_as"),
  },
  (table) => [
    uniqueIndex("batch_sessions_session_id_unique").on(table.sessionId),
    index("batch_sessions_status_index").on(table.status, table.run),
    // For operators, who search by how it begins.
    index("batch_sessions_canvas_path_index").on(table.canvasPath.op("text_pattern_ops")),
    index("batch_sessions_not_over_before_index").on(table.notOverBefore).where(sql`${table.completedAt} IS NULL`),
    index("batch_sessions_clock_steps_index").on(table.clockSteps).where(sql`${table.completedAt} IS NULL`),
    index("batch_sessions_completed_at_index").on(table.completedAt).where(sql`${table.completedAt} IS NOT NULL`),
    check("batch_sessions_status", sql`${table.status} IN (${oneOf(BATCH_STATUSES)})`),
    check("batch_sessions_ended_reason", sql`${table.endedReason} IN (${oneOf(ENDED_REASONS)})`),
    check(
      "batch_sessions_ended",
      sql`(${table.status} IN ('pending', 'running')) = (${table.completedAt} IS NULL) AND (${table.completedAt} IS NULL) = (${table.endedReason} IS NULL)`,
    ),
    check("batch_sessions_started", sql`${table.status} IN ('pending', 'cancelled') OR ${table.startedAt} IS NOT NULL`),
    check("batch_sessions_progress", sql`${table.progressSent} BETWEEN 0 AND 100`),
  ],
);

/** One row a node that has been named, or reported. */
export const batchNodes = pgTable(
  "batch_nodes",
  {
    run: bigint("run", { mode: "number" })
      .notNull()
      .references(() => batchSessions.run, { onDelete: "cascade" }),
    nodeId: text("node_id").notNull(),
    /** Its place in the plan's groups, from 0; null: the run has no plan. */
    groupNo: smallint("group_no"),
    /** Null: still to do. */
    status: text("status"),
    result: jsonb("result"),
    error: text("error"),
    startedAt: moment("started_at"),
    completedAt: moment("completed_at"),
    /** Taken over from the run that this one resumes. */
    carried: boolean("carried").notNull().default(false),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.nodeId] }),
    // What is counted, without the rows.
    index("batch_nodes_status_index").on(table.run, table.status, table.groupNo),
    check("batch_nodes_status", sql`${table.status} IN (${oneOf(NODE_STATUSES)})`),
    check("batch_nodes_times", sql`${table.startedAt} <= ${table.completedAt}`),
  ],
);

/** What happened to a run, one after the other without a gap: the ids are given under the run's lock. */
export const batchEvents = pgTable(
  "batch_events",
  {
    run: bigint("run", { mode: "number" })
      .notNull()
      .references(() => batchSessions.run, { onDelete: "cascade" }),
    id: bigint("id", { mode: "number" }).notNull(),
    at: moment("at").notNull(),
    event: text("event").notNull(),
    data: jsonb("data").notNull(),
  },
  (table) => [primaryKey({ columns: [table.run, table.id] })],
);

/** Which run a client's Idempotency-Key has made, and from which request. Kept for a day. */
export const batchIdempotencyKeys = pgTable(
  "batch_idempotency_keys",
  {
    key: text("key").primaryKey(),
    requestHash: bytea("request_hash").notNull(),
    sessionId: uuid("session_id").notNull(),
    createdAt: moment("created_at").notNull(),
  },
  (table) => [index("batch_idempotency_keys_created_at_index").on(table.createdAt)],
);
