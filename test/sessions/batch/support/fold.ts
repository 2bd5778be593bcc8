/** What a page knows of a run that has heard its events from the first on, and nothing else. */
import type { Told } from "./follow.ts";

export interface Folded {
  status: string;
  ended_reason: string | null;
  error_message: string | null;
  attempt: number;
  worker: string | null;
  counts: [completed: number, failed: number, skipped: number];
  nodes: Record<string, [status: string, error: string | null, carried: boolean]>;
  /** By group_id; one that was never heard of is pending. */
  groups: Record<string, { status: string; completed: number; failed: number }>;
}

export function fold(told: readonly Told[]): Folded {
  const run: Folded = {
    status: "pending",
    ended_reason: null,
    error_message: null,
    attempt: 0,
    worker: null,
    counts: [0, 0, 0],
    nodes: {},
    groups: {},
  };
  const groupOf: Record<string, string> = {};
  for (const {
    event,
    data: { data },
  } of told) {
    if (event === "started" || event === "attempt") run.status = "running";
    if (event === "attempt") Object.assign(run, { attempt: data.attempt, worker: data.worker });
    if (event === "node_complete") {
      run.nodes[data.node_id] = [data.status, data.error ?? null, data.carried ?? false];
      run.counts = [data.completed_nodes, data.failed_nodes, data.skipped_nodes];
      if (data.group_id === undefined) continue;
      groupOf[data.node_id] = data.group_id;
      const group = run.groups[data.group_id] ?? { status: "running", completed: 0, failed: 0 };
      run.groups[data.group_id] = group;
      const of = (status: string) =>
        Object.entries(run.nodes).filter(([id, [is]]) => groupOf[id] === data.group_id && is === status).length;
      Object.assign(group, { completed: of("success"), failed: of("failed") });
    }
    if (event === "group_complete") {
      run.groups[data.group_id] = { status: data.status, completed: data.completed_nodes, failed: data.failed_nodes };
    }
    if (event === "complete") {
      const { status, ended_reason, error_message } = data;
      Object.assign(run, { status, ended_reason, error_message });
      for (const group of Object.values(run.groups)) {
        if (group.status === "running" && group.failed > 0) group.status = "failed";
      }
    }
  }
  return run;
}
