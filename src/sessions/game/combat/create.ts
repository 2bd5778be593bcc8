import { createHash, randomUUID } from "node:crypto";
import type { Database } from "../../../database/database.ts";
import { idempotencyConflict, identify } from "../../idempotency.ts";
import type { GameCaller } from "../caller.ts";
import { type CombatSession, type CreateCombatRequest, MAX_DURATION_SECONDS, PARTICIPANTS_MAX } from "./contract.ts";
import { settleRules } from "./rules.ts";
import { describeCombat } from "./session.ts";
import { insertCombat } from "./sql.ts";

/**
 * Makes a match: active, or initializing where it is prepared first. Whoever asks is its creator, and takes part only if it
 * is named. With an `idempotencyKey` (the caller's own, kept for 24 h) the same request gives the same answer, whatever has
 * become of the match since. Throws an AppError: idempotency_conflict, or unavailable.
 */
export async function createCombat(
  database: Database,
  request: CreateCombatRequest,
  by: GameCaller,
  idempotencyKey: string | undefined,
): Promise<CombatSession> {
  const { mode, participants, settings } = request;
  const rules = settings?.rules;
  const row = await insertCombat(database, {
    sessionId: randomUUID(),
    playerId: by.playerId ?? nameService(by.subject),
    mode,
    participants,
    settings,
    maxDurationSeconds: settings?.max_duration ?? MAX_DURATION_SECONDS,
    difficulty: settings?.difficulty ?? null,
    rules: settleRules(rules),
    isOpen: rules?.open ?? false,
    participantsMax: rules?.max_participants ?? PARTICIPANTS_MAX,
    preparationSeconds: rules?.preparation_seconds ?? 0,
    caller: by.subject,
    idempotency: identify(idempotencyKey, ["combat", request]),
  });
  if (row.outcome === "idempotency_conflict") throw idempotencyConflict();
  return asCreated(row.session_id, row.created_at.toISOString(), request);
}

/** As it was when it was made, which its request says. */
function asCreated(
  sessionId: string,
  at: string,
  { mode, participants, settings }: CreateCombatRequest,
): CombatSession {
  const isPrepared = (settings?.rules?.preparation_seconds ?? 0) > 0;
  const { health } = settleRules(settings?.rules);
  return describeCombat({
    session_id: sessionId,
    mode,
    status: isPrepared ? "initializing" : "active",
    participants: participants.map((player_id) => ({ player_id, joined_at: at, status: "active", score: 0, health })),
    created_at: at,
    started_at: isPrepared ? null : at,
    ended_at: null,
    settings: settings ?? null,
    version: 1,
    duration_ms: 0,
    total_actions: 0,
    total_damage: 0,
    eliminations: 0,
    winner: null,
  });
}

/** A creator is known by a UUID. That of a service whose `sub` is none is made of it (version 5), so no player has it. */
function nameService(subject: string): string {
  const bytes = createHash("sha1").update(SERVICES).update(subject).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The space of these names. */
const SERVICES = Buffer.from("b7e5a1c46d0f4c1f9a3e2d8054716c9b", "hex");
