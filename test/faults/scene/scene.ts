/**
 * Where faults happen: two server processes, one PostgreSQL, load through all of it, and the checker at the end. A fault
 * is what it does in between.
 *
 *   PostgreSQL ► servers ► load ► (some seconds) ► the fault ► (some more) ► load ends ► servers stop ► rows ► checker
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { FaultRoom, Finding } from "../fault.ts";
import { answeredAgainAt } from "./measure.ts";
import type { DatabaseServer, StandAlonePostgres } from "./postgres.ts";
import { type SetUp, type SetUpOptions, setUp } from "./set-up.ts";
import { type Outcome, reachVerdict } from "./verdict.ts";

const BACK_MS_MAX = 30_000;

export interface Scene<D extends DatabaseServer = StandAlonePostgres> extends FaultRoom, SetUp<D> {
  wait(seconds: number): Promise<void>;
  /** Breaks something so that nobody is served, and repairs it. Returns how long the last server took to answer. */
  outage(what: Outage): Promise<{ backMs: number }>;
  /** Resolves when every server has given a definite answer to a call sent after `from`; with how long that took. */
  backAfter(from: number, msMax?: number): Promise<number>;
}

export interface Outage {
  /** Nobody is served any more when it resolves. */
  away(): Promise<unknown>;
  seconds: number;
  back(): Promise<unknown>;
  /** The database is killed by it: the last second of heartbeats may be lost. */
  crash?: boolean;
}

/** Runs a fault under load and has the whole history checked. */
export async function underLoad<D extends DatabaseServer = StandAlonePostgres>(
  room: FaultRoom,
  options: SetUpOptions<D>,
  fault: (scene: Scene<D>) => Promise<Outcome>,
): Promise<Finding> {
  const undo: SetUp["undo"] = [];
  try {
    const scene = createScene(room, await setUp(room, options, undo));
    await scene.wait(room.short ? 2 : 4);
    const outcome = await fault(scene);
    // A session expired by mistake has been told by then, because all devices beat.
    await scene.wait(room.short ? 2.5 : scene.circumstances.timeoutMs / 1000 + 2);
    return await reachVerdict(scene, outcome);
  } finally {
    for (const step of undo.reverse()) await step().catch((error) => room.say(`while clearing up: ${error}`));
  }
}

function createScene<D extends DatabaseServer>(room: FaultRoom, set: SetUp<D>): Scene<D> {
  const wait = (seconds: number) => sleep(seconds * 1000, undefined, { signal: room.signal });

  const backAfter = async (from: number, msMax = BACK_MS_MAX): Promise<number> => {
    const giveUpAt = performance.now() + msMax;
    for (;;) {
      const again = set.servers.map((_, server) => answeredAgainAt(set.load.calls, server, from));
      if (again.every((at) => at !== undefined)) return Math.max(...again) - from;
      if (performance.now() > giveUpAt) throw new Error(`no answer within ${msMax / 1000} s of the mending`);
      await wait(0.05);
    }
  };

  const outage = async ({ away, seconds, back, crash }: Outage) => {
    const begunAt = performance.now();
    await away();
    const from = performance.now();
    if (crash) set.circumstances.crashes.push({ from: begunAt, to: from });
    room.say(`away for ${seconds} s`);
    await wait(seconds);
    const to = performance.now();
    set.circumstances.outages.push({ from, to });
    await back();
    return { backMs: await backAfter(to) };
  };

  return { ...room, ...set, wait, backAfter, outage };
}
