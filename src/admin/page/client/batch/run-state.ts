/** How a run, a group of it and their nodes stand, in words and colours. */
import { badge } from "../parts/element.ts";
import { count, serverNow, showDuration, showNumber, showShare } from "../parts/format.ts";
import type { Done } from "../parts/progress.ts";
import type { BatchItem, BatchStatus, GroupItem } from "./api.ts";

export const STATES: Record<BatchStatus, { words: string; kind: string }> = {
  pending: { words: "waiting for a worker", kind: "quiet" },
  running: { words: "running", kind: "busy" },
  completed: { words: "completed", kind: "live" },
  partial_failure: { words: "partly failed", kind: "takeover" },
  failed: { words: "failed", kind: "revoked" },
  cancelled: { words: "cancelled", kind: "quiet" },
};

/** Undefined: the status says all. */
const ENDINGS: Record<NonNullable<BatchItem["ended_reason"]>, string | undefined> = {
  reported: undefined,
  cancelled: undefined,
  silence: "nothing was heard of it",
  deadline: "its time was over",
  operator: "ended by an operator",
};

const GROUP_STATES: Record<GroupItem["status"], { words: string; kind: string }> = {
  pending: { words: "not begun", kind: "quiet" },
  running: { words: "begun", kind: "busy" },
  completed: STATES.completed,
  failed: STATES.failed,
};

export const stateBadge = ({ status }: BatchItem) => badge(STATES[status]);
export const groupBadge = (group: GroupItem, run: BatchItem) => badge(groupState(group, run));

/** Why it ended, where that is not what its status says. */
export const showEnding = ({ ended_reason: reason }: BatchItem) => (reason === null ? undefined : ENDINGS[reason]);

/** What a run has left as it stood goes on no more. */
function groupState({ status }: GroupItem, run: BatchItem) {
  const left = run.completed_at !== null && (status === "pending" || status === "running");
  return left ? { words: "left unfinished", kind: "quiet" } : GROUP_STATES[status];
}

export function runDone(run: BatchItem): Done {
  const counted = tell(run, run.node_count);
  return {
    ...counted,
    percent: run.progress_percent,
    text: `${counted.text} · ${showPercent(run.progress_percent)}`,
    more: [counted.more, showTimeLeft(run)].filter(Boolean).join(" · "),
    kind: STATES[run.status].kind,
  };
}

export function groupDone(group: GroupItem, run: BatchItem): Done {
  const counted = tell(group, group.total_nodes);
  return {
    ...counted,
    percent: group.total_nodes === 0 ? 0 : (100 * counted.processed) / group.total_nodes,
    kind: groupState(group, run).kind,
  };
}

type Counts = Pick<BatchItem, "completed_nodes" | "failed_nodes" | "skipped_nodes">;

export const processedNodes = (counts: Counts): number =>
  counts.completed_nodes + counts.failed_nodes + counts.skipped_nodes;

function tell(counts: Counts, total: number) {
  const processed = processedNodes(counts);
  const { failed_nodes: failed, skipped_nodes: skipped } = counts;
  const more = [failed > 0 && `${showNumber(failed)} failed`, skipped > 0 && `${showNumber(skipped)} skipped`];
  return {
    processed,
    text: `${showNumber(processed)} of ${count(total, "node")}`,
    more: more.filter(Boolean).join(" · "),
  };
}

/** Rounded down to tenths, as 100 % says that nothing is left. */
const showPercent = (percent: number) => showShare(Math.floor(Math.round(percent * 100) / 10) / 1000);

function showTimeLeft({ estimated_completion: at }: BatchItem): string {
  const leftMs = at === null ? 0 : Date.parse(at) - serverNow();
  return leftMs < 1_000 ? "" : `about ${showDuration(leftMs)} left`;
}
