/**
 * The life of one simulated worker of batch sessions: make a run, claim it, report node after node, complete it; then the next.
 *
 *   create ──► claim ──► put … put ──► complete ──► read ──► create …
 *                 ▲        ├─ crashed: a successor claims, and reports what is not in; the dead one's last report comes late
 *                 └────────┘  └─ cancelled by somebody
 *
 * What has an unknown outcome is asked again, at another server if there is one.
 */
import { type BatchAnswer, NODES, type NodeValue } from "./batch-call.ts";
import type { Client } from "./client.ts";
import { createHabits } from "./habits.ts";

export interface WorkerOptions {
  client: Client;
  /** A path for each of its runs. */
  newPath(): string;
  /** Until it makes its first run, at most. */
  firstWaitMs: number;
  /** Aborted: finish the call that is under way, and go. */
  signal: AbortSignal;
}

const NODE_MS = 250;
const REST_MS = 1_000;
/** In each node: the chance to send it twice at once, to crash, to be cancelled, to be looked at. */
const CHANCES = { twice: 0.1, crashes: 0.08, cancelled: 0.03, looks: 0.1 };
const TRIES_MAX = 20;

export async function liveAsWorker({ client, newPath, firstWaitMs, signal }: WorkerOptions): Promise<void> {
  const { chance, pause, other, insist } = createHabits(client.servers, TRIES_MAX, signal);

  const work = async () => {
    const path = newPath();
    const made = await insist(async (at) => {
      const create = (to: number) => client.askBatch({ operation: "create", path, server: to });
      return (
        chance(CHANCES.twice) ? await Promise.all([create(at), create(other())]) : [await create(at)]
      )[0] as BatchAnswer;
    });
    if (made?.is !== "made") return;
    const about = { path, sessionId: made.sessionId };
    const claim = async () => {
      const worker = `worker-${Math.random()}`;
      const answer = await insist((at) => client.askBatch({ operation: "claim", ...about, server: at, worker }));
      return answer?.is === "claimed" ? answer.attempt : undefined;
    };
    const put = (node: string, attempt: number, value: NodeValue) =>
      insist(async (at) => {
        const send = (to: number) => client.askBatch({ operation: "put", ...about, server: to, node, attempt, value });
        return (
          chance(CHANCES.twice) ? await Promise.all([send(at), send(other())]) : [await send(at)]
        )[0] as BatchAnswer;
      });
    const read = () => insist((at) => client.askBatch({ operation: "read", ...about, server: at }));
    const rest = new Set(Array.from({ length: NODES }, (_, n) => `node-${n}`));

    let attempt = await claim();
    for (const node of rest) {
      if (attempt === undefined || signal.aborted) return;
      await pause(NODE_MS);
      const status = chance(0.8) ? "success" : chance(0.7) ? "failed" : "skipped";
      const answer = await put(node, attempt, { status, result: `${node} by ${attempt}: ${Math.random()}` });
      if (answer?.is !== "stored") break;
      rest.delete(node);
      if (chance(CHANCES.looks)) await read();
      if (chance(CHANCES.cancelled))
        await insist((at) => client.askBatch({ operation: "cancel", ...about, server: at }));
      if (chance(CHANCES.crashes)) {
        const dead = attempt;
        attempt = await claim();
        const seen = await read();
        if (seen?.is === "run") for (const known of Object.keys(seen.nodes)) rest.delete(known);
        await put(node, dead, { status: "failed", result: `${node} by the dead: ${Math.random()}` });
      }
    }
    await insist((at) => client.askBatch({ operation: "complete", ...about, server: at, attempt: attempt as number }));
    await read();
  };

  await pause(firstWaitMs);
  while (!signal.aborted) {
    await work();
    await pause(REST_MS);
  }
}
