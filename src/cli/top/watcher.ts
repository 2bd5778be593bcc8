/**
 * Looks at the database repeatedly, through outages: each look is a picture, or the reason why there is none. It uses
 * one connection, gives every statement 2 seconds, and starts no embedded database: it only looks at a running one.
 */
import type { Config } from "../../config.ts";
import { type Lane, openLane } from "../../database/lane.ts";
import { countSessions, type SessionCounts } from "../../sessions/device/live-sql.ts";
import { type Counters, readCounters, readTakeovers, type Takeover } from "../../sessions/device/traffic-sql.ts";
import { readTrustNumbers, type TrustNumbers } from "../../sessions/device/trust-numbers-sql.ts";
import { findTarget, whyAway } from "../target.ts";

const DEADLINE_MS = 2000;
const COUNT_EVERY_MS = 5000;
/** The time that a rate covers: a quiet process reports to PostgreSQL's counters only every 10 s. */
const RATE_MS = 10_000;
export const TAKEOVERS_MAX = 50;

export interface Picture {
  at: Date;
  live: number;
  overdue: number;
  /** Keys held offline by a lease. */
  leases: number;
  /** Live sessions that may be in use on two devices. */
  mayBeCopied: number;
  /** Per second, over the last 10 s at most; undefined on the first look. */
  rates: Rates | undefined;
  /** How long ago a serving process last ticked; null: never. */
  serviceSilentSeconds: number | null;
  connections: number;
  connectionsMax: number;
  takeovers: Takeover[];
}

export interface Rates {
  heartbeats: number;
  starts: number;
  takeovers: number;
  /** Sessions that ended in other ways: expired, ended, revoked, cloned. */
  otherEndings: number;
}

export type Look = Picture | { at: Date; unavailable: string };

export interface Watcher {
  look(): Promise<Look>;
  close(): Promise<void>;
}

export function openWatcher(config: Config): Watcher {
  let lane: Lane | undefined;
  let url: string | undefined;
  let readings: Counters[] = [];
  let counted: { at: number; counts: SessionCounts & TrustNumbers } | undefined;

  /** The embedded database may come back on another port. */
  const connect = async (): Promise<Lane> => {
    const target = await findTarget(config);
    if ("missing" in target) throw new Error(target.missing);
    if (lane === undefined || target.url !== url) {
      await lane?.close();
      lane = openLane(target.url, { name: "top", connectionsMax: 1, waitingMax: 4, deadlineMs: DEADLINE_MS });
      url = target.url;
      readings = [];
      counted = undefined;
    }
    return lane;
  };

  const take = async (): Promise<Picture> => {
    const open = await connect();
    const counters = await readCounters(open);
    const newest = readings.at(-1);
    // Counters that fell were reset, or belong to another server.
    if (newest && counters.session_updates < newest.session_updates) readings = [];
    readings = [...readings.filter(({ at }) => at >= counters.at - RATE_MS), counters];
    if (!counted || performance.now() - counted.at >= COUNT_EVERY_MS) {
      const counts = { ...(await countSessions(open)), ...(await readTrustNumbers(open)) };
      counted = { at: performance.now(), counts };
    }
    return {
      at: new Date(counters.at),
      live: counted.counts.live,
      overdue: counted.counts.silent,
      leases: counted.counts.leases,
      mayBeCopied: counted.counts.may_be_copied,
      rates: ratesOf(readings),
      serviceSilentSeconds: counters.tick_age_seconds,
      connections: counters.connections,
      connectionsMax: counters.connections_max,
      takeovers: await readTakeovers(open, TAKEOVERS_MAX),
    };
  };

  return {
    look: () => take().catch((error: unknown) => ({ at: new Date(), unavailable: whyAway(error) })),
    close: async () => lane?.close(),
  };
}

/**
 * Every ending adds a row to the history. A takeover updates the session's row, any other ending deletes it. So endings
 * without a deletion are takeovers, insertions plus takeovers are starts, and all other updates are beats.
 */
function ratesOf(readings: Counters[]): Rates | undefined {
  const [first] = readings;
  const last = readings.at(-1);
  if (!first || !last || last.at <= first.at) return undefined;
  const seconds = (last.at - first.at) / 1000;
  const grown = (of: (counters: Counters) => number) => (of(last) - of(first)) / seconds;
  const otherEndings = grown((counters) => counters.session_deletes);
  const takeovers = Math.max(0, grown((counters) => counters.endings) - otherEndings);
  return {
    heartbeats: Math.max(0, grown((counters) => counters.session_updates) - takeovers),
    starts: grown((counters) => counters.session_inserts) + takeovers,
    takeovers,
    otherEndings,
  };
}
