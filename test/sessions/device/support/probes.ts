/**
 * Probes: each checks one guarantee of device sessions on any database, in well under a second, and names what it finds
 * broken. A sound program breaks none; of a faulty one (see mutants.ts) at least one must be found broken.
 */
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { AppError } from "../../../../src/errors.ts";
import type { StartRequest } from "../../../../src/sessions/device/contract.ts";
import type { DeviceSessions } from "../../../../src/sessions/device/deps.ts";
import { beatSession, endSession, readStatus } from "../../../../src/sessions/device/index.ts";
import type { TestDatabase } from "../../../support/database.ts";
import { type StartAnswer, tryStart } from "./subject.ts";

export interface Probe {
  guarantee: string;
  check(on: Subject): Promise<void>;
}

/** A key with a live session. */
export interface Held {
  key: string;
  id: number;
  session: string;
  generation: number;
}

type StartOptions = Partial<Omit<StartRequest, "access_key">>;

/**
 * What a probe works on: the verbs in few words, and the place where it says what is due. One call after the other goes
 * through another process of the program, so that calls at the same time meet in the database.
 */
export interface Subject {
  db: TestDatabase;
  next(): DeviceSessions;
  hold(options?: StartOptions): Promise<Held>;
  start(key: string, options?: StartOptions): Promise<StartAnswer>;
  /** `live`, `unknown`, or why it is not live. */
  beat(session: string): Promise<string>;
  end(session: string): Promise<boolean>;
  /** Whether that session holds the key, by the key's status. */
  holds(key: string, session: string): Promise<boolean>;
  expect(what: string, real: unknown, due: unknown): void;
}

const BUSY_TRIES = 4;
/** An SQLSTATE of class 42: the SQL itself makes no sense. */
const NONSENSE = /^42/;

/** Returns what the probe finds broken. Throws if the database says that its own functions make no sense. */
export async function findViolations(db: TestDatabase, services: DeviceSessions[], probe: Probe): Promise<string[]> {
  for (let tries = 1; ; tries++) {
    const broken: string[] = [];
    try {
      await probe.check(createSubject(db, services, broken));
    } catch (error) {
      const { code = "", message, cause } = error as { code?: string; message: string; cause?: Error };
      if (NONSENSE.test(code)) throw error;
      // A busy machine may turn a call away; a faulty program that always does is broken.
      if (error instanceof AppError && error.code === "unavailable" && tries < BUSY_TRIES) continue;
      broken.push(`failed with "${cause?.message ?? message}"`);
    }
    return broken.map((fault) => `${probe.guarantee}: ${fault}`);
  }
}

function createSubject(db: TestDatabase, services: DeviceSessions[], broken: string[]): Subject {
  let calls = 0;
  const next = () => services[calls++ % services.length] as DeviceSessions;
  const start = (key: string, options: StartOptions = {}) => tryStart(next(), { access_key: key, ...options });
  return {
    db,
    next,
    start,
    async hold(options = {}) {
      const { key, id } = await db.makeKey();
      const session = options.session_id ?? newId();
      const { is, reply } = await start(key, { ...options, session_id: session });
      if (is !== "started") broken.push(`a start on a fresh key is ${is}`);
      return { key, id, session, generation: reply?.generation ?? 0 };
    },
    async beat(session) {
      const outcome = await beatSession(next(), session);
      if (outcome.live) return "live";
      return outcome.ending === "unknown" ? "unknown" : outcome.ending.reason;
    },
    end: (session) => endSession(next(), session),
    async holds(key, session) {
      const status = await readStatus(next(), { access_key: key, session_id: session });
      return status.active && status.session.is_current;
    },
    expect(what, real, due) {
      if (!isDeepStrictEqual(real, due)) broken.push(`${what}: ${JSON.stringify(real)}, not ${JSON.stringify(due)}`);
    },
  };
}

/** Without the mark of other tests' ids, as a faulty function may well write it into PostgreSQL's log. */
export const newId = (): string => randomUUID();

const STEADY_MS = 800;

/**
 * Hands a fresh session that has been silent for so long to `look`. If the machine stood still meanwhile the session
 * is more silent than it should be, so another one is taken.
 */
export async function afterSilence<T>(
  on: Subject,
  seconds: number,
  look: (held: Held) => Promise<T>,
): Promise<T | undefined> {
  let seen: T | undefined;
  for (let tries = 0; tries < 10; tries++) {
    const beganMs = performance.now();
    const held = await on.hold();
    await on.db.age(held.id, seconds);
    seen = await look(held);
    if (performance.now() - beganMs < STEADY_MS) break;
  }
  return seen;
}
