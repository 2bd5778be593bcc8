/**
 * Notices sessions without proof that are heard of about twice as often as asked: one id may be in use on two devices.
 *
 * It looks at the rows every few seconds and counts how often each was heard of since, so a heartbeat costs nothing, and the
 * beats of all processes count. Each process looks at a range of keys of its own, another one every ten minutes (all of them
 * on small installations), and at those that are suspected: so a suspicion ends when its cause does.
 */
import type { Database } from "../../database/database.ts";
import type { Clock } from "../../jobs/clocks.ts";
import { chooseRange, type HeardRow, keepSuspects, selectHeard } from "./copy-watch-sql.ts";

const SESSIONS_MAX = 5_000;
const RANGE_SECONDS = 600;
/** After so many intervals a session is judged, and counted anew. */
const INTERVALS = 11;
/** One device has 1.2 at most, as it asks for 25 to 30 s and beats once more; two have 1.9, as some beats fall together. */
const TIMES_MIN = 1.5;

interface Counted {
  generation: number;
  lastHeard: number;
  since: number;
  heard: number;
}

export interface Judged {
  suspects: Array<{ key_id: number; generation: number; times: number }>;
  cleared: number[];
}

export type CountHeard = (rows: HeardRow[], nowSeconds: number) => Judged;

/** Counts how often sessions were heard of; tells of those that have been counted for long enough. */
export function createCount(heartbeatSeconds: number): CountHeard {
  /** What a device waits on average (heartbeatIn). */
  const askedSeconds = (heartbeatSeconds * 11) / 12;
  let counted = new Map<number, Counted>();
  return (rows, now) => {
    const before = counted;
    counted = new Map();
    const judged: Judged = { suspects: [], cleared: [] };
    for (const { key_id, generation, heard } of rows) {
      const was = before.get(key_id);
      const fresh = { generation, lastHeard: heard, since: now, heard: 0 };
      const one = was?.generation === generation ? was : fresh;
      counted.set(key_id, one);
      if (heard > one.lastHeard) one.heard++;
      one.lastHeard = heard;
      const intervals = (now - one.since) / askedSeconds;
      if (intervals < INTERVALS) continue;
      const times = one.heard / intervals;
      if (times >= TIMES_MIN) judged.suspects.push({ key_id, generation, times });
      else judged.cleared.push(key_id);
      counted.set(key_id, fresh);
    }
    return judged;
  };
}

export function watchForCopies(database: Database, heartbeatSeconds: number): Clock {
  const count = createCount(heartbeatSeconds);
  let range = { from: 0, until: 0 };
  return {
    name: "sessions that may be copied",
    // Ten looks an interval: two beats seldom fall between the same two.
    everyMs: Math.min(10, Math.max(1, heartbeatSeconds / 10)) * 1000,
    async run() {
      const now = performance.now() / 1000;
      if (now >= range.until) range = { from: await chooseRange(database, SESSIONS_MAX), until: now + RANGE_SECONDS };
      const judged = count(await selectHeard(database, range.from, SESSIONS_MAX), now);
      if (judged.suspects.length + judged.cleared.length > 0) await keepSuspects(database, judged);
    },
  };
}
