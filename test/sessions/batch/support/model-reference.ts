/**
 * What the contract promises of batch sessions, as the plainest program that keeps it: one caller at a time, everything in
 * memory, a clock that only moves when it is told to. Written from the contract, not from the SQL that it judges.
 *
 * A run whose time is over is ended by whoever comes by it: until then its row may say otherwise, and no answer does.
 */
import type { NODE_STATUSES } from "../../../../src/sessions/batch/states.ts";
import { type Call, RESULTS, SHAPES } from "./model-commands.ts";

const SILENCE_SECONDS = 1800;
const CLAIM_SECONDS = 60;
const KEY_SECONDS = 86_400;
const RETENTION_SECONDS = 7 * 86_400;

const LEGAL = [
  ...["pending running", "pending cancelled"],
  ...["running completed", "running partial_failure", "running failed", "running cancelled"],
];

export interface ModelNode {
  group: number | null;
  status: (typeof NODE_STATUSES)[number] | null;
  result: unknown;
  error: string | null;
  timed: boolean;
  carried: boolean;
}

export interface ModelRun {
  /** The program makes it; learned from its answer. */
  id: string;
  nodeCount: number;
  /** How many nodes each group has. */
  groups: number[] | null;
  timeout: number | null;
  status: string;
  reason: string | null;
  error: string | null;
  message: string | null;
  sent: number | null;
  attempt: number;
  worker: string | null;
  createdAt: number;
  updatedAt: number;
  startedAt: number | null;
  endedAt: number | null;
  reportedAt: number;
  /** Of the worker with the present attempt. */
  seenAt: number | null;
  nodes: Map<string, ModelNode>;
  carried: number;
  resumedFrom: string | null;
  resumedAs: string | null;
  events: string[];
}

/** The answer to a call in the fewest words that tell two different answers apart. */
export type Answer = { is: string } & Record<string, unknown>;

export interface Reference {
  nowSeconds: number;
  readonly runs: ModelRun[];
  readonly keys: Map<string, { body: string; run: ModelRun; at: number }>;
  answer(call: Call): Answer;
}

