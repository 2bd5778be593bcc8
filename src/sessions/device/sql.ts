/**
 * Every statement by which a device session begins, goes on and ends; those that only look on are in the other files of
 * SQL here. What each guarantees stands with its function in migrations/.
 */

import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import type { Lane } from "../../database/lane.ts";
import type { PageRange } from "../../database/page-ranges.ts";
import type { Device, EndingReason, Proof } from "./contract.ts";

/** A session as people may see it: the id masked, timestamps as the database's JSON writes them. */
export interface HolderJson {
  session_id: string;
  generation: number;
  started_at: string;
  last_heartbeat: string;
  device: Device | null;
}

type StartOutcome =
  | "started"
  | "resumed"
  | "invalid_key"
  | "key_expired"
  | "key_revoked"
  | "key_in_use"
  | "holder_changed"
  | "session_id_used"
  | "proof_required"
  | "proof_challenge"
  | "session_cloned"
  | "rate_limited";

interface StartRow {
  outcome: StartOutcome;
  generation: number;
  started_at: Date;
  at: Date;
  timeout_seconds: number;
  holder: HolderJson | null;
  /** Of a live session: before `at` if this start is the session's last beat, sent again. */
  heard_at: Date;
  expires_at: Date;
  /** Of proof_challenge. */
  challenge: string | null;
  /** Of key_in_use, by a lease. */
  leased_until: Date | null;
  /** Of rate_limited. */
  wait_seconds: number | null;
  /** How often this device and the holder took the key from each other lately. */
  swaps: number;
}

/** At most one session of the key is live afterwards, and its generation is the highest ever given out for it. */
export async function startSessionRow(
  database: Database,
  start: {
    hash: Uint8Array;
    maskedKey: string;
    sessionId: string;
    device: Device | undefined;
    refuse: boolean;
    expectedGeneration: number | undefined;
    startsMax: number;
    proof: Proof | undefined;
    leaseId: string | undefined;
  },
  until: number,
): Promise<StartRow> {
  const [row] = await database.requests.query(
    (sql, waits) => sql<StartRow[]>`
      SELECT * FROM start_device_session(caller_waits(${waits}, ${start.hash}::bytea), ${start.maskedKey}, ${start.sessionId},
        ${start.device ? sql.json(start.device) : null}, ${start.refuse}, ${start.expectedGeneration ?? null},
        ${start.startsMax}, ${start.proof ? sql.json(start.proof) : null}, ${start.leaseId ?? null})`,
    // One after the other here, or a storm of one key's starts would take every connection to wait for its row.
    Buffer.from(start.hash).toString("base64"),
    until,
  );
  return row as StartRow;
}

export interface BeatRow {
  beat_at: Date;
  timeout_seconds: number;
  /** "id generation,id generation,…" */
  beaten: string | null;
}

/**
 * Creates, revives and moves nothing, and says only who was live. The ids must match the contract: they are joined by
 * commas.
 */
export async function beatSessionRows(database: Database, sessionIds: string[]): Promise<BeatRow> {
  const [row] = await database.heartbeats.query(
    (sql) => sql<BeatRow[]>`SELECT * FROM beat_sessions(${sessionIds.join(",")})`,
  );
  return row as BeatRow;
}

/** A beat with proof that was not accepted: of a live session, on which it has changed nothing. */
export type OtherBeat = { session_id: string } & (
  | { verdict: "again"; generation: number; heard_at: string; expires_at: string }
  | { verdict: "unproven"; challenge: string }
  | { verdict: "copy" }
);

/**
 * As beatSessionRows, for beats with proof of different sessions: what changes nothing that was ever promised, and says of
 * the other live ones what they are. The values must match the contract.
 */
export async function beatWithProof(
  database: Database,
  beats: Array<{ sessionId: string; proof: Proof }>,
): Promise<BeatRow & { others: OtherBeat[] | null }> {
  const joined = (value: (beat: { sessionId: string; proof: Proof }) => string | number) => beats.map(value).join(",");
  const [row] = await database.heartbeats.query(
    (sql) => sql<Array<BeatRow & { others: OtherBeat[] | null }>>`
      SELECT * FROM beat_with_proof(${joined((beat) => beat.sessionId)}, ${joined(({ proof }) => proof.instance)},
        ${joined(({ proof }) => proof.number)}, ${joined(({ proof }) => proof.beat_id)},
        ${joined(({ proof }) => proof.answer ?? "")})`,
  );
  return row as BeatRow & { others: OtherBeat[] | null };
}

/** Ends that session as cloned if the beat still proves that it is in use twice; tells whether this call did. */
export async function endCopy(database: Database, sessionId: string, proof: Proof): Promise<boolean> {
  const [row] = await database.requests.query(
    (sql, waits) => sql<Array<{ cloned: boolean }>>`
      SELECT end_copy(caller_waits(${waits}, ${sessionId}::text), ${proof.instance}, ${proof.number}, ${proof.beat_id},
        ${proof.answer ?? null}) AS cloned`,
  );
  return row?.cloned === true;
}

export interface LookRow {
  session_id: string;
  /** "locked": silent too long, but it cannot be made final just now, so nobody may be told. */
  outcome: EndingReason | "live" | "locked";
  /** When it ended, or when it would expire. */
  moment: Date;
  replaced_by_device: Device | null;
  /** Of a live one. */
  generation: number | null;
  /** What the operator who ended it says. */
  note: string | null;
  /** Of a live one: whether it takes only calls with proof. */
  proven: boolean | null;
  /** The database's clock. */
  at: Date;
}

/**
 * What became of these sessions: a row for each that has ended or cannot be told of yet, and if asked for, for each that
 * is live. Looking is no heartbeat. The ids must match the contract: they are joined by commas.
 */
