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
import {
  ACTION_TYPES,
  COMBAT_EVENTS,
  COMBAT_MODES,
  DIFFICULTIES,
  GAME_ENDED_REASONS,
  GAME_STATUSES,
  GAME_TYPES,
  PARTICIPANT_STATUSES,
} from "../src/sessions/game/states.ts";
import { bytea, moment, oneOf } from "./columns.ts";

/** What holds for all game sessions, in one row, so that every process and an operator's SQL answer by the same rule. */
export const gameSettings = pgTable(
  "game_settings",
  {
    singleton: boolean("singleton").primaryKey().default(true),
    silenceSeconds: integer("silence_seconds").notNull().default(86_400),
    /** Up to which number what lives is dated by it since it was made shorter; null: all is. */
    redatedTo: bigint("redated_to", { mode: "number" }),
    loweredAt: moment("lowered_at"),
  },
  (table) => [check("game_settings_one_row", sql`${table.singleton}`)],
);

/**
 * One row a session; its lock decides everything about it, its match too. No column that a call without a change writes
 * (last_call) has an index.
 */
export const gameSessions = pgTable(
  "game_sessions",
  {
    /** In the order of creation; what belongs to the session refers to it by this. */
    number: bigint("number", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    sessionId: uuid("session_id").notNull(),
    type: text("type").notNull(),
    /** Who made it. */
    playerId: uuid("player_id").notNull(),
    status: text("status").notNull().default("active"),
    /** Rises with every change that is no action. */
    version: integer("version").notNull().default(1),
    /** The client's own, as they were sent; null: none were. */
    metadata: jsonb("metadata"),
    settings: jsonb("settings"),
    createdAt: moment("created_at").notNull(),
    updatedAt: moment("updated_at").notNull(),
    endedAt: moment("ended_at"),
    endedReason: text("ended_reason"),
    /** Since when it stands still; null: it does not. */
    pausedAt: moment("paused_at"),
    /** How long it stood still before, all pauses together. */
    pausedMs: bigint("paused_ms", { mode: "number" }).notNull().default(0),
    /** Of a match, without its pauses; null: it is none. */
    maxDurationSeconds: integer("max_duration_seconds"),
    /** The last call for it, whatever it did. */
    lastCall: moment("last_call").notNull(),
    /** The jumps of the clock by which last_call is dated; see service_state. */
    clockSteps: bigint("clock_steps", { mode: "number" }).notNull(),
    /** It cannot be over before this; null once it is. Moved on from time to time, so that a call writes no index. */
    notOverBefore: moment("not_over_before"),
    /** The id of its last log entry. */
    lastEntry: integer("last_entry").notNull().default(0),
  },
  (table) => [
    uniqueIndex("game_sessions_session_id_unique").on(table.sessionId),
    index("game_sessions_player_index").on(table.playerId, table.number),
    // A list by one of them alone merges its few values, each newest first.
    index("game_sessions_type_status_index").on(table.type, table.status, table.number),
    index("game_sessions_created_at_index").on(table.createdAt),
    index("game_sessions_not_over_before_index").on(table.notOverBefore).where(sql`${table.endedAt} IS NULL`),
    index("game_sessions_clock_steps_index").on(table.clockSteps).where(sql`${table.endedAt} IS NULL`),
    index("game_sessions_ended_at_index").on(table.endedAt).where(sql`${table.endedAt} IS NOT NULL`),
    check("game_sessions_type", sql`${table.type} IN (${oneOf(GAME_TYPES)})`),
    check("game_sessions_status", sql`${table.status} IN (${oneOf(GAME_STATUSES)})`),
    check("game_sessions_ended_reason", sql`${table.endedReason} IN (${oneOf(GAME_ENDED_REASONS)})`),
    check(
      "game_sessions_ended",
      sql`(${table.status} IN ('active', 'paused')) = (${table.endedAt} IS NULL) AND (${table.endedAt} IS NULL) = (${table.endedReason} IS NULL) AND (${table.endedAt} IS NULL) = (${table.notOverBefore} IS NOT NULL)`,
    ),
    check("game_sessions_paused", sql`(${table.status} = 'paused') = (${table.pausedAt} IS NOT NULL)`),
    check("game_sessions_paused_ms", sql`${table.pausedMs} >= 0`),
    check("game_sessions_version", sql`${table.version} > 0`),
    check(
      "game_sessions_max_duration",
      sql`${table.maxDurationSeconds} IS NULL OR (${table.type} = 'combat' AND ${table.maxDurationSeconds} BETWEEN 60 AND 3600)`,
    ),
  ],
);

/** Every change of a session, one after the other without a gap: the ids are given under its lock. */
export const gameLogEntries = pgTable(
  "game_log_entries",
  {
    session: bigint("session", { mode: "number" })
      .notNull()
      .references(() => gameSessions.number, { onDelete: "cascade" }),
    id: integer("id").notNull(),
    at: moment("at").notNull(),
    event: text("event").notNull(),
    message: text("message"),
    data: jsonb("data"),
  },
  (table) => [primaryKey({ columns: [table.session, table.id] })],
);

/** What a session that is a match has beyond it. Changed only under the session's lock. */
export const gameCombats = pgTable(
  "game_combats",
  {
    session: bigint("session", { mode: "number" })
      .primaryKey()
      .references(() => gameSessions.number, { onDelete: "cascade" }),
    mode: text("mode").notNull(),
    /** The session's, as its last event left it: here too, so that lists find matches by an index. */
    status: text("status").notNull().default("active"),
    difficulty: text("difficulty"),
    /** By which it is scored, defaults included: what its settings say may be changed, this may not. */
    rules: jsonb("rules").notNull(),
    /** Who took part from the beginning, in their order: before its first event the state is these, unhurt. */
    founders: uuid("founders").array().notNull(),
    /** Whether players may join and leave by themselves; then every player may read it. */
    open: boolean("open").notNull().default(false),
    maxParticipants: smallint("max_participants").notNull().default(100),
    preparationSeconds: integer("preparation_seconds").notNull().default(0),
    /** Null while it is prepared. */
    startedAt: moment("started_at"),
    /** Of its last event: 1, 2, 3 … without a gap. */
    lastSequence: bigint("last_sequence", { mode: "number" }).notNull().default(0),
    totalActions: integer("total_actions").notNull().default(0),
    /** Actions of participants that were refused, and those at an unknown target. */
    refusedActions: integer("refused_actions").notNull().default(0),
    totalDamage: bigint("total_damage", { mode: "number" }).notNull().default(0),
    eliminations: integer("eliminations").notNull().default(0),
    winner: uuid("winner"),
  },
  (table) => [
    index("game_combats_mode_status_index").on(table.mode, table.status, table.session),
    index("game_combats_open_status_index").on(table.mode, table.status, table.session).where(sql`${table.open}`),
    index("game_combats_preparation_index")
      .on(table.session)
      .where(sql`${table.startedAt} IS NULL AND ${table.status} = 'active'`),
    check("game_combats_mode", sql`${table.mode} IN (${oneOf(COMBAT_MODES)})`),
    check("game_combats_difficulty", sql`${table.difficulty} IN (${oneOf(DIFFICULTIES)})`),
    check("game_combats_founders", sql`cardinality(${table.founders}) BETWEEN 1 AND 100`),
    check("game_combats_max_participants", sql`${table.maxParticipants} BETWEEN 1 AND 100`),
    check("game_combats_preparation", sql`${table.preparationSeconds} BETWEEN 0 AND 3600`),
    check("game_combats_started", sql`${table.startedAt} IS NOT NULL OR ${table.preparationSeconds} > 0`),
    check(
      "game_combats_counts",
      sql`least(${table.lastSequence}, ${table.totalActions}, ${table.refusedActions}, ${table.totalDamage}, ${table.eliminations}) >= 0`,
    ),
  ],
);

/** One row a player who takes part, or took part, in a match. Changed only under the session's lock. */
export const gameParticipants = pgTable(
  "game_participants",
  {
    session: bigint("session", { mode: "number" })
      .notNull()
      .references(() => gameCombats.session, { onDelete: "cascade" }),
    playerId: uuid("player_id").notNull(),
    /** In the order of joining, from 1. */
    place: smallint("place").notNull(),
    joinedAt: moment("joined_at").notNull(),
    status: text("status").notNull().default("active"),
    score: integer("score").notNull().default(0),
    health: integer("health").notNull(),
    /** Until that player's next action. */
    defending: boolean("defending").notNull().default(false),
    /** When an action of each type, by its word, may come again; null: none has to wait. */
    readyAt: jsonb("ready_at"),
  },
  (table) => [
    primaryKey({ columns: [table.session, table.playerId] }),
    index("game_participants_player_index").on(table.playerId, table.session),
    check("game_participants_status", sql`${table.status} IN (${oneOf(PARTICIPANT_STATUSES)})`),
    check("game_participants_place", sql`${table.place} BETWEEN 1 AND 32767`),
    check("game_participants_score", sql`${table.score} >= 0`),
    check("game_participants_health", sql`${table.health} >= 0`),
  ],
);

/**
 * What happened in a match, in its one order: folded, it gives the state. The data say the effects as they were, so that
 * nothing has to be reckoned again.
 */
export const gameEvents = pgTable(
  "game_events",
  {
    session: bigint("session", { mode: "number" })
      .notNull()
      .references(() => gameCombats.session, { onDelete: "cascade" }),
    sequence: bigint("sequence", { mode: "number" }).notNull(),
    at: moment("at").notNull(),
    event: text("event").notNull(),
    /** Whose it is: who acted, joined or left. */
    playerId: uuid("player_id"),
    actionType: text("action_type"),
    targetId: uuid("target_id"),
    /** The client's name for the action, by which it happens once; and the request. */
    actionId: uuid("action_id"),
    requestHash: bytea("request_hash"),
    data: jsonb("data").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.session, table.sequence] }),
    uniqueIndex("game_events_action_id_unique")
      .on(table.session, table.actionId)
      .where(sql`${table.actionId} IS NOT NULL`),
    check("game_events_event", sql`${table.event} IN (${oneOf(COMBAT_EVENTS)})`),
    check("game_events_action_type", sql`${table.actionType} IN (${oneOf(ACTION_TYPES)})`),
    check(
      "game_events_action",
      sql`CASE WHEN ${table.event} = 'action' THEN num_nonnulls(${table.playerId}, ${table.actionType}, ${table.actionId}, ${table.requestHash}) = 4 ELSE num_nonnulls(${table.actionType}, ${table.actionId}, ${table.requestHash}) = 0 END`,
    ),
    check("game_events_sequence", sql`${table.sequence} > 0`),
  ],
);

