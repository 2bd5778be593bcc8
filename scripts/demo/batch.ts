/**
 * One long run, in under half a minute: a worker does its nodes, is killed in the middle, another one goes on, a node
 * fails, and a resume does that node alone. Everything is real: the service, its database, the workers, the crash.
 * `npm run demo:batch`
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { BatchSession } from "../../src/sessions/batch/contract.ts";
import { Actor } from "./actor.ts";
import { callBatch } from "./batch-calls.ts";
import type { Work } from "./batch-worker.ts";
import { startService } from "./service.ts";
import { createTell } from "./tell.ts";

const NODES = Array.from({ length: 40 }, (_, at) => `page-${at + 1}`);
const BROKEN = "page-31";
const KILL_AFTER = 15;

const tell = createTell({ "Worker A": "36", "Worker B": "35", "Worker C": "34", watcher: "33" });
tell("story", "starting Keybeat with a database of its own");
const service = await startService(60);
const { url } = service;
const workers: Actor<Work>[] = [];
process.once("SIGINT", () => void finish(130));

try {
  await play();
  tell("story", "that is all: nothing was lost, nothing was counted twice, and what was paid for was not done again");
  await finish(0);
} catch (error) {
  tell("story", `something went wrong: ${(error as Error).message}`);
  await finish(1);
}

async function play(): Promise<void> {
  const id = await create();
  tell("story", `a session of ${NODES.length} nodes is made, and waits for a worker`);
  const watching = watch(id);
  const [a, b, c] = [newWorker("Worker A"), newWorker("Worker B"), newWorker("Worker C")];
  send(a, id);
  tell(a.name, `claims it: attempt ${(await a.next("claimed")).detail.attempt}; it does four nodes at a time`);
  while (processedOf(await read(id)) < KILL_AFTER) await sleep(50);
  a.crash();
  await sleep(500);
  const stored = processedOf(await read(id));
  tell("story", `Worker A is killed (kill -9) with nodes in its hands; ${stored} results are in, and stay`);
  send(b, id);
  const { holder } = (await b.next("refused")).detail as { holder: { worker: string; last_seen: string } };
  const silent = ((Date.now() - Date.parse(holder.last_seen)) / 1000).toFixed(1);
  tell(b.name, `wants it, and is told: ${holder.worker} has it, last heard of ${silent} s ago`);
  tell("story", "after a minute of silence anybody could claim it; B knows that A is gone, and replaces it on purpose");
  send(b, id, { mayReplace: true });
  const { attempt, toDo } = (await b.next("claimed")).detail;
  tell(b.name, `claims it: attempt ${attempt}, ${toDo} nodes still to do`);
  const late = await callBatch(url, "PUT", `/${id}/nodes/page-1`, { status: "failed", attempt: 1 });
  tell("story", `had A only been frozen, its next call would be refused: ${late.status} ${late.body.code}`);
  const end = (await b.next("ended")).detail as unknown as BatchSession;
  tell(b.name, `is through: ${end.completed_nodes} done, ${end.failed_nodes} failed, so the session is ${end.status}`);
  await watching;

  const next = await read((await callBatch(url, "POST", `/${id}/resume`)).body.session_id);
  tell(
    "story",
    `it is resumed: a new session carries the ${next.completed_nodes} results, and the old one stays as it is`,
  );
  const watchingNext = watch(next.session_id);
  send(c, next.session_id, { broken: undefined });
  tell(c.name, `claims it: ${(await c.next("claimed")).detail.toDo} node to do`);
  tell(c.name, `does ${(await c.next("begins")).detail.node}, and nothing else`);
  const all = (await c.next("ended")).detail as unknown as BatchSession;
  tell(c.name, `is through: ${all.completed_nodes} of ${all.node_count} done, the session is ${all.status}`);
  await watchingNext;
}

async function create(): Promise<string> {
  const { body } = await callBatch(url, "POST", "", {
    canvas_path: "courses/algebra.canvas",
    node_count: NODES.length,
  });
  return body.session_id;
}

async function read(id: string): Promise<BatchSession> {
  return (await callBatch(url, "GET", `/${id}`)).body;
}

function processedOf(session: BatchSession): number {
  return session.completed_nodes + session.failed_nodes;
}

function newWorker(name: string): Actor<Work> {
  const worker = new Actor<Work>(name, "batch-worker.ts");
  workers.push(worker);
  return worker;
}

function send(worker: Actor<Work>, sessionId: string, more: Partial<Work> = {}): void {
  worker.send({ url, sessionId, worker: worker.name, nodes: NODES, broken: BROKEN, mayReplace: false, ...more });
}

/** Tells what a page would see, until the end. */
async function watch(id: string): Promise<void> {
  const { body } = await fetch(`${url}/api/v1/batch/sessions/${id}/events`);
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() as string;
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data !== undefined) tellEvent(JSON.parse(data));
    }
  }
}

// biome-ignore lint/suspicious/noExplicitAny: each event has its own
function tellEvent({ type, data }: { type: string; data: any }): void {
  const processed = data.completed_nodes + data.failed_nodes;
  if (type === "node_complete" && data.status === "failed") tell("watcher", `sees ${data.node_id} fail: ${data.error}`);
  if (type === "node_complete" && processed % 10 === 0) {
    const filled = Math.round((processed / data.total_nodes) * 20);
    tell("watcher", `${"█".repeat(filled)}${"░".repeat(20 - filled)} ${processed} of ${data.total_nodes}`);
  }
  if (type === "complete") tell("watcher", `is told of the end: ${data.status}`);
}

async function finish(code: number): Promise<void> {
  await Promise.all(workers.map((each) => each.end()));
  await service.stop();
  process.exit(code);
}
