/** One worker of the demonstration, on the routes alone, in a process of its own so that it can really crash. */
import { setTimeout as sleep } from "node:timers/promises";
import type { BatchSession } from "../../src/sessions/batch/contract.ts";
import type { Said } from "./actor.ts";
import { callBatch } from "./batch-calls.ts";

export interface Work {
  url: string;
  sessionId: string;
  worker: string;
  nodes: string[];
  /** The one that goes wrong. */
  broken: string | undefined;
  mayReplace: boolean;
}

const CONCURRENCY = 4;
const NODE_MS = 400;

function say(event: string, detail: Record<string, unknown> = {}): void {
  process.send?.({ event, at: Date.now(), detail } satisfies Said);
}

process.on("message", async (message: Work | { end: true }) => {
  if ("end" in message) process.exit(0);
  const { url, sessionId, worker, mayReplace } = message;
  const call = (method: string, path: string, body: object) => callBatch(url, method, `/${sessionId}${path}`, body);
  const claim = await call("POST", "/claim", { worker, on_conflict: mayReplace ? "replace" : "refuse" });
  if (claim.status !== 200) return say("refused", claim.body);
  const { attempt } = claim.body;
  const { node_results } = (await callBatch(url, "GET", `/${sessionId}`)).body as BatchSession;
  const toDo = message.nodes.filter((node) => !(node in node_results));
  say("claimed", { attempt, toDo: toDo.length });

  const run = async () => {
    for (let node = toDo.shift(); node !== undefined; node = toDo.shift()) {
      const started_at = new Date().toISOString();
      say("begins", { node });
      await sleep(NODE_MS * (0.5 + Math.random()));
      const result =
        node === message.broken
          ? { status: "failed", error: "the model did not answer" }
          : { status: "success", result: { file_path: `out/${node}.md` } };
      const completed_at = new Date().toISOString();
      await call("PUT", `/nodes/${node}`, { ...result, started_at, completed_at, attempt });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, run));
  say("ended", (await call("POST", "/complete", { attempt })).body);
});
process.on("disconnect", () => process.exit(0));
