/** What races run on: six processes of the program on one database, two of them real servers behind HTTP. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, vi } from "vitest";
import { AppError, STATUS } from "../../../../src/errors.ts";
import type { Reply } from "../../../support/app.ts";
import type { TestDatabase } from "../../../support/database.ts";
import { type RunningServer, startServer } from "../../../support/process.ts";
import { newSessionId } from "../../../support/secrets.ts";
import { type Link, maskSessionId } from "./chain.ts";
import { openProcesses, tryStart } from "./subject.ts";

export type Answer = Pick<Reply, "status" | "body">;

export interface RacingProgram {
  /** By the servers in turn. */
  ask(verb: "start" | "heartbeat" | "end", body: Record<string, unknown>): Promise<Answer>;
  /** By all six in turn. */
  start(key: string, sessionId?: string): Promise<Answer>;
}

/** The service had too much to do. Whether it did what it was asked to is unknown. */
export class Busy extends Error {}

/** For a test file, as useDatabase. At its end no deadlock may have happened. */
export function useRacingProgram(db: TestDatabase): RacingProgram {
  let servers: RunningServer[] = [];
  /** Within a process starts of one key go to the database one after the other; so that many race, these start too. */
  let others: ReturnType<typeof openProcesses>;
  let turn = 0;

  beforeAll(async () => {
    const env = { DATABASE_URL: db.url, CLEANUP_CRON: "", LOG_LEVEL: "warn" };
    servers = await Promise.all([startServer(env), startServer(env)]);
    others = openProcesses(db, 4);
  });

  afterAll(async () => {
    for (const server of servers) await server.stop();
    await others.close();
    // A deadlock would have reached the callers as an innocent 503. It is counted once its connection is gone.
    await vi.waitUntil(async () => {
      const [open] = await db.sql`
        SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE datname = current_database() AND application_name IN ('keybeat requests', 'keybeat heartbeats')`;
      return open?.n === 0;
    }, 30_000);
    const [counted] = await db.sql`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`;
    expect(counted?.deadlocks).toBe(0);
  });

  const ask: RacingProgram["ask"] = async (verb, body) => {
    const server = servers[turn++ % servers.length] as RunningServer;
    const reply = await server.post(`/api/session/${verb}`, body);
    if (reply.status === 503) throw new Busy();
    return reply;
  };

  const start: RacingProgram["start"] = async (access_key, session_id = newSessionId()) => {
    const service = others.services[turn % (others.services.length + servers.length)];
    if (!service) return ask("start", { access_key, session_id });
    turn++;
    const answer = await tryStart(service, { access_key, session_id }).catch((error) => {
      throw error instanceof AppError && error.code === "unavailable" ? new Busy() : error;
    });
    return answer.reply
      ? { status: 200, body: answer.reply }
      : { status: STATUS[answer.is], body: { code: answer.is } };
  };

  return { ask, start };
}

/**
 * Plays so many rounds of a race, some at a time. A round in which somebody was turned away proves nothing: another
 * one is played instead.
 */
export async function play(rounds: { count: number; atOnce: number }, round: () => Promise<void>): Promise<void> {
  let begun = 0;
  let busyLeft = rounds.count + 3;
  await times(rounds.atOnce, async () => {
    while (begun < rounds.count) {
      begun++;
      await round().catch((error) => {
        if (!(error instanceof Busy) || busyLeft-- === 0) throw error;
        begun--;
      });
    }
  });
}

export const times = <T>(count: number, make: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => make(i)));

/** So many calls at the same time, until all are done. */
export async function rush(calls: Array<() => Promise<unknown>>, atOnce: number): Promise<void> {
  const waiting = [...calls];
  await times(atOnce, async () => {
    for (let call = waiting.shift(); call; call = waiting.shift()) await call();
  });
}

/** Calls until it is not turned away, as a client does; for what may happen twice. */
export async function untilServed(call: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await call().catch((error) => {
      if (!(error instanceof Busy)) throw error;
    });
    if (answer) return answer;
    await sleep(50);
  }
}

/**
 * Starts until an answer comes, as a client does that was turned away, and says whom the start replaced. If the start
 * happened in a call whose own answer was lost, the rows have to tell.
 */
export async function startSurely(program: RacingProgram, db: TestDatabase, key: string): Promise<() => Promise<Link>> {
  const session_id = newSessionId();
  for (let lost = false; ; lost = true) {
    const reply = await program.start(key, session_id).catch((error) => {
      if (!(error instanceof Busy)) throw error;
    });
    if (reply?.status === 200 && !reply.body.resumed) return async () => reply.body;
    if (reply) {
      expect(lost).toBe(true);
      return () => readLink(db, session_id);
    }
    await sleep(50);
  }
}

async function readLink(db: TestDatabase, session_id: string): Promise<Link> {
  const [own] = await db.sql`
    SELECT key_id, generation FROM active_sessions WHERE session_id = ${session_id}
    UNION ALL SELECT key_id, generation FROM session_history WHERE session_id = ${session_id}`;
  const [previous] = await db.sql`
    SELECT session_id FROM session_history
    WHERE key_id = ${own?.key_id ?? 0} AND replaced_by_generation = ${own?.generation ?? 0}`;
  const unknown = { started_at: "", last_heartbeat: "", device: null };
  const previous_session = previous ? { ...unknown, session_id: maskSessionId(previous.session_id) } : null;
  return { session_id, generation: own?.generation, previous_session };
}