/** Which session a caller's Idempotency-Key has made, and from which request. Kept for a day. */
export const gameIdempotencyKeys = pgTable(
  "game_idempotency_keys",
  {
    /** The token's `sub`. */
    caller: text("caller").notNull(),
    key: text("key").notNull(),
    requestHash: bytea("request_hash").notNull(),
    sessionId: uuid("session_id").notNull(),
    createdAt: moment("created_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.caller, table.key] }),
    index("game_idempotency_keys_created_at_index").on(table.createdAt),
    index("game_idempotency_keys_session_id_index").on(table.sessionId),
  ],
);

/**
 * Sums by the five minutes in which sessions were created, written by adding rows only, so that no row is one that all wait
 * for. What counts is the sum of a step's rows; the upkeep makes one of many.
 */
export const gameRollups = pgTable(
  "game_rollups",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    step: moment("step").notNull(),
    type: text("type").notNull(),
    /** Of the histogram of durations, in which `ended` of the row are; null: none is. */
    bucket: smallint("bucket"),
    sessions: integer("sessions").notNull().default(0),
    paused: integer("paused").notNull().default(0),
    completed: integer("completed").notNull().default(0),
    terminated: integer("terminated").notNull().default(0),
    /** Of those that have ended, without their pauses. */
    durationMs: bigint("duration_ms", { mode: "number" }).notNull().default(0),
    actions: bigint("actions", { mode: "number" }).notNull().default(0),
    refused: bigint("refused", { mode: "number" }).notNull().default(0),
  },
  (table) => [check("game_rollups_type", sql`${table.type} IN (${oneOf(GAME_TYPES)})`)],
);

/** How fast this service answered, one row a process and ten seconds. */
export const gamePerformance = pgTable(
  "game_performance",
  {
    process: uuid("process").notNull(),
    at: moment("at").notNull(),
    seconds: doublePrecision("seconds").notNull(),
    calls: integer("calls").notNull(),
    totalMs: doublePrecision("total_ms").notNull(),
    /** How many calls each bucket of their duration has. */
    buckets: integer("buckets").array().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.process, table.at] }),
    index("game_performance_at_index").on(table.at),
    check("game_performance_calls", sql`${table.calls} >= 0`),
  ],
);
