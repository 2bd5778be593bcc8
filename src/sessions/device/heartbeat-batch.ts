/**
 * Sends heartbeats to the database together: while one batch is under way the next one gathers, without a timer. Every
 * caller is answered from its own row's outcome, after the database answered.
 *
 *   beat ─► live: answered
 *     ▲ └─► not: its fate is looked up beside the next batches, in batches of its own ─► ended, unknown: answered
 *     └──────── live after all (its row was locked), or not known yet ◄──────────────┘
 *
 * So a live session never waits for the history, which holds the endings.
 *
 * Beats with proof travel in batches of their own, two of one session in two of them. What they can be besides, unproven or
 * of a copy, is told by the batch; a copy is ended by a call of its own, as that waits for the history.
 */
import type { Database } from "../../database/database.ts";
import { unavailable } from "../../errors.ts";
import type { Proof } from "./contract.ts";
import type { DeviceCounts } from "./counts.ts";
import { type Ending, endingOf } from "./ending.ts";
import { createBatches, WAIT_MS_MAX } from "./natural-batching.ts";
import { type BeatRow, beatSessionRows, beatWithProof, endCopy, type LookRow, lookAtSessions } from "./sql.ts";

type Live = { generation: number; at: Moment };
/** A beat that keeps nothing alive, of a live session. */
type Unproven = { challenge: string } | "proof_required";
/** The outcome of one session. */
type Beat = Live | { unproven: Unproven } | { ending: Ending | "unknown" };

/** When a beat was accepted; of those without proof, what all sessions of one batch share. */
interface Moment {
  serverTime: string;
  expiresAt: string;
  expiresInSeconds: number;
  /** How long ago: the same beat may be sent again. */
  agoSeconds: number;
}

export type Heartbeats = (sessionId: string, proof?: Proof) => Promise<Beat>;

/** Before asking again for a session whose row was locked. */
const AGAIN_MS = 20;

/** Batches the heartbeats of this process. */
export function createHeartbeats(database: Database, counts?: Pick<DeviceCounts, "batches" | "copies">): Heartbeats {
  const beat = createBatches({
    send: (sessionIds: string[]) => beatBatch(database, sessionIds),
    counts: counts?.batches,
  });
  const beatProven = createBatches({
    send: (lines: string[]) => beatProvenBatch(database, lines),
    subjectOf: (line) => readLine(line).sessionId,
    counts: counts?.batches,
  });
  const look = createBatches({ send: (sessionIds: string[]) => lookBatch(database, sessionIds) });
  return async (sessionId, proof) => {
    const since = performance.now();
    while (performance.now() - since < WAIT_MS_MAX) {
      const beaten = await (proof ? beatProven(writeLine(sessionId, proof), since) : beat(sessionId, since));
      if (beaten && beaten !== "copy") return beaten;
      if (beaten && proof && (await endCopy(database, sessionId, proof)) && counts) counts.copies++;
      const row = await look(sessionId, since);
      if (!row) return { ending: "unknown" };
      if (row.outcome !== "live" && row.outcome !== "locked") return { ending: endingOf(row) };
      if (row.proven && !proof) return { unproven: "proof_required" };
      await new Promise((done) => setTimeout(done, AGAIN_MS));
    }
    throw unavailable(new Error("the session's row, or the history, is held by somebody else"));
  };
}

async function beatBatch(database: Database, sessionIds: string[]): Promise<(sessionId: string) => Live | undefined> {
  const beats = readBeaten(await beatSessionRows(database, sessionIds));
  return (sessionId) => beats.get(sessionId);
}

async function beatProvenBatch(
  database: Database,
  lines: string[],
): Promise<(line: string) => Live | { unproven: Unproven } | "copy" | undefined> {
  const row = await beatWithProof(database, lines.map(readLine));
  const beats = new Map<string, Live | { unproven: Unproven } | "copy">(readBeaten(row));
  for (const other of row.others ?? []) {
    if (other.verdict === "copy") beats.set(other.session_id, "copy");
    else if (other.verdict === "unproven") beats.set(other.session_id, { unproven: { challenge: other.challenge } });
    else beats.set(other.session_id, { generation: other.generation, at: momentOf(other, row.beat_at) });
  }
  return (line) => beats.get(readLine(line).sessionId);
}

/** A beat with proof as one word of a batch: none of its values contains a blank. */
const writeLine = (sessionId: string, { instance, number, beat_id, answer = "" }: Proof): string =>
  `${sessionId} ${instance} ${number} ${beat_id} ${answer}`;

function readLine(line: string): { sessionId: string; proof: Proof } {
  const [sessionId = "", instance = "", number, beat_id = "", answer = ""] = line.split(" ");
  return { sessionId, proof: { instance, number: Number(number), beat_id, answer } };
}

function readBeaten(row: BeatRow): Map<string, Live> {
  const at: Moment = {
    serverTime: row.beat_at.toISOString(),
    expiresAt: new Date(row.beat_at.getTime() + row.timeout_seconds * 1000).toISOString(),
    expiresInSeconds: row.timeout_seconds,
    agoSeconds: 0,
  };
  const beats = new Map<string, Live>();
  for (const pair of row.beaten?.split(",") ?? []) {
    const space = pair.indexOf(" ");
    beats.set(pair.slice(0, space), { generation: Number(pair.slice(space + 1)), at });
  }
  return beats;
}

/** Of a beat accepted before, as seen now: never more than is left. */
export function momentOf(beat: { heard_at: Date | string; expires_at: Date | string }, now: Date): Moment {
  const expiresAt = new Date(beat.expires_at);
  return {
    serverTime: now.toISOString(),
    expiresAt: expiresAt.toISOString(),
    expiresInSeconds: (expiresAt.getTime() - now.getTime()) / 1000,
    agoSeconds: Math.max(0, (now.getTime() - new Date(beat.heard_at).getTime()) / 1000),
  };
}

/** On the heartbeats' lane too, one at a time: it has a connection to spare beside a batch and a tick. */
async function lookBatch(
  database: Database,
  sessionIds: string[],
): Promise<(sessionId: string) => LookRow | undefined> {
  const rows = await lookAtSessions(database, sessionIds, true, { lane: database.heartbeats });
  const found = new Map(rows.map((row) => [row.session_id, row]));
  return (sessionId) => found.get(sessionId);
}
