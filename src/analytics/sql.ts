/** The numbers over game sessions, and how fast they are answered; see migrations/functions/game-numbers.sql. */
import type { Database } from "../database/database.ts";

/** Whose sessions are meant. */
export interface Reader {
  playerId: string | undefined;
  /** Everybody's. */
  isService: boolean;
}

export interface NumbersQuery {
  timeframe: string;
  /** Undefined: all. */
  type: string | undefined;
  wantsPerformance: boolean;
}

export interface NumbersRow {
  /** At that moment, whenever they were created; all others are of those created within the timeframe. */
  active: number;
  sessions: number;
  paused: number;
  completed: number;
  terminated: number;
  /** Of those that have ended, all together. */
  duration_ms: number;
  actions: number;
  refused: number;
  p50_ms: number | null;
  p95_ms: number | null;
  by_type: Array<[type: string, sessions: number]>;
  /** The beginning is in milliseconds since 1970. */
  steps: Array<[beginning: number, sessions: number, completed: number, ended: number, durationMs: number]>;
  performance: { calls: number; total_ms: number; seconds: number; buckets: number[] } | null;
}

/** By one snapshot, whether or not somebody has settled what is over; takes no lock. */
export async function selectNumbers(
  database: Database,
  { timeframe, type, wantsPerformance }: NumbersQuery,
  { playerId, isService }: Reader,
): Promise<NumbersRow> {
  const [row] = await database.requests.query(
    (sql) => sql<NumbersRow[]>`
      SELECT * FROM game_numbers(${timeframe}, ${type ?? null}, ${playerId ?? null}::uuid, ${isService}, ${wantsPerformance})`,
  );
  return row as NumbersRow;
}

export interface Measured {
  seconds: number;
  calls: number;
  totalMs: number;
  /** How many calls each bucket has. */
  buckets: number[];
}

/** What a process has measured since it last did this; gives up at `untilMs` (on performance.now()). */
export async function insertPerformance(
  database: Database,
  process: string,
  measured: Measured,
  untilMs: number,
): Promise<void> {
  const { seconds, calls, totalMs, buckets } = measured;
  await database.background.query(
    (sql, waits) => sql`
      SELECT keep_game_performance(caller_waits(${waits}, ${process}::uuid), ${seconds}, ${calls}, ${totalMs}, ${`{${buckets}}`})`,
    undefined,
    untilMs,
  );
}

/** Makes fewer rows of at most so many, which changes no number. Returns how many fewer. */
export async function foldRows(
  database: Database,
  table: "game_rollups" | "game_performance",
  atMost: number,
): Promise<number> {
  const [row] = await database.background.query((sql) =>
    table === "game_rollups"
      ? sql`SELECT fold_game_rollups(${atMost}) AS folded`
      : sql`SELECT fold_game_performance(${atMost}) AS folded`,
  );
  return row?.folded;
}
