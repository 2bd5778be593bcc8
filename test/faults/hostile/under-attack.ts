/**
 * Where attacks happen: the scene of every fault (two servers, one PostgreSQL, honest devices at both), and beyond its
 * checker what an attack must not reach: an honest call that comes to nothing, memory that the attacker's size decides,
 * a log full of alarms, a server that is gone.
 */

import { describeCall } from "../checker/history.ts";
import type { FaultRoom, Finding } from "../fault.ts";
import type { BatchCall } from "../load/batch-call.ts";
import type { Call } from "../load/call.ts";
import type { RoomCall } from "../load/room-call.ts";
import { p99Ms } from "../scene/measure.ts";
import { residentMib } from "../scene/process-figures.ts";
import { type Scene, underLoad } from "../scene/scene.ts";
import type { SetUpOptions } from "../scene/set-up.ts";
import type { Outcome } from "../scene/verdict.ts";
import { judgeLog } from "./server-log.ts";

export interface AttackOptions extends SetUpOptions {
  /** How much a server's memory may grow while it lasts. */
  grownMibMax: number;
}

const SAMPLE_MS = 100;
const SHOWN_MAX = 5;

export function underAttack(
  room: FaultRoom,
  { grownMibMax, ...options }: AttackOptions,
  attack: (scene: Scene) => Promise<Outcome>,
): Promise<Finding> {
  return underLoad(room, options, async (scene) => {
    const memory = watchMemory(scene);
    const from = performance.now();
    const outcome = await attack(scene).finally(memory.stop);
    const { calls, roomCalls, batchCalls } = scene.load;
    const meanwhile = calls.filter((call) => call.sentAt >= from);
    const before = calls.filter((call) => call.sentAt < from);
    return {
      violations: [
        ...(outcome.violations ?? []),
        ...judgeHonest([...meanwhile, ...[...roomCalls, ...batchCalls].filter((call) => call.sentAt >= from)]),
        ...memory.judge(grownMibMax),
        ...scene.servers.flatMap((server) => judgeLog(server.output())),
      ],
      figure:
        `${outcome.figure}; memory +${Math.round(memory.grownMib())} MiB at its highest; honest devices' p99 ` +
        `${p99Ms(before).toFixed(0)} ms before, ${p99Ms(meanwhile).toFixed(0)} ms meanwhile (${meanwhile.length} calls)`,
    };
  });
}

/** At first a few of the many that an attack brings about, then how many more. */
export function firstFew(violations: readonly string[]): string[] {
  const more = violations.length - SHOWN_MAX;
  return more > 0 ? [...violations.slice(0, SHOWN_MAX), `and ${more} more of this kind`] : [...violations];
}

function judgeHonest(calls: ReadonlyArray<Call | RoomCall | BatchCall>): string[] {
  const failed = calls.filter((call) => call.answer.is === "unknown");
  return firstFew(failed.map((call) => `an honest call came to nothing: ${describeCall(call)}`));
}

function watchMemory({ servers }: Scene) {
  const before = servers.map((server) => residentMib(server.pid()));
  const highest = [...before];
  const pids = servers.map((server) => server.pid());
  const sample = () => {
    for (const [at, pid] of pids.entries()) {
      const mib = residentMib(pid);
      highest[at] = mib === undefined ? undefined : Math.max(mib, highest[at] ?? 0);
    }
  };
  const timer = setInterval(sample, SAMPLE_MS);
  const grownMib = () => Math.max(...highest.map((mib, at) => (mib ?? 0) - (before[at] ?? 0)));
  return {
    grownMib,
    stop: () => {
      clearInterval(timer);
      sample();
    },
    judge: (mibMax: number): string[] => [
      ...highest.flatMap((mib, at) => (mib === undefined ? [`server ${at} is gone`] : [])),
      ...(grownMib() > mibMax ? [`a server's memory grew by ${Math.round(grownMib())} MiB, over ${mibMax}`] : []),
    ],
  };
}
