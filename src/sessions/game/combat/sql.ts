/** What makes, changes and reads a match, a function of migrations/functions/game-combat.sql each, which says what it guarantees. */
import type { Database } from "../../../database/database.ts";
import type { Sql } from "../../../database/lane.ts";
import type { Idempotency } from "../../contract.ts";
import type { GameRow, Reader } from "../sql.ts";
import type { CombatMode, CombatSession, CombatState, Participant } from "./contract.ts";

/** Moments are as JSON has them here: texts with a zone. */
export interface ParticipantRow extends Omit<Participant, "joined_at"> {
  joined_at: string;
}

/** A match as view_combat gives it. */
export interface CombatRow {
  session_id: string;
  mode: CombatMode;
  status: CombatSession["status"];
  /** Null: nobody is known any more. */
  participants: ParticipantRow[] | null;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  settings: Record<string, unknown> | null;
  version: number;
  duration_ms: number;
  total_actions: number;
  total_damage: number;
  eliminations: number;
  winner: string | null;
}

export interface EventRow {
  sequence: number;
  type: CombatState["events"][number]["type"];
  at: string;
  data: Record<string, unknown>;
}

/** A match's state as combat_state gives it. */
export interface StateRow {
  session_id: string;
  phase: CombatState["phase"];
  time_remaining: number;
  participants: ParticipantRow[] | null;
  last_sequence: number;
  /** Null: none. */
  events: EventRow[] | null;
}

export interface NewCombat {
  sessionId: string;
  playerId: string;
  mode: CombatMode;
  participants: string[];
  settings: Record<string, unknown> | undefined;
  maxDurationSeconds: number;
  difficulty: string | null;
  rules: object;
  isOpen: boolean;
  participantsMax: number;
  preparationSeconds: number;
  caller: string;
  idempotency: Idempotency | undefined;
}

/** A new match; or that which the same request has made before, as it is now. */
export async function insertCombat(
  database: Database,
  combat: NewCombat,
): Promise<GameRow & { outcome: "created" | "repeated" | "idempotency_conflict" }> {
  const { sessionId, idempotency } = combat;
  const [row] = await database.requests.query(
    (sql, waits) => sql`
      SELECT v.outcome, (v.game).* FROM create_combat(
        caller_waits(${waits}, ${sessionId}::uuid), ${combat.playerId}::uuid, ${combat.mode}, ${ids(sql, combat.participants)},
        ${combat.settings === undefined ? null : sql.json(combat.settings as never)}, ${combat.maxDurationSeconds},
        ${combat.difficulty}, ${sql.json(combat.rules as never)}, ${combat.isOpen}, ${combat.participantsMax},
        ${combat.preparationSeconds}, ${combat.caller}, ${idempotency?.key ?? null}, ${idempotency?.hash ?? null}) v`,
  );
  return row as GameRow & { outcome: "created" | "repeated" | "idempotency_conflict" };
}

/** Undefined: there is no match that this reader sees. */
export const selectCombat = (database: Database, sessionId: string, by: Reader): Promise<CombatRow | undefined> =>
  read(database, sessionId, by, false);

export const selectCombatState = (database: Database, sessionId: string, by: Reader): Promise<StateRow | undefined> =>
  read(database, sessionId, by, true);

async function read<Row>(
  database: Database,
  sessionId: string,
  { playerId, isService }: Reader,
  state: boolean,
): Promise<Row | undefined> {
  const [row] = await database.requests.query(
    (sql, waits) => sql`
      SELECT read_combat(caller_waits(${waits}, ${sessionId}::uuid), ${playerId ?? null}::uuid, ${isService}, ${state}) AS read`,
  );
  return row?.read ?? undefined;
}

/** Why players have neither come nor gone. */
export type PassageRefusal =
  | "session_not_found"
  | "forbidden"
  | "not_open"
  | "session_over"
  | "not_active"
  | "full"
  | "not_participant";

export type PassageOutcome<Done extends string> = GameRow & {
  outcome: Done | PassageRefusal;
  /** What came of it. */
  combat: CombatRow;
  /** Of a join. */
  places_left?: number;
};

export interface Passage {
  sessionId: string;
  players: string[];
}

export async function joinCombatRow(
  database: Database,
  passage: Passage,
  by: Reader,
): Promise<PassageOutcome<"joined">> {
  const row = await change(
    database,
    passage.sessionId,
    (sql, id) => sql`
      SELECT v.outcome, v.places_left, v.combat, (v.game).*
      FROM join_combat(${id}, ${by.playerId ?? null}::uuid, ${by.isService}, ${ids(sql, passage.players)}) v`,
  );
  return row as unknown as PassageOutcome<"joined">;
}

export async function leaveCombatRow(
  database: Database,
  passage: Passage,
  by: Reader,
): Promise<PassageOutcome<"left">> {
  const row = await change(
    database,
    passage.sessionId,
    (sql, id) => sql`
      SELECT v.outcome, v.combat, (v.game).*
      FROM leave_combat(${id}, ${by.playerId ?? null}::uuid, ${by.isService}, ${ids(sql, passage.players)}) v`,
  );
  return row as unknown as PassageOutcome<"left">;
}

/** Calls for one match go one after the other, so those of one do not take every connection to wait for its lock. */
export async function change(
  database: Database,
  sessionId: string,
  call: (sql: Sql, id: ReturnType<Sql>) => ReturnType<Sql>,
): Promise<Record<string, unknown>> {
  const [row] = await database.requests.query(
    (sql, waits) => call(sql, sql`caller_waits(${waits}, ${sessionId}::uuid)`),
    `game ${sessionId}`,
  );
  return row as Record<string, unknown>;
}

const ids = (sql: Sql, of: string[]) => sql`string_to_array(${of.join()}, ',')::uuid[]`;
