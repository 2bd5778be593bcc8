/** Sessions that end by themselves, and are kept for a time: how the kinds tidy them, piece by piece. */
import { setTimeout as sleep } from "node:timers/promises";
import { REQUEST_DEADLINE_MS } from "../database/database.ts";
import type { SettleRow } from "./contract.ts";

const PIECE_SIZE = 500;
/** Of what is not ended, few rows of each piece. */
const REDATED_SIZE = 2_000;
const REDATE_MS = 10_000;

/** Ends at most so many whose time is over; as many looked at as allowed means that there may be more. */
export type Settle = (lane: "requests" | "background", atMost: number) => Promise<SettleRow>;

/** Ends whatever is over, so that a list shows none that is not; an index says at once that there is nothing. */
export async function settleAll(settle: Settle): Promise<void> {
  const until = performance.now() + REQUEST_DEADLINE_MS / 2;
  while ((await settle("requests", PIECE_SIZE)).looked_at === PIECE_SIZE && performance.now() < until);
}

/** After their silence was made shorter, dates the next so many anew; whether there may be more. */
export type Redate = (atMost: number) => Promise<boolean>;

/** At the start, so that lists heed the shorter silence at once. Of very many the cleanup dates the rest. */
export const redateAll = (redate: Redate): Promise<void> =>
  inPieces(performance.now() + REDATE_MS, () => redate(REDATED_SIZE));

/**
 * Ends those whose time is over, which every reader would do for the one that it reads, and has old ones forgotten until none
 * is left, until `untilMs` (on performance.now()). Between two pieces it rests as long as the first took, for all others.
 */
export async function tidy(
  { redate, settle, forget }: { redate: Redate; settle: Settle; forget(): Promise<number> },
  untilMs: number,
): Promise<{ ended: number; forgotten: number }> {
  const done = { ended: 0, forgotten: 0 };
  await inPieces(untilMs, () => redate(REDATED_SIZE));
  await inPieces(untilMs, async () => {
    const { looked_at, ended } = await settle("background", PIECE_SIZE);
    done.ended += ended;
    return looked_at === PIECE_SIZE;
  });
  await inPieces(untilMs, async () => {
    const forgotten = await forget();
    done.forgotten += forgotten;
    return forgotten > 0;
  });
  return done;
}

/** One piece at least; each says whether there may be more. */
async function inPieces(untilMs: number, piece: () => Promise<boolean>): Promise<void> {
  for (;;) {
    const beganMs = performance.now();
    if (!(await piece())) return;
    const nowMs = performance.now();
    const restMs = nowMs - beganMs;
    if (nowMs + restMs >= untilMs) return;
    await sleep(restMs);
  }
}