export async function lookAtSessions(
  database: Database,
  sessionIds: string[],
  withLive: boolean,
  { lane = database.requests, until }: { lane?: Lane; until?: number } = {},
): Promise<LookRow[]> {
  return lane.query(
    (sql) =>
      sql<LookRow[]>`SELECT *, clock_timestamp() AS at FROM look_at_sessions(${sessionIds.join(",")}, ${withLive})`,
    undefined,
    until,
  );
}

/** Ends that session if it is live; never another one. */
export async function endSessionRow(database: Database, sessionId: string): Promise<boolean> {
  const [row] = await database.requests.query(
    (sql, waits) => sql`SELECT end_session(caller_waits(${waits}, ${sessionId}::text)) AS ended`,
  );
  return row?.ended;
}

interface StatusRow {
  /** False: it fell silent for too long, and nobody has taken it to the history yet. Null: the key has no session. */
  live: boolean | null;
  session_id: string;
  is_current: boolean;
  generation: number;
  started_at: Date;
  last_heartbeat: Date;
  expires_at: Date;
  device: Device | null;
  /** Until when a lease keeps the key from others. */
  leased_until: Date | null;
}

/** The session that stands with a key; undefined: there is no such key. Its id is whole only for the caller who sent it, and masked before it leaves the database. */
export async function selectStatus(
  database: Database,
  hash: Uint8Array,
  sessionId: string | undefined,
  until: number,
): Promise<StatusRow | undefined> {
  const [row] = await database.requests.query(
    (sql) => sql<StatusRow[]>`
      SELECT s.last_heartbeat > session_cutoff(clock_timestamp()) AS live, s.session_id = ${sessionId ?? ""} AS is_current,
             CASE WHEN s.session_id = ${sessionId ?? ""} THEN s.session_id ELSE mask_session_id(s.session_id) END AS session_id,
             s.generation, s.started_at, s.last_heartbeat, session_deadline(s.last_heartbeat) AS expires_at, s.device,
             l.until AS leased_until
      FROM keys k
      LEFT JOIN active_sessions s ON s.key_id = k.id
      LEFT JOIN leases l ON l.key_id = k.id AND l.until > clock_timestamp()
      WHERE k.key_hash = ${hash}`,
    undefined,
    until,
  );
  return row;
}

/** What becomes of the key's session when it is looked at: one that fell silent goes to the history. Undefined: it is gone. */
export async function lookAtSessionOfKey(
  database: Database,
  hash: Uint8Array,
  until: number,
): Promise<LookRow["outcome"] | undefined> {
  const [row] = await database.requests.query(
    (sql) => sql<Array<{ outcome: LookRow["outcome"] }>>`
      SELECT looked.outcome
      FROM keys k JOIN active_sessions s ON s.key_id = k.id, LATERAL look_at_sessions(s.session_id, true) looked
      WHERE k.key_hash = ${hash}`,
    undefined,
    until,
  );
  return row?.outcome;
}

export interface ExpiredRow {
  /** Masked, as the next. */
  access_key: string;
  session_id: string;
  expired_at: Date;
}

/** Moves at most that many silent sessions to the history; never a live one. */
export async function expireSessionRows(
  database: Database,
  { first, past }: PageRange,
  atMost: number,
): Promise<ExpiredRow[]> {
  return database.background.query(
    (sql) => sql<ExpiredRow[]>`SELECT * FROM expire_sessions(${first}::tid, ${past}::tid, ${atMost})`,
  );
}

/**
 * Makes the timeout the installation's: kept in the database, so that every process, a cleanup by a host's cron and an
 * operator's SQL go by the same. Returns what it was before if it was another; if it was not, no lock is needed.
 */
export async function setSessionTimeout(database: Database, seconds: number): Promise<number | undefined> {
  const [row] = await database.background.query(
    (sql) => sql<Array<{ before: number | null }>>`SELECT set_session_timeout(${seconds}) AS before`,
  );
  return row?.before ?? undefined;
}

/** Makes the history's coming partitions and drops those past the retention; no ending waits for it for long. */
export async function maintainHistory(
  database: Database,
  retentionDays: number,
): Promise<{ made: number; dropped: number }> {
  const [row] = await database.background.query(
    (sql) => sql<Array<{ made: number; dropped: number }>>`CALL tidy_history(${retentionDays}, 0, 0)`,
  );
  return row as { made: number; dropped: number };
}

export interface Kicked {
  /** A live one. */
  sessionEnded: boolean;
  /** One that still held. */
  leaseFreed: boolean;
}

/**
 * Ends the session of that key, or only that generation of it, as revoked if it is still live, and tells its device the
 * note; and its lease. One that started since stays. What it did, if anything, is returned, and is in the audit log.
 */
export async function kickSessionRow(
  database: Database,
  kick: { keyId: number; generation: number | null; note: string | null },
  by: Operator,
): Promise<Kicked> {
  const [row] = await database.operators.query(
    (sql, waits) => sql<Array<{ revoked: boolean; lease_freed: boolean }>>`
      SELECT done.revoked, done.lease_freed, CASE WHEN done.revoked OR done.lease_freed THEN
        record_audit(${by.who}, ${by.from}, CASE WHEN done.revoked THEN 'session_kicked' ELSE 'lease_freed' END,
                     ${kick.keyId}, jsonb_build_object('reason', ${kick.note}::text)
                     || CASE WHEN done.revoked AND done.lease_freed THEN '{"lease_freed": true}'::jsonb ELSE '{}' END)
        END AS entry
      FROM free_key(caller_waits(${waits}, ${kick.keyId}::bigint), ${kick.generation}, ${kick.note}) done`,
  );
  return { sessionEnded: row?.revoked === true, leaseFreed: row?.lease_freed === true };
}
