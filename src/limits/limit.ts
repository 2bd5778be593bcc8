/**
 * Counts an address's failures across all processes, and limits them:
 *
 *   within the limit    judged and answered
 *   over it             still judged: a right key or token gets through, a wrong one is told to wait
 *   over ten times it   told to wait unjudged, right or wrong: a guess then costs the database nothing, and reveals nothing
 *
 * Each process remembers a bounded number of addresses, and learns the others' counts with each count of its own. While
 * the database does not answer at once, its own count alone applies.
 */
import type { Database } from "../database/database.ts";
import { AppError } from "../errors.ts";
import { groupAddress } from "../http/client-address.ts";
import { addCounts } from "./sql.ts";

/** Null stands for a caller without an address, who is never limited. */
type Address = string | null;

export interface Limit {
  /** Throws rate_limited for an address that is over ten times the limit. Does not ask the database. */
  admit(address: Address): void;
  /** Counts one failure. Throws rate_limited if that is over the limit. */
  count(address: Address): Promise<void>;
}

/** An address went over a limit: reported once a minute, by the process that noticed. */
export interface OverLimit {
  name: string;
  address: string;
  count: number;
  limit: number;
}

const WINDOW_SECONDS = 60;
const UNJUDGED_TIMES = 10;
/** A megabyte or two; a forgotten address is known again with its next count. */
const ADDRESSES_MAX = 10_000;
/** How long a caller waits for the count of all processes. */
const COUNT_MS_MAX = 400;

interface Entry {
  address: string;
  /** Counted here. */
  own: number;
  /** Of these, what the others do not know yet. */
  unsent: number;
  /** Counted by the others, as far as known here. */
  others: number;
  endsAt: number;
  reported: boolean;
}

export interface LimitOptions {
  name: string;
  /** 0: no limit. */
  perMinute: number;
  /** What is said to who is over it. */
  message: string;
}

export type CreateLimit = (options: LimitOptions) => Limit;

export function createLimit(
  database: Database,
  { name, perMinute, message, report }: LimitOptions & { report(over: OverLimit): void },
): Limit {
  if (perMinute === 0) return { admit: () => {}, count: async () => {} };
  const entries = new Map<string, Entry>();
  const unsent = new Set<Entry>();
  let counting: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  const find = (address: string): Entry | undefined => {
    const entry = entries.get(address);
    return entry !== undefined && performance.now() < entry.endsAt ? entry : undefined;
  };

  const make = (address: string): Entry => {
    entries.delete(address);
    const [oldest] = entries.keys();
    if (oldest !== undefined && entries.size >= ADDRESSES_MAX) entries.delete(oldest);
    const endsAt = performance.now() + WINDOW_SECONDS * 1000;
    const entry = { address, own: 0, unsent: 0, others: 0, endsAt, reported: false };
    entries.set(address, entry);
    return entry;
  };

  const reportOnce = (entry: Entry, isNews: boolean) => {
    const count = entry.own + entry.others;
    if (entry.reported || count <= perMinute) return;
    entry.reported = true;
    if (isNews) report({ name, address: entry.address, count, limit: perMinute });
  };

  const send = async (): Promise<void> => {
    const batch = new Map([...unsent].map((entry) => [`${name}:${entry.address}`, { entry, points: entry.unsent }]));
    for (const { entry } of batch.values()) entry.unsent = 0;
    unsent.clear();
    try {
      const counted = [...batch].map(([key, { points }]) => ({ key, points }));
      for (const row of await addCounts(database, counted, WINDOW_SECONDS)) {
        const { entry, points } = batch.get(row.key) as { entry: Entry; points: number };
        entry.others = Math.max(entry.others, row.points - (entry.own - entry.unsent));
        entry.endsAt = performance.now() + row.rest_ms;
        reportOnce(entry, row.points - points <= perMinute);
      }
    } catch {
      for (const { entry } of batch.values()) reportOnce(entry, true);
    }
  };

  /** Resolves when all counts so far are written. Counts that arrive while a batch is under way form the next one. */
  const countTogether = (): Promise<void> => {
    if (counting !== undefined) {
      next ??= counting.then(() => {
        next = undefined;
        return countTogether();
      });
      return next;
    }
    counting = send().finally(() => {
      counting = undefined;
    });
    return counting;
  };

  const tooMany = (entry: Entry): AppError => {
    const seconds = Math.ceil((entry.endsAt - performance.now()) / 1000);
    const retryAfterSeconds = Math.min(WINDOW_SECONDS, Math.max(1, seconds));
    return new AppError("rate_limited", message, {}, { retryAfterSeconds });
  };

  return {
    admit(address) {
      const entry = address === null ? undefined : find(groupAddress(address));
      if (entry !== undefined && entry.own + entry.others > perMinute * UNJUDGED_TIMES) throw tooMany(entry);
    },
    async count(address) {
      if (address === null) return;
      const group = groupAddress(address);
      const entry = find(group) ?? make(group);
      const nth = ++entry.own;
      entry.unsent++;
      unsent.add(entry);
      const counted = countTogether();
      // An address over the limit by the counts known here is over it by all counts.
      if (nth + entry.others <= perMinute) await atMost(COUNT_MS_MAX, counted);
      if (nth + entry.others > perMinute) throw tooMany(entry);
    },
  };
}

async function atMost(ms: number, done: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([done, late]);
  clearTimeout(timer);
}
