/** Many that follow one run, and when each was told of a node. */
import { type ClientRequest, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type Call, describeCalls, type Load } from "./calls.ts";
import type { Teardown } from "./teardown.ts";

const OPENING_AT_ONCE = 200;
const TOLD_WITHIN_MS = 30_000;

/** Milliseconds from before the result was sent until each watcher had its event. */
export async function tellWatchers(
  to: { url: string; run: string; call: Call; teardown: Teardown },
  { watchers, nodes }: { watchers: number; nodes: number },
): Promise<Load> {
  const sentAt: number[] = [];
  const took: number[] = [];
  const onNode = (n: number) => took.push(performance.now() - (sentAt[n] as number));
  const streams: ClientRequest[] = [];
  const leave = () => {
    for (const stream of streams) stream.destroy();
  };
  to.teardown.add(leave);
  for (let opened = 0; opened < watchers; opened += OPENING_AT_ONCE) {
    const some = Array.from({ length: Math.min(OPENING_AT_ONCE, watchers - opened) }, () => watch(to, streams, onNode));
    await Promise.all(some);
  }
  for (let n = 0; n < nodes; n++) {
    sentAt[n] = performance.now();
    await to.call("PUT", `/batch/sessions/${to.run}/nodes/told-${n}`, { status: "success" });
    await allTold(took, watchers * (n + 1));
  }
  leave();
  return describeCalls(took, (performance.now() - (sentAt[0] as number)) / 1000);
}

async function allTold(took: number[], expected: number): Promise<void> {
  for (const until = performance.now() + TOLD_WITHIN_MS; took.length < expected; await sleep(1)) {
    if (performance.now() > until) throw new Error(`${expected - took.length} watchers were not told`);
  }
}

/** Resolves when the stream is open. */
function watch(to: { url: string; run: string }, streams: ClientRequest[], onNode: (n: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = request(`${to.url}/api/v1/batch/sessions/${to.run}/events`, { agent: false });
    streams.push(stream);
    stream.once("error", reject);
    stream.once("response", (response) => {
      if (response.statusCode !== 200) reject(new Error(`a watch got ${response.statusCode}`));
      let rest = "";
      response.setEncoding("utf8").on("data", (part) => {
        const events = (rest + part).split("\n\n");
        rest = events.pop() as string;
        for (const event of events) {
          const node = /"node_id":"told-(\d+)"/.exec(event)?.[1];
          if (node !== undefined) onNode(Number(node));
        }
      });
      response.on("error", () => {}); // it is we who leave
      stream.removeListener("error", reject).on("error", () => {});
      resolve();
    });
    stream.end();
  });
}
