/** The part of batch sessions in a correct history: a plain service, called by workers who crash, get lost and are replaced. */
import type { BatchRun } from "../checker/history.ts";
import { type AskedOfBatch, type BatchAnswer, type BatchCall, NODES } from "../load/batch-call.ts";

const RUNS = 12;
const STEPS = 40;

export function playBatch(random: () => number): { batchCalls: BatchCall[]; batch: BatchRun[] } {
  const batchCalls: BatchCall[] = [];
  const batch: BatchRun[] = [];
  for (let nth = 0; nth < RUNS; nth++) playRun(nth, random, batchCalls, batch);
  batchCalls.sort((a, b) => a.answeredAt - b.answeredAt);
  return { batchCalls, batch };
}

function playRun(nth: number, random: () => number, calls: BatchCall[], batch: BatchRun[]): void {
  const service = createService(`run-${nth}.canvas`, `session-${nth}`);
  let at = 1_000 + nth * 500;
  let attempt = 0;
  const ask = (asked: Omit<AskedOfBatch, "path" | "server">, isSure = false) => {
    at += 100 + random() * 400;
    const call: BatchCall = {
      ...asked,
      path: service.run.path,
      server: random() < 0.5 ? 0 : 1,
      status: 200,
      sentAt: at - random() * 80,
      answeredAt: at + random() * 80,
      answer: { is: "unknown", why: "503" },
    };
    if (asked.operation !== "create") call.sessionId = service.run.sessionId;
    const lost = isSure ? 0.5 : random();
    if (lost >= 0.04) call.answer = service.ask(call);
    if (call.answer.is === "claimed") attempt = call.answer.attempt;
    if (lost > 0.96) call.answer = { is: "unknown", why: "cut" };
    calls.push(call);
  };
  const put = (isSure = false, by = attempt) => {
    const status = random() < 0.8 ? "success" : random() < 0.5 ? "failed" : "skipped";
    const node = `node-${Math.floor(random() * NODES)}`;
    ask({ operation: "put", node, attempt: by, value: { status, result: `result ${random()}` } }, isSure);
  };
  ask({ operation: "create" }, true);
  ask({ operation: "claim", worker: "worker-0" }, true);
  put(true);
  for (let step = 1; step < STEPS; step++) {
    const draw = random();
    if (draw < 0.7) put();
    else if (draw < 0.9) ask({ operation: "read" });
    else if (draw < 0.97) {
      ask({ operation: "claim", worker: `worker-${step}` });
      put(false, attempt - 1);
    } else ask({ operation: random() < 0.5 ? "cancel" : "complete", attempt });
  }
  ask({ operation: "complete", attempt }, true);
  ask({ operation: "read" }, true);
  put(true);
  batch.push(service.run);
}

/** One run of the service as the contract has it; every call happens at one moment. */
function createService(path: string, sessionId: string) {
  const run: BatchRun = {
    path,
    sessionId,
    attempt: 0,
    state: "pending",
    reason: null,
    counts: [0, 0, 0],
    nodes: {},
    events: [],
  };
  const isOver = () => run.reason !== null;
  const tell = (event: string, data: object = {}) => run.events.push({ id: run.events.length + 1, event, data });
  const count = () => {
    const of = (status: string) => Object.values(run.nodes).filter((node) => node.status === status).length;
    run.counts = [of("success"), of("failed"), of("skipped")];
    const [completed_nodes, failed_nodes, skipped_nodes] = run.counts;
    return { completed_nodes, failed_nodes, skipped_nodes };
  };
  const end = (state: string, reason: string): BatchAnswer => {
    Object.assign(run, { state, reason });
    tell("complete");
    return { is: "ended", state, reason };
  };
  const ask = ({ operation, attempt, node = "", value }: BatchCall): BatchAnswer => {
    if (operation === "create") return { is: "made", sessionId };
    const { state, reason, counts } = run;
    if (operation === "read")
      return { is: "run", state, reason, counts: [...counts], nodes: structuredClone(run.nodes) };
    if (isOver()) return { is: "over", state, reason };
    if (operation === "cancel") return end("cancelled", "cancelled");
    if (operation === "claim") {
      run.state = "running";
      run.attempt++;
      tell("attempt");
      return { is: "claimed", attempt: run.attempt };
    }
    if (attempt !== run.attempt) return { is: "outdated" };
    if (operation === "complete") return end(counts[1] ? "partial_failure" : "completed", "reported");
    if (value) run.nodes[node] = value;
    tell("node_complete", { node_id: node, status: value?.status, ...count() });
    return { is: "stored" };
  };
  return { run, ask };
}
