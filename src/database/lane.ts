/**
 * A lane is a small pool of connections with a bound on everything: calls in flight, calls queued, and total time. Past
 * a bound the caller gets `unavailable` at once, and whatever happens to the database, every call settles by its
 * deadline.
 *
 * Calls of different temper have lanes of their own, so that a slow report never delays a heartbeat.
 */
import { afterReading } from "../after-reading.ts";
import { AppError, unavailable } from "../errors.ts";
import { createSecondsHistogram } from "../metrics/counts.ts";
import { type Histogram, observe } from "../metrics/histogram.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { findWay, openConnections, type Sql, type Way } from "./connections.ts";
import { createGate } from "./gate.ts";
import { createSocketFactory, SOCKET_TICK_MS, type SocketFactory } from "./socket.ts";

export type { Sql };

/** Time reserved, once the last lock is held, for the work, the commit and the answer. */
const ANSWER_MS = 200;
const OVERDUE_MS = 500;

export interface LaneOptions {
  name: string;
  connectionsMax: number;
  /** How many calls may queue for a connection before the next is turned away. */
  waitingMax: number;
  /** A call's total time, queueing included. */
  deadlineMs: number;
}

export interface LaneCounts {
  lane: string;
  calls: {
    ok: number;
    /** The statement or its data was wrong. */
    failed: number;
    /** The database was in trouble. */
    unavailable: number;
    late: number;
    /** The queue was full. */
    turned_away: number;
  };
  seconds: Histogram;
}

export interface Lane {
  readonly counts: LaneCounts;
  /**
   * Runs one statement; those that share a `turn` run one at a time. Throws `unavailable` for any trouble of the
   * database; the outcome is then unknown. A statement that changes something must be told how many milliseconds its
   * caller still `waits` (caller_waits in migrations/), so that it has no effect after that. Several calls for one
   * answer share one `until` (on performance.now()).
   */
  query<T>(statement: (sql: Sql, waits: number) => PromiseLike<T>, turn?: string, until?: number): Promise<T>;
  /** Closes connections that have been quiet since then, unless a call that is not late may be in flight on one. */
  dropQuiet(since: number): void;
  /** Whether a connection that was open then has received anything since. */
  heardSince(moment: number): boolean;
  close(): Promise<void>;
}

/** `onLate` is called when a call or a connection got no answer in time, with the time from when it waited. */
export function openLane(
  url: string,
  options: LaneOptions,
  { tracing, onLate }: { tracing?: Tracing | undefined; onLate?: (since: number) => void } = {},
): Lane {
  const way = findWay(url);
  const sockets = createSocketFactory(options.deadlineMs, way.destination.servers, onLate);
  let sql = openPool(way, options, sockets);
  const gate = createGate({
    insideMax: options.connectionsMax,
    waitingMax: options.waitingMax,
    turnWaitingMax: options.waitingMax / 4,
  });

  const counts: LaneCounts = {
    lane: options.name,
    calls: { ok: 0, failed: 0, unavailable: 0, late: 0, turned_away: 0 },
    seconds: createSecondsHistogram(),
  };

  /** A pool may stick to a demoted primary; a new one asks again which server is primary. */
  const replacePool = () => {
    const old = sql;
    sql = openPool(way, options, sockets);
    void old.end({ timeout: 1 });
  };

  const query: Lane["query"] = <T>(
    statement: (sql: Sql, waits: number) => PromiseLike<T>,
    turn?: string,
    until = Number.POSITIVE_INFINITY,
  ): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const began = performance.now();
      const deadlineMs = Math.min(options.deadlineMs, Math.max(0, until - began));
      let counted = false;
      const count = (outcome: keyof LaneCounts["calls"]) => {
        if (counted) return;
        counted = true;
        counts.calls[outcome]++;
        observe(counts.seconds, (performance.now() - began) / 1000);
      };
      const refuse = (outcome: "late" | "turned_away", why: string) => {
        count(outcome);
        reject(unavailable(new Error(`${options.name}: ${why}`)));
      };
      let call: PromiseLike<T> | undefined;
      let overdue: NodeJS.Timeout | undefined;
      const begin = () => {
        Promise.resolve()
          .then(() => {
            call = statement(sql, waitsUntil(began + deadlineMs));
            return call;
          })
          .then(
            (rows) => {
              count("ok");
              resolve(withoutGap(rows));
            },
            (error: unknown) => {
              if (codeOf(error) === "25006") replacePool();
              const mapped = mapError(error);
              count(mapped instanceof AppError ? "unavailable" : "failed");
              reject(mapped);
            },
          )
          .finally(() => {
            over = true;
            clearTimeout(deadline);
            clearInterval(overdue);
            gate.leave(turn);
          });
      };
      let over = false;
      // A late call keeps its place until its connection is free again, or cut.
      const giveUpLate = () => {
        if (over) return;
        giveUp?.();
        defuse(call);
        if (call) {
          onLate?.(began);
          // The connection was cut for its silence, unless the silence went unseen (see watch in socket.ts).
          overdue = setInterval(() => sockets.dropQuiet(options.deadlineMs), OVERDUE_MS).unref();
        }
        refuse("late", `no answer within ${Math.round(deadlineMs)} ms`);
      };
      const deadline = setTimeout(() => afterReading(giveUpLate), deadlineMs);
      const giveUp = gate.enter(begin, turn);
      if (!giveUp) {
        clearTimeout(deadline);
        refuse("turned_away", "too many calls are waiting");
      }
    });

  const traced: Lane["query"] = (statement, turn, until) =>
    (tracing as Tracing).call(options.name, (seen) =>
      query(
        (sql, waits) => {
          const call = statement(sql, waits);
          seen(textOf(call));
          return call;
        },
        turn,
        until,
      ),
    );

  return {
    counts,
    query: tracing ? traced : query,
    dropQuiet(since) {
      const ms = performance.now() - since;
      if (gate.isEmpty() || ms >= options.deadlineMs) sockets.dropQuiet(ms - SOCKET_TICK_MS);
    },
    heardSince: sockets.heardSince,
    close: () => sql.end({ timeout: 2 }).finally(sockets.close),
  };
}

