/**
 * A lane is a small pool of connections with a bound on everything: how many calls are under way, how many wait, and
 * how long any of them may take in all. Past a bound the caller gets `unavailable` at once, and whatever happens to
 * the database, every call is settled by its deadline.
 *
 * Calls of different temper have lanes of their own, so that a slow report never stands before a heartbeat.
 */
import { AppError, unavailable } from "../errors.ts";
import { createSecondsHistogram } from "../metrics/counts.ts";
import { type Histogram, observe } from "../metrics/histogram.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { findWay, openConnections, type Sql, type Way } from "./connections.ts";
import { createGate } from "./gate.ts";
import { createSocketFactory, SOCKET_TICK_MS, type SocketFactory } from "./socket.ts";

export type { Sql };

/** What is left of a caller's time when the last lock must be had: to do the work, to commit, and for the answer. */
const ANSWER_MS = 200;
const OVERDUE_MS = 500;

export interface LaneOptions {
  name: string;
  connectionsMax: number;
  /** How many calls may wait for a connection before the next is turned away. */
  waitingMax: number;
  /** The whole time of a call, waiting included. */
  deadlineMs: number;
}

export interface LaneCounts {
  lane: string;
  calls: {
    ok: number;
    /** The statement was wrong, or its data. */
    failed: number;
    /** The database was in trouble. */
    unavailable: number;
    late: number;
    /** Too many were waiting. */
    turned_away: number;
  };
  seconds: Histogram;
}

export interface Lane {
  readonly counts: LaneCounts;
  /**
   * Runs one statement; those of one `turn` one after the other. Throws `unavailable` for any trouble of the database;
   * the outcome is then unknown. What changes something is to be told how many milliseconds its caller still `waits` (see
   * caller_waits in migrations/), so that it has no effect after that. Who makes several calls for one answer gives all of
   * them one `until` (on performance.now()).
   */
  query<T>(statement: (sql: Sql, waits: number) => PromiseLike<T>, turn?: string, until?: number): Promise<T>;
  /** Closes connections on which nothing has come or gone since, unless a call may be under way on one that is not late. */
  dropQuiet(since: number): void;
  /** Whether a connection that was open then has brought anything since. */
  heardSince(moment: number): boolean;
  close(): Promise<void>;
}

/** `onLate` is told when a call got no answer in time: since when it has been sent for. */
export function openLane(
  url: string,
  options: LaneOptions,
  { tracing, onLate }: { tracing?: Tracing | undefined; onLate?: (since: number) => void } = {},
): Lane {
  const way = findWay(url);
  const sockets = createSocketFactory(options.deadlineMs, way.destination.servers);
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

  /** A pool can stay with a primary that was demoted; a new one asks again who is the primary. */
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
            clearTimeout(deadline);
            clearInterval(overdue);
            gate.leave(turn);
          });
      };
      // A call that is late keeps its place inside until its connection is free again, or cut.
      const deadline = setTimeout(() => {
        giveUp?.();
        defuse(call);
        if (call) {
          onLate?.(began);
          // The connection is cut for its silence, unless that could not be seen (see watch in socket.ts).
          overdue = setInterval(() => sockets.dropQuiet(options.deadlineMs), OVERDUE_MS).unref();
        }
        refuse("late", `no answer within ${Math.round(deadlineMs)} ms`);
      }, deadlineMs);
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
 * A parameter that says, when it is sent and not before (a connection may have to be opened first), for how many
 * milliseconds more its effect is wanted.
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
 * A connection that breaks within a result, its rows sent and not yet its end, makes the driver (3.4.9) put the first
 * result of the next one behind so many empty places.
 */
function withoutGap<T>(rows: T): T {
  if (Array.isArray(rows)) while (rows.length > 0 && !(0 in rows)) rows.shift();
  return rows;
}

/**
 * A call that was given up before it was sent (it waits in the driver for a connection) must not be carried out later:
 * a start would take the key over long after its caller was told 503. The driver's own cancel() would lose the
 * connection that is being opened for it (3.4.9), so the statement is made harmless instead.
 */
function defuse(call: unknown): void {
  const query = call as { state?: unknown; strings?: unknown; args?: unknown } | undefined;
  if (query?.state !== null || !Array.isArray(query.strings)) return;
  query.strings = Object.assign(["SELECT 1"], { raw: ["SELECT 1"] });
  query.args = [];
}

/** What is sent as text; the parameters are not in it. */
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
 * SQLSTATEs that say "not now" rather than "you asked for nonsense": connection trouble (08), resources (53), operator
 * intervention (57), a lock or statement deadline (55P03, 57014), a deadlock or serialization failure (40), a
 * read-only primary (25006), a disk or file error (58), a broken prepared statement behind a pooler (26000, 42P05).
 */
const PASSING = /^(08|53|57|58|40|55P03|25006|26000|42P05)/;

function mapError(error: unknown): unknown {
  const code = codeOf(error);
  if (code === undefined) return error;
  // The driver's and the socket's own codes are words (CONNECTION_CLOSED, ECONNREFUSED, EAI_AGAIN of a name that cannot
  // be looked up now), SQLSTATEs have five characters.
  const ownCode = /^(CONNECT|E[A-Z]{3}|EAI_)/.test(code);
  return ownCode || PASSING.test(code) ? unavailable(error) : error;
}

function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}
