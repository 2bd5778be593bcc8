/** What came of a fault: the load and the servers brought to their end, and everything judged that was recorded. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type postgres from "postgres";
import { findSecrets } from "../../support/secrets.ts";
import { checkHistory } from "../checker/check.ts";
import { type Circumstances, describeCall, type History, type Rows } from "../checker/history.ts";
import type { FaultRoom, Finding } from "../fault.ts";
import {
  type AnyCall,
  inSeconds,
  slowestCall,
  slowestMs,
  tally,
  tallyBatch,
  tallyMatches,
  tallyRoom,
  tallyTrust,
} from "./measure.ts";
import type { DatabaseServer } from "./postgres.ts";
import { compareClocks, readRows } from "./rows.ts";
import type { SetUp } from "./set-up.ts";

/** G8. */
const ANSWERED_WITHIN_MS = 3_000;

/** What a fault says of itself. */
export interface Outcome {
  figure: string;
  /** The devices' own network is slow: what they wait is not the servers' doing. */
  slowWay?: boolean;
  violations?: string[];
}

export async function reachVerdict(scene: FaultRoom & SetUp<DatabaseServer>, outcome: Outcome): Promise<Finding> {
  const { load, servers, circumstances, postgres } = scene;
  await load.stop();
  scene.signal.throwIfAborted();
  const codes = await Promise.all(servers.map((server) => server.stop("SIGTERM")));
  await untilQuiet(postgres.sql);
  circumstances.clock = betweenClocks(circumstances.clock, await compareClocks(postgres.sql));
  const rows = await readRows(
    postgres.sql,
    scene.keys.map((key) => key.id),
  );
  const history: History = {
    calls: [...load.calls],
    streams: [...load.streams],
    copies: [...load.copies],
    roomCalls: [...load.roomCalls],
    batchCalls: [...load.batchCalls],
    matchCalls: [...load.matchCalls],
    circumstances,
    rows,
  };
  const logs = servers.map((server) => server.output());
  const found = checkHistory(history);
  const falseExpiries = found.filter(({ rule }) => rule === "early-expiry").length;
  return {
    violations: [
      ...(outcome.violations ?? []),
      ...found.map(({ rule, sentence }) => `${rule}: ${sentence}`),
      ...(outcome.slowWay ? [] : checkAnswerTimes(history)),
      ...checkEffect(scene, rows),
      ...codes.flatMap((code, at) => (code === 0 ? [] : [`server ${at} ended with ${code} on SIGTERM`])),
      ...logs.flatMap((log) => findSecrets(log).map((line) => `a secret in a server's log: ${line}`)),
    ],
    held:
      `${scene.keys.length} keys explained: ${tally(load.calls)}; ${tallyTrust(load.calls, load.copies)}; ` +
      `the waiting room too: ${tallyRoom(load.roomCalls, rows.room)}; batch sessions too: ${tallyBatch(load.batchCalls, rows.batch)}; ` +
      `matches too: ${tallyMatches(load.matchCalls, rows.matches)}`,
    figure:
      `${outcome.figure}; slowest answer ${inSeconds(slowestMs([...load.calls, ...load.roomCalls, ...load.batchCalls, ...load.matchCalls]))}, ` +
      `${falseExpiries} false expiries`,
    evidence: {
      "history.json": JSON.stringify(history),
      ...readLogs(scene.folder),
    },
  };
}

function readLogs(folder: string): Record<string, string> {
  const names = readdirSync(folder).filter((name) => name.endsWith(".log"));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

/** Rows are read when no statement of the servers is under way any more, or they would move meanwhile. */
async function untilQuiet(sql: postgres.Sql): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const [busy] = await sql`
      SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name LIKE 'keybeat %' AND state <> 'idle'`;
    if (busy?.n === 0) return;
    await sleep(50);
  }
  throw new Error("statements of servers that have ended are still under way");
}

/** The clocks are compared before and after; where they drifted apart meanwhile, the error is that much larger. */
function betweenClocks(before: Circumstances["clock"], after: Circumstances["clock"]): Circumstances["clock"] {
  const driftMs = Math.abs(after.offsetMs - before.offsetMs);
  const errorMs = Math.max(before.errorMs, after.errorMs) + driftMs + 10;
  return { offsetMs: (before.offsetMs + after.offsetMs) / 2, errorMs };
}

type Recorded = Pick<History, "calls" | "roomCalls" | "batchCalls" | "matchCalls">;

function checkAnswerTimes({ calls, roomCalls, batchCalls, matchCalls }: Recorded): string[] {
  return [calls, roomCalls, batchCalls, matchCalls]
    .flatMap((those) => slowestCall<AnyCall>(those) ?? [])
    .filter((call) => call.answeredAt - call.sentAt > ANSWERED_WITHIN_MS)
    .map((call) => `late-answer: not answered within ${ANSWERED_WITHIN_MS / 1000} s: ${describeCall(call)}`);
}

/** What proves nothing must not count as held. */
function checkEffect({ load, keys }: Pick<SetUp, "load" | "keys">, { room, batch, matches }: Rows): string[] {
  const promoted = room.moves.filter(({ move }) => move === "promoted").length;
  const started = new Set(load.calls.filter((call) => call.answer.is === "started").map((call) => call.key)).size;
  if (load.full()) return ["the load ended before the fault did, as it had recorded as much as it may"];
  return [
    ...(started === keys.length ? [] : [`the load proves little: only ${started} of ${keys.length} keys were started`]),
    ...(load.calls.some(({ answer, proof }) => answer.is === "live" && proof)
      ? []
      : ["the load proves little: no session with proof was kept alive"]),
    ...(batch.some(({ state }) => state !== "running") ? [] : ["the load proves little: no batch session has ended"]),
    ...(matches.some(({ events }) => events.some(({ event }) => event === "action"))
      ? []
      : ["the load proves little: nobody has acted in a match"]),
    ...(promoted > 0 ? [] : ["the load proves little: nobody in the waiting room was promoted"]),
  ];
}