export function createReference(): Reference {
  const reference: Reference = { nowSeconds: 0, runs: [], keys: new Map(), answer };
  const { runs, keys } = reference;
  const now = () => reference.nowSeconds;

  function answer(call: Call): Answer {
    if (call.do === "create" || call.do === "execute") return create(call);
    if (call.do === "stats") return stats();
    if (call.do === "cleanup") return cleanUp();
    const run = runs.find(({ id }) => id === call.id);
    if (call.do === "erase") return erase(run);
    if (run === undefined) return { is: "session_not_found" };
    settle(run);
    switch (call.do) {
      case "read":
        return { is: "shown", ...show(run), results: resultsOf(run) };
      case "status":
        return { is: "shown", ...showGroups(run) };
      case "claim":
        return claim(run, call);
      case "move":
        return move(run, call);
      case "complete":
        return complete(run, call);
      case "progress":
        return progress(run, call);
      case "put":
        return put(run, call);
      case "resume":
        return resume(run);
      default: {
        if (run.endedAt !== null) return over(run);
        const operator = call.do === "force end";
        const status = operator && run.status === "running" ? "failed" : "cancelled";
        const why = operator ? (call.reason ?? "ended by an operator") : call.reason;
        end(run, { status, reason: operator ? "operator" : "cancelled", error: why, at: now() });
        return operator ? { is: "ended", ...show(run) } : { is: "cancelled", count: count(run).success };
      }
    }
  }

  function create(call: Call & { do: "create" | "execute" }): Answer {
    const { key, do: verb, ...body } = call;
    const known = key === null ? undefined : keys.get(key);
    if (known && now() - known.at < KEY_SECONDS && runs.includes(known.run)) {
      if (known.body !== JSON.stringify([verb, body])) return { is: "idempotency_conflict" };
      return { is: "made", id: known.run.id, ...(verb === "create" && showFresh(known.run)) };
    }
    const groups = call.do === "execute" ? (SHAPES[call.shape] as (typeof SHAPES)[number]) : null;
    const run = newRun(groups ? groups.flat().length : (call as { nodes: number }).nodes, call.timeout);
    run.groups = groups?.map((nodes) => nodes.length) ?? null;
    for (const [group, nodes] of groups?.entries() ?? []) for (const node of nodes) run.nodes.set(node, toDo(group));
    if (key !== null) keys.set(key, { body: JSON.stringify([verb, body]), run, at: now() });
    return { is: "made", id: run.id, ...(verb === "create" && showFresh(run)) };
  }

  function newRun(nodeCount: number, timeout: number | null): ModelRun {
    const run: ModelRun = {
      id: "",
      nodeCount,
      groups: null,
      timeout,
      status: "pending",
      reason: null,
      error: null,
      message: null,
      sent: null,
      attempt: 0,
      worker: null,
      createdAt: now(),
      updatedAt: now(),
      startedAt: null,
      endedAt: null,
      reportedAt: now(),
      seenAt: null,
      nodes: new Map(),
      carried: 0,
      resumedFrom: null,
      resumedAs: null,
      events: [],
    };
    runs.push(run);
    return run;
  }

  /** Ends it if its time is over. */
  function settle(run: ModelRun): boolean {
    if (run.endedAt !== null) return false;
    const silent = run.reportedAt + SILENCE_SECONDS;
    const deadline = deadlineOf(run) ?? Number.POSITIVE_INFINITY;
    if (Math.min(silent, deadline) > now()) return false;
    const status = run.status === "running" ? "failed" : "cancelled";
    const [reason, error, at] =
      deadline <= silent
        ? ["deadline", `not done within ${run.timeout === 60 ? "1 minute" : "1 hour"}`, deadline]
        : ["silence", "no sign of life for 30 minutes", silent];
    end(run, { status, reason: reason as string, error: error as string, at: at as number });
    return true;
  }

  function end(run: ModelRun, how: { status: string; reason: string; error: string | null; at: number }): void {
    Object.assign(run, {
      status: how.status,
      reason: how.reason,
      error: how.error,
      endedAt: how.at,
      updatedAt: how.at,
    });
    const { success, failed, skipped } = count(run);
    const seconds = how.at - (run.startedAt ?? run.createdAt);
    run.events.push(`complete ${how.status} ${how.reason} ${how.error} ${success}/${failed}/${skipped} in ${seconds}`);
  }

  /** Why a report does not count. */
  function fence(run: ModelRun, attempt: number | null): Answer | undefined {
    if (run.endedAt !== null) return over(run);
    if (attempt === null || attempt === run.attempt) return undefined;
    if (attempt > run.attempt) return { is: "invalid_request" };
    return { is: "attempt_replaced", holder: holderOf(run) };
  }

  const over = (run: ModelRun): Answer => ({ is: "session_over", ...endingOf(run) });

  function hear(run: ModelRun, attempt: number | null): void {
    run.reportedAt = now();
    if (attempt !== null && attempt > 0 && attempt === run.attempt) run.seenAt = now();
  }

  function claim(run: ModelRun, call: Call & { do: "claim" }): Answer {
    if (run.endedAt !== null) return over(run);
    const held = run.seenAt !== null && now() - run.seenAt < CLAIM_SECONDS;
    const own = run.worker !== null && run.worker === call.worker;
    if (held && !own && !call.replace) return { is: "claimed by another", holder: holderOf(run) };
    if (run.status === "pending") Object.assign(run, { status: "running", startedAt: now() });
    run.attempt++;
    run.worker = call.worker;
    run.updatedAt = now();
    hear(run, run.attempt);
    run.events.push(`attempt ${run.attempt} ${run.worker}`);
    return { is: "claimed", ...show(run) };
  }

  function move(run: ModelRun, { to, message, attempt }: Call & { do: "move" }): Answer {
    const fenced = run.endedAt === null ? fence(run, attempt) : undefined;
    if (fenced) return fenced;
    if (!LEGAL.includes(`${run.status} ${to}`)) {
      return { is: "invalid_transition", from: run.status, to, ...endingOf(run) };
    }
    if (to === "completed" && count(run).failed > 0) return { is: "results_disagree", counts: count(run) };
    hear(run, attempt);
    if (to === "running") {
      Object.assign(run, { status: to, startedAt: now(), updatedAt: now(), error: message });
      run.events.push(`started ${run.attempt}`);
    } else {
      end(run, { status: to, reason: to === "cancelled" ? to : "reported", error: message, at: now() });
    }
    return { is: `moved to ${to}`, ...show(run) };
  }

  function complete(run: ModelRun, call: Call & { do: "complete" }): Answer {
    const fenced = fence(run, call.attempt);
    if (fenced) return fenced;
    if (run.status === "pending") {
      return { is: "invalid_transition", from: "pending", to: "completed", ...endingOf(run) };
    }
    hear(run, call.attempt);
    run.sent = call.percent ?? run.sent;
    const { success, failed, processed } = count(run);
    const whole = failed === 0 && (processed === run.nodeCount || processed === 0);
    const status = whole ? "completed" : success === 0 ? "failed" : "partial_failure";
    end(run, { status, reason: "reported", error: call.message, at: now() });
    return { is: `ended as ${status}`, ...show(run) };
  }

  function progress(run: ModelRun, { percent, message, attempt }: Call & { do: "progress" }): Answer {
    const fenced = fence(run, attempt);
    if (fenced) return fenced;
    hear(run, attempt);
    if (run.status === "running" && (percent !== null || message !== null)) {
      run.sent = percent ?? run.sent;
      run.message = message ?? run.message;
      run.updatedAt = now();
    }
    const { status, progress, silentIn } = show(run);
    return { is: "reported", status, progress, silentIn, message: run.message, attempt: run.attempt };
  }

  function put(run: ModelRun, call: Call & { do: "put" }): Answer {
    const fenced = fence(run, call.attempt);
    if (fenced) return fenced;
    const { node: id, status, timed } = call;
    const before = run.nodes.get(id);
    if (!before && run.groups) return { is: "unknown_node" };
    if (!before && run.nodes.size >= run.nodeCount) return { is: "too_many_nodes" };
    hear(run, call.attempt);
    const result = RESULTS[call.result] ?? null;
    const error = status === "failed" ? "no such page" : null;
    const node: ModelNode = { group: before?.group ?? null, status, result, error, timed, carried: false };
    if (before && JSON.stringify({ ...before, carried: false }) === JSON.stringify(node)) {
      return { is: "duplicate", node: showNode(before) };
    }
    const was = groupStatus(run, node.group);
    run.nodes.set(id, node);
    run.sent = null;
    run.updatedAt = now();
    run.events.push(tellNode(run, id, node));
    const became = groupStatus(run, node.group);
    if (became !== was && (became === "completed" || became === "failed")) run.events.push(tellGroup(run, node.group));
    return { is: before?.status ? "replaced" : "stored", node: showNode(node) };
  }

  function resume(run: ModelRun): Answer {
    if (run.endedAt === null || run.status === "completed") return { is: "not_resumable", status: run.status };
    const known = runs.find(({ id }) => id === run.resumedAs);
    if (known) {
      settle(known);
      return { is: "resumed before", id: known.id, ...show(known) };
    }
    const fresh = newRun(run.nodeCount, run.timeout);
    fresh.groups = run.groups;
    fresh.resumedFrom = run.id;
    const done = [...run.nodes].filter(([, node]) => node.status === "success");
    for (const [id, node] of done.sort(byGroupAndId)) {
      fresh.nodes.set(id, { ...node, carried: true });
      fresh.events.push(tellNode(fresh, id, { ...node, carried: true }));
    }
    fresh.carried = done.length;
    for (const [id, node] of run.groups ? run.nodes : []) {
      if (!fresh.nodes.has(id)) fresh.nodes.set(id, toDo(node.group));
    }
    for (const group of run.groups?.keys() ?? []) {
      if (groupStatus(fresh, group) === "completed") fresh.events.push(tellGroup(fresh, group));
    }
    run.resumedAs = "the next";
    return { is: "resumed", id: fresh.id, ...show(fresh) };
  }

  function erase(run: ModelRun | undefined): Answer {
    if (run) runs.splice(runs.indexOf(run), 1);
    for (const other of runs) {
      if (other.resumedFrom === run?.id) other.resumedFrom = null;
      if (other.resumedAs === run?.id) other.resumedAs = null;
    }
    return { is: run ? "erased" : "nothing" };
  }

  function stats(): Answer {
    for (const run of runs) settle(run);
    const by: Record<string, number> = {};
    for (const { status } of runs) by[status] = (by[status] ?? 0) + 1;
    return { is: "counts", by };
  }

  function cleanUp(): Answer {
    const ended = runs.filter(settle).length;
    const old = runs.filter(({ endedAt }) => endedAt !== null && now() - endedAt > RETENTION_SECONDS);
    for (const run of old) runs.splice(runs.indexOf(run), 1);
    const is = old.length > 0 ? "forgets some" : ended > 0 ? "ends some" : "finds none";
    return { is, ended, forgotten: old.length };
  }

  const deadlineOf = (run: ModelRun) =>
    run.startedAt === null || run.timeout === null ? null : run.startedAt + run.timeout;

  function show(run: ModelRun) {
    const { success, failed, skipped, processed } = count(run);
    const deadline = deadlineOf(run);
    return {
      status: run.status,
      reason: run.reason,
      error: run.error,
      message: run.message,
      worker: run.worker,
      attempt: run.attempt,
      nodeCount: run.nodeCount,
      progress: progressOf(run),
      counts: [success, failed, skipped],
      resumedFrom: run.resumedFrom,
      resumedAs: run.resumedAs,
      silentIn: run.endedAt === null ? run.reportedAt + SILENCE_SECONDS - now() : null,
      deadlineIn: deadline === null ? null : deadline - now(),
      estimated: run.status === "running" && processed > run.carried,
    };
  }

  const showFresh = (run: ModelRun) => {
    const age = now() - run.createdAt;
    const fresh = { ...run, status: "pending", reason: null, error: null, message: null, sent: null, attempt: 0 };
    const shown = show({ ...fresh, worker: null, startedAt: null, endedAt: null, resumedAs: null, nodes: new Map() });
    return { ...shown, silentIn: SILENCE_SECONDS - age };
  };

  function showGroups(run: ModelRun) {
    const groups = (run.groups ?? []).map((_, group) => {
      const nodes = [...run.nodes].filter(([, node]) => node.group === group);
      const of = (status: string) => nodes.filter(([, node]) => node.status === status).map(([id]) => id);
      return { status: groupStatus(run, group), done: of("success").sort(), failed: of("failed").sort() };
    });
    return { status: run.status, progress: Math.floor(progressOf(run)), error: run.error, groups };
  }

  return reference;
}

