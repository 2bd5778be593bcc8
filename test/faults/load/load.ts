/**
 * Load for the faults: simulated devices, a few rivals to each key, users of the waiting room, workers of batch sessions, and
 * players of matches, calling any of the servers, every call recorded. It makes no connection to the database, and is bounded in all of them.
 *
 * Keys differ in temper, so that everything happens somewhere: takeovers every second, long quiet sessions, silence
 * that ends in an expiry, refusals.
 */
import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { sessionIdBeginning } from "../../support/secrets.ts";
import type { BatchCall } from "./batch-call.ts";
import type { Answer, Call, Copied, Stream } from "./call.ts";
import { createClient } from "./client.ts";
import { liveAsDevice, type Temper } from "./device.ts";
import { playAtTable } from "./match.ts";
import type { MatchCall } from "./match-call.ts";
import type { RoomCall } from "./room-call.ts";
import { liveAsUser } from "./user.ts";
import { liveAsWorker } from "./worker.ts";

/** About ten minutes of it; past this the load ends, and says so. */
const CALLS_MAX = 200_000;
const OPERATOR_MS = 1_000;
const FIRST_WAIT_MS = 500;

export interface LoadKey {
  id: number;
  accessKey: string;
}

export interface LoadOptions {
  /** Where the servers listen. They may go and come back, but not move. */
  servers: string[];
  keys: LoadKey[];
  /** Of the waiting room. */
  users: string[];
  /** How many, of batch sessions. */
  workers: number;
  /** At each of which one match after the other is played. */
  tables: number;
  /** Of the service, for devices and users who fall silent for longer. */
  timeoutMs: number;
  /** Kicks one live session by its first characters and returns whether this call ended it; rejects if unknown. */
  kick?(sessionIdPrefix: string): Promise<boolean>;
  /** Ends the load like `stop`. */
  signal: AbortSignal;
}

export interface Load {
  /** Grows while the load runs. */
  calls: readonly Call[];
  streams: readonly Stream[];
  copies: readonly Copied[];
  roomCalls: readonly RoomCall[];
  batchCalls: readonly BatchCall[];
  matchCalls: readonly MatchCall[];
  /** Lets every call that is under way come to its end, and resolves when nothing runs any more. */
  stop(): Promise<void>;
  /** Whether it ended by itself, having recorded as much as it may. */
  full(): boolean;
}

export function startLoad(options: LoadOptions): Load {
  const calls: Call[] = [];
  const streams: Stream[] = [];
  const copies: Copied[] = [];
  const roomCalls: RoomCall[] = [];
  const batchCalls: BatchCall[] = [];
  const matchCalls: MatchCall[] = [];
  const isFull = () => calls.length + roomCalls.length + batchCalls.length + matchCalls.length >= CALLS_MAX;
  const stopping = new AbortController();
  const signal = AbortSignal.any([options.signal, stopping.signal]);
  setMaxListeners(0, signal); // every device and user waits on it
  const client = createClient(options.servers, {
    call(call) {
      calls.push(call);
      if (isFull()) stopping.abort();
    },
    roomCall(call) {
      roomCalls.push(call);
      if (isFull()) stopping.abort();
    },
    batchCall(call) {
      batchCalls.push(call);
      if (isFull()) stopping.abort();
    },
    matchCall(call) {
      matchCalls.push(call);
      if (isFull()) stopping.abort();
    },
    stream: (stream) => streams.push(stream),
    copied: (copied) => copies.push(copied),
  });
  let sessions = 0;
  const newSessionId = () => sessionIdBeginning((sessions++).toString(36).padStart(8, "0"));

  const living: Array<Promise<void>> = [];
  for (const [at, key] of options.keys.entries()) {
    const temper = temperOf(at, options.timeoutMs);
    const rivals = 2 + (at % 2);
    for (let n = 0; n < rivals; n++) {
      // Each key is held soon; its rivals come when they come.
      const firstWaitMs = n === 0 ? FIRST_WAIT_MS : temper.waitMs;
      living.push(liveAsDevice({ client, key, temper, newSessionId, firstWaitMs, signal }));
    }
  }
  for (const user of options.users) {
    const { timeoutMs: silenceMs } = options;
    living.push(liveAsUser({ client, user, silenceMs, firstWaitMs: FIRST_WAIT_MS, signal }));
  }
  let runs = 0;
  const newPath = () => `run-${runs++}.canvas`;
  for (let n = 0; n < options.workers; n++) {
    living.push(liveAsWorker({ client, newPath, firstWaitMs: FIRST_WAIT_MS, signal }));
  }
  let matches = 0;
  const newName = () => `match-${matches++}`;
  for (let n = 0; n < options.tables; n++) {
    living.push(playAtTable({ client, newName, firstWaitMs: FIRST_WAIT_MS, signal }));
  }
  if (options.kick) living.push(operate(options.kick, calls, signal));

  return {
    calls,
    streams,
    copies,
    roomCalls,
    batchCalls,
    matchCalls,
    full: isFull,
    async stop() {
      stopping.abort();
      await Promise.all(living);
      client.close();
    },
  };
}

/** Three tempers in turn: impatient rivals, quiet sessions that sometimes fall silent, polite ones that ask first. */
function temperOf(at: number, timeoutMs: number): Temper {
  const usual = {
    beatMs: 500,
    silenceMs: timeoutMs * 1.2,
    refuses: 0,
    expects: 0.1,
    ends: 0.02,
    fallsSilent: 0,
    looks: 0.1,
    watches: 0.4,
    proves: 0.5,
    restarts: 0.1,
    copies: 0.08,
    leases: 0.02,
  };
  const tempers: Temper[] = [
    { ...usual, waitMs: 3_000 },
    { ...usual, waitMs: timeoutMs * 4, fallsSilent: 0.03, ends: 0.005 },
    { ...usual, waitMs: 2_000, refuses: 0.9, expects: 0.5, ends: 0.05, fallsSilent: 0.05 },
  ];
  return tempers[at % tempers.length] as Temper;
}

/** Once a second an operator kicks a session that was just seen live. */
async function operate(kick: (prefix: string) => Promise<boolean>, calls: Call[], signal: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(OPERATOR_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    const seen = calls.findLast((call) => call.answer.is === "live");
    if (!seen) continue;
    const { key, sessionId } = seen;
    const call = { operation: "kick" as const, key, sessionId, server: -1, status: 0, sentAt: performance.now() };
    const answer: Answer = await kick(sessionId.slice(0, 8)).then(
      (success) => ({ is: "done", success }),
      () => ({ is: "unknown", why: "cut" }),
    );
    calls.push({ ...call, answeredAt: performance.now(), answer });
  }
}
