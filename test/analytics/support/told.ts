/** What the service tells of many questions at once, as of a moment, and how it differs from what is true. */
import type { AnalyticsReply } from "../../../src/analytics/contract.ts";
import { describeNumbers } from "../../../src/analytics/read.ts";
import type { NumbersRow } from "../../../src/analytics/sql.ts";
import type { TestDatabase } from "../../support/database.ts";
import { type Asked, countPlainly, type Frame, percentile, readPlainly } from "./plain.ts";

/** Of a service (undefined) and of players. */
export const askAll = (
  frames: readonly Frame[],
  types: readonly Asked["type"][],
  players: readonly Asked["player"][],
): Asked[] => frames.flatMap((frame) => types.flatMap((type) => players.map((player) => ({ frame, type, player }))));

/** The histogram's error, and what lies below its first bucket's end. */
const ERROR = 0.025;
const ERROR_MS = 1.1;

/** Whatever differs at that moment from what counting the sessions gives. */
export async function findLies(db: TestDatabase, at: number, asked: Asked[]): Promise<string[]> {
  const [sessions, replies] = [await readPlainly(db, at), await ask(db, at, asked)];
  return asked.flatMap((one, place) => {
    const { durations, ...truth } = countPlainly(sessions, one, at);
    const { duration_seconds, performance_metrics, ...told } = replies[place] as AnalyticsReply;
    const [said, is] = [told, truth].map((all) => JSON.stringify(Object.entries(all).sort()));
    const about = `${one.frame} ${one.type ?? "all"} ${one.player ?? "service"}`;
    return [
      ...(said === is ? [] : [`${about}: told ${said}, is ${is}`]),
      ...findWrong(duration_seconds?.p50, percentile(durations, 0.5)).map((fault) => `${about} p50: ${fault}`),
      ...findWrong(duration_seconds?.p95, percentile(durations, 0.95)).map((fault) => `${about} p95: ${fault}`),
    ];
  });
}

function findWrong(toldSeconds: number | undefined, ms: number | undefined): string[] {
  const isRight =
    toldSeconds === undefined || ms === undefined
      ? toldSeconds === ms
      : Math.abs(toldSeconds * 1000 - ms) <= Math.max(ms * ERROR + 1e-6, ERROR_MS);
  return isRight ? [] : [`told ${toldSeconds} s, is ${ms} ms`];
}

async function ask(db: TestDatabase, at: number, asked: Asked[]): Promise<AnalyticsReply[]> {
  const questions = asked.map((one, place) => ({ ...one, place }));
  const rows = await db.sql`
    SELECT q.frame, n.*
    FROM jsonb_to_recordset(${db.sql.json(questions)}) AS q (frame text, type text, player uuid, place integer),
      LATERAL game_numbers(q.frame, q.type, q.player, q.player IS NULL, false,
                           timestamptz 'epoch' + ${at}::float8 * interval '1 microsecond') n
    ORDER BY q.place`;
  return rows.map((row) => describeNumbers(row as unknown as NumbersRow, row.frame, "all"));
}