const toDo = (group: number | null): ModelNode => ({
  group,
  status: null,
  result: null,
  error: null,
  timed: false,
  carried: false,
});

const byGroupAndId = ([a, x]: [string, ModelNode], [b, y]: [string, ModelNode]) =>
  (x.group ?? 0) - (y.group ?? 0) || (a < b ? -1 : 1);

export function count(run: Pick<ModelRun, "nodes">, group?: number | null) {
  const of = (status: string) =>
    [...run.nodes.values()].filter((node) => node.status === status && (group === undefined || node.group === group))
      .length;
  const [success, failed, skipped] = [of("success"), of("failed"), of("skipped")];
  return { success, failed, skipped, processed: success + failed + skipped };
}

function progressOf(run: ModelRun): number {
  if (run.sent !== null) return run.sent;
  if (run.nodeCount === 0) return run.status === "completed" ? 100 : 0;
  return Math.floor((10_000 * count(run).processed) / run.nodeCount) / 100;
}

export function groupStatus(run: ModelRun, group: number | null): string {
  if (group === null) return "none";
  const { failed, processed } = count(run, group);
  const whole = processed === run.groups?.[group];
  if (failed > 0 && (whole || run.endedAt !== null)) return "failed";
  if (whole) return "completed";
  return processed > 0 ? "running" : "pending";
}

const endingOf = ({ status, reason, error, attempt }: ModelRun) => ({ ending: [status, reason, error, attempt] });
const holderOf = ({ worker, attempt }: ModelRun) => ({ worker, attempt });

function tellNode(run: ModelRun, id: string, node: ModelNode): string {
  const { success, failed, skipped } = count(run);
  const of = node.group === null ? "" : ` of g${node.group}`;
  const error = node.error === null ? "" : ` ${node.error}`;
  const counts = `${success}/${failed}/${skipped} of ${run.nodeCount} ${progressOf(run)}`;
  return `node_complete ${id} ${node.status}${of}${error}${node.carried ? " carried" : ""} ${counts}`;
}

function tellGroup(run: ModelRun, group: number | null): string {
  const { success, failed, skipped } = count(run, group);
  return `group_complete g${group} ${groupStatus(run, group)} ${success}/${failed}/${skipped} of ${run.groups?.[group ?? 0]}`;
}

function resultsOf(run: ModelRun) {
  const reported = [...run.nodes].filter(([, node]) => node.status !== null).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(reported.map(([id, node]) => [id, showNode(node)]));
}

export function showNode({ status, result, error, timed, carried }: ModelNode) {
  return [status, result, error, timed ? 2500 : null, carried];
}
