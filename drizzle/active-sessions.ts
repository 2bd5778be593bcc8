import { bigint, jsonb, pgTable, text, uniqueIndex } from "drizzle-orm/pg-core";
import { moment } from "./columns.ts";
import { keys } from "./keys.ts";

/**
 * At most one session a key: the key's id is the primary key, so there is no room for a second one (G1). Deliberately
 * no index on last_heartbeat: it would turn every heartbeat into an index write.
 */
export const activeSessions = pgTable(
  "active_sessions",
  {
    keyId: bigint("key_id", { mode: "number" })
      .primaryKey()
      .references(() => keys.id),
    /** The masked key ("abc12345…"), for people. */
    accessKey: text("access_key").notNull(),
    sessionId: text("session_id").notNull(),
    generation: bigint("generation", { mode: "number" }).notNull(),
    startedAt: moment("started_at").notNull(),
    lastHeartbeat: moment("last_heartbeat").notNull(),
    device: jsonb("device"),
    /** Of a session whose client proves that it is the only one (src/trust/README.md), else null: who beats, with its last beat. */
    proofInstance: text("proof_instance"),
    proofNumber: bigint("proof_number", { mode: "number" }),
    proofBeat: text("proof_beat"),
    /** The instances before it, the newest first; a few. */
    proofDisplaced: text("proof_displaced").array(),
  },
  (table) => [uniqueIndex("active_sessions_session_id_unique").on(table.sessionId)],
);
