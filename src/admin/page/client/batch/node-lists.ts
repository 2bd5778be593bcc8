/** The nodes of a run by what became of them: the failed ones first, then what is still to do, and the rest on demand. */
import { el, setText } from "../parts/element.ts";
import { age, showDuration, showNumber } from "../parts/format.ts";
import { longText } from "../parts/long-text.ts";
import { type Column, createTable } from "../parts/table.ts";
import { type BatchItem, type BatchNodeItem, listNodes, type NodeState } from "./api.ts";
import { processedNodes } from "./run-state.ts";

/** As the server cuts it; see results=false. */
const ERROR_LENGTH_MAX = 1_000;

const NODE: Column<BatchNodeItem> = {
  title: "Node",
  cell: ({ node_id }) => el("span", { class: "name" }, node_id),
};
const GROUP: Column<BatchNodeItem> = {
  title: "Group",
  cell: ({ group_id }) => el("span", { class: "name" }, String(group_id ?? "")),
};
const ERROR: Column<BatchNodeItem> = { title: "Error", cell: showError };
const TOOK: Column<BatchNodeItem> = {
  title: "Took",
  cell: ({ execution_time_ms: ms }) => (ms === null ? "" : showTook(ms)),
};
const ENDED: Column<BatchNodeItem> = {
  title: "Ended",
  cell: ({ completed_at, carried }) => (carried ? "in an earlier run" : completed_at === null ? "" : age(completed_at)),
};

interface ListOptions {
  status: NodeState;
  title: string;
  count(run: BatchItem): number;
  columns: Column<BatchNodeItem>[];
  open?: boolean;
}

const LISTS: ListOptions[] = [
  {
    status: "failed",
    title: "Failed nodes",
    count: (run) => run.failed_nodes,
    columns: [ERROR, TOOK, ENDED],
    open: true,
  },
  { status: "pending", title: "Still to do", count: (run) => run.node_count - processedNodes(run), columns: [] },
  { status: "skipped", title: "Skipped", count: (run) => run.skipped_nodes, columns: [ERROR, ENDED] },
  { status: "success", title: "Done", count: (run) => run.completed_nodes, columns: [TOOK, ENDED] },
];

export interface NodeLists {
  element: HTMLElement;
  /** The run as it is now. */
  renew(run: BatchItem): void;
}

/** `named`: the nodes of the run were named beforehand, in groups. */
export function createNodeLists(id: string, named: boolean): NodeLists {
  const lists = LISTS.map((options) => createNodeList(id, named, options));
  return {
    element: el("div", { class: "stack" }, ...lists.map(({ element }) => element)),
    renew(run) {
      for (const list of lists) list.renew(run);
    },
  };
}

function createNodeList(id: string, named: boolean, { status, title, count, columns, open }: ListOptions): NodeLists {
  const number = el("span", { class: "note number" });
  const heading = el("h2", { tabindex: "-1" }, title);
  const table = createTable<BatchNodeItem>({
    label: title,
    keyOf: ({ node_id }) => node_id,
    contentOf: (node) => JSON.stringify(node),
    load: (cursor) => listNodes(id, status, cursor),
    columns: [NODE, ...(named ? [GROUP] : []), ...columns],
    emptyTitle: "None any more",
    emptyHint: "They have changed meanwhile.",
  });
  const nameless = status === "pending" && !named;
  const content = nameless ? el("p", { class: "note" }, "The worker names a node with its result.") : table.element;
  const details = el(
    "details",
    { class: "opens", open: open ?? false },
    el("summary", {}, heading, " ", number),
    content,
  );
  const element = el("section", { class: "card", "aria-label": title, hidden: true }, details);
  let wanted = "";
  let shown = "";

  function look(): void {
    if (nameless || !details.open || element.hidden || shown === wanted) return;
    shown = wanted;
    void table.refresh();
  }
  details.addEventListener("toggle", look);

  return {
    element,
    renew(run) {
      const n = count(run);
      element.hidden = n <= 0;
      setText(number, showNumber(n));
      wanted = `${n} ${run.updated_at} ${run.status}`;
      look();
    },
  };
}

function showError({ error }: BatchNodeItem): HTMLElement | string {
  if (error === null) return "";
  return longText(error.length < ERROR_LENGTH_MAX ? error : `${error} …`);
}

function showTook(ms: number): string {
  if (ms < 1_000) return `${ms} ms`;
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : showDuration(ms);
}
