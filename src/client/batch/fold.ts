/** Folds the events of a run into how it stands, as `GET` has it. Each state is a new object, for pages that compare. */
import type { BatchSession, NodeStatus } from "../../sessions/batch/contract.ts";
import type { Told } from "../../sessions/batch/event-contract.ts";
import type { StatusReply } from "../../sessions/batch/parallel/contract.ts";

export interface NodeState {
  status: NodeStatus;
  /** At most its first 1,000 characters. */
  error: string | null;
}

/** A group of a run that was made by `execute`. */
export interface GroupState {
  groupId: string | number;
  status: "pending" | "running" | "completed" | "failed";
  completed: number;
  failed: number;
  total: number;
}

export interface BatchState {
  sessionId: string;
  canvasPath: string;
  status: BatchSession["status"];
  endedReason: BatchSession["ended_reason"];
  errorMessage: string | null;
  /** How often a worker has taken it, and who was the last. */
  attempt: number;
  worker: string | null;
  counts: { completed: number; failed: number; skipped: number; total: number };
  /** 0 to 100. */
  progress: number;
  /** The worker's word for what it is doing. */
  message: string | null;
  /** In the order of the request; empty for a run without groups. */
  groups: readonly GroupState[];
  /** The nodes that are in, by id; null where they are too many or too large: ask for them page by page. */
  nodes: ReadonlyMap<string, NodeState> | null;
  /** The run that goes on with this one. */
  resumedAs: string | null;
}

export type GroupsReply = Pick<StatusReply, "groups">;

/** As many as the service shows at once. */
const NODES_MAX = 1_000;
const ERROR_CHARACTERS_MAX = 1_000;

export class Fold {
  state: BatchState;
  /** Of the nodes in groups: of which group, and how they came out; successes and failures alone. */
  readonly #grouped = new Map<string, { groupId: string | number; status: NodeStatus }>();

  constructor(session: BatchSession, { groups }: GroupsReply) {
    for (const { group_id, results, errors } of groups) {
      for (const { node_id } of results) this.#grouped.set(node_id, { groupId: group_id, status: "success" });
      for (const { node_id } of errors) this.#grouped.set(node_id, { groupId: group_id, status: "failed" });
    }
    this.state = {
      sessionId: session.session_id,
      canvasPath: session.canvas_path,
      status: session.status,
      endedReason: session.ended_reason,
      errorMessage: session.error_message,
      attempt: session.attempt,
      worker: session.worker,
      counts: countsOf(session, session.node_count),
      progress: session.progress_percent,
      message: session.message,
      groups: groups.map((group) => ({
        groupId: group.group_id,
        status: group.status,
        completed: group.completed_nodes,
        failed: group.errors.length,
        total: group.total_nodes,
      })),
      nodes: nodesOf(session),
      resumedAs: session.resumed_as,
    };
  }

  /** Whether the event is one of those that say something. */
  take(event: string, data: unknown): boolean {
    const change = this.#changeBy(event, data);
    if (change) this.state = { ...this.state, ...change };
    return change !== undefined;
  }

  #changeBy(event: string, data: unknown): Partial<BatchState> | undefined {
    switch (event) {
      case "progress": {
        const told = data as Told<"progress">;
        return { ...this.#count(told), message: told.message };
      }
      case "started":
        return { status: "running", attempt: (data as Told<"started">).attempt };
      case "attempt": {
        const { attempt, worker } = data as Told<"attempt">;
        return { status: "running", attempt, worker };
      }
      case "node_complete":
        return this.#takeNode(data as Told<"node_complete">);
      case "group_complete": {
        const { group_id, status, completed_nodes, failed_nodes } = data as Told<"group_complete">;
        return { groups: this.#changeGroup(group_id, { status, completed: completed_nodes, failed: failed_nodes }) };
      }
      case "complete":
        return this.#end(data as Told<"complete">);
      default:
        return undefined;
    }
  }

  #count(told: Told<"progress"> | Told<"node_complete">): Partial<BatchState> {
    return { counts: countsOf(told, told.total_nodes), progress: told.progress_percent };
  }

  #takeNode(told: Told<"node_complete">): Partial<BatchState> {
    const { node_id, status, error = null, group_id } = told;
    const nodes = this.state.nodes && new Map(this.state.nodes).set(node_id, { status, error });
    const change = { ...this.#count(told), nodes: nodes && nodes.size > NODES_MAX ? null : nodes };
    if (group_id === undefined) return change;
    const before = this.#grouped.get(node_id)?.status;
    this.#grouped.set(node_id, { groupId: group_id, status });
    const group = this.state.groups.find(({ groupId }) => groupId === group_id);
    if (!group) return change;
    const grew = (of: NodeStatus) => Number(status === of) - Number(before === of);
    const counts = { completed: group.completed + grew("success"), failed: group.failed + grew("failed") };
    // Whether it is over is told by an event of its own.
    const begun = group.status === "pending" ? "running" : group.status;
    return { ...change, groups: this.#changeGroup(group_id, { ...counts, status: begun }) };
  }

  #changeGroup(groupId: string | number, change: Partial<GroupState>): readonly GroupState[] {
    return this.state.groups.map((group) => (group.groupId === groupId ? { ...group, ...change } : group));
  }

  #end(told: Told<"complete">): Partial<BatchState> {
    const { status, ended_reason, error_message, success_count, failure_count, skipped_count, resumed_as } = told;
    const { counts, groups, resumedAs } = this.state;
    return {
      status,
      endedReason: ended_reason,
      errorMessage: error_message,
      counts: { completed: success_count, failed: failure_count, skipped: skipped_count, total: counts.total },
      // What the end leaves unfinished has failed if anything in it has.
      groups: groups.map((group) => (group.failed > 0 ? { ...group, status: "failed" } : group)),
      resumedAs: resumed_as ?? resumedAs,
    };
  }
}

function countsOf(
  told: { completed_nodes: number; failed_nodes: number; skipped_nodes: number },
  total: number,
): BatchState["counts"] {
  return { completed: told.completed_nodes, failed: told.failed_nodes, skipped: told.skipped_nodes, total };
}

function nodesOf({ node_results, node_results_truncated }: BatchSession): BatchState["nodes"] {
  if (node_results_truncated) return null;
  const nodes = new Map<string, NodeState>();
  for (const { node_id, status, error } of Object.values(node_results)) {
    const cut = error === null ? null : [...error].slice(0, ERROR_CHARACTERS_MAX).join("");
    if (status) nodes.set(node_id, { status, error: cut });
  }
  return nodes;
}