/**
 * A parameter that says, evaluated when it is sent (a connection may have to be opened first), for how many more
 * milliseconds the statement's effect is wanted.
 */
function waitsUntil(moment: number): number {
  const waits = { toString: () => String(Math.max(0, Math.floor(moment - ANSWER_MS - performance.now()))) };
  return waits as unknown as number;
}

function openPool(way: Way, options: LaneOptions, sockets: SocketFactory): Sql {
  return openConnections(way, {
    name: options.name,
    max: options.connectionsMax,
    sockets,
    connectSeconds: 2,
    idleSeconds: 60,
    lifetimeSeconds: 300,
    backoffSeconds: () => 0.05 + Math.random() * 0.2,
  });
}

/**
 * If a connection breaks in the middle of a result, the driver (3.4.9) puts the rows already received as empty slots in
 * front of the next result.
 */
function withoutGap<T>(rows: T): T {
  if (Array.isArray(rows)) while (rows.length > 0 && !(0 in rows)) rows.shift();
  return rows;
}

/**
 * A call given up while it waits in the driver for a connection must not run later: a start would take over the key
 * long after its caller got 503. The driver's own cancel() would lose the connection being opened (3.4.9), so the
 * statement is made harmless instead.
 */
function defuse(call: unknown): void {
  const query = call as { state?: unknown; strings?: unknown; args?: unknown } | undefined;
  if (query?.state !== null || !Array.isArray(query.strings)) return;
  query.strings = Object.assign(["SELECT 1"], { raw: ["SELECT 1"] });
  query.args = [];
}

/** The text that is sent, without its parameters. */
function textOf(call: unknown): string | undefined {
  const { strings } = call as { strings?: unknown };
  if (!Array.isArray(strings)) return undefined;
  return strings
    .map((part, at) => (at === 0 ? part : `$${at}${part}`))
    .join("")
    .replace(/\s+/g, " ")
    .trim();
}

/**
 * SQLSTATEs that mean "not now" rather than "bad request": connection trouble (08), resources (53), operator
 * intervention (57), a lock or statement timeout (55P03, 57014), a deadlock or serialization failure (40), a read-only
 * primary (25006), a disk or file error (58), a prepared statement lost behind a pooler (26000, 42P05).
 */
const PASSING = /^(08|53|57|58|40|55P03|25006|26000|42P05)/;

function mapError(error: unknown): unknown {
  const code = codeOf(error);
  if (code === undefined) return error;
  // Codes of the driver and the socket are words (CONNECTION_CLOSED, ECONNREFUSED, EAI_AGAIN for a failed name lookup);
  // SQLSTATEs have five characters.
  const ownCode = /^(CONNECT|E[A-Z]{3}|EAI_)/.test(code);
  return ownCode || PASSING.test(code) ? unavailable(error) : error;
}

function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}
