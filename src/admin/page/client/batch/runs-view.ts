/** All runs, newest first: how far each is, found by its state, its id or what it works on. */
import { el, field, select } from "../parts/element.ts";
import { age } from "../parts/format.ts";
import { renewProgress, showProgress } from "../parts/progress.ts";
import { searchInput } from "../parts/search-field.ts";
import { createTable, type Table } from "../parts/table.ts";
import type { View } from "../view.ts";
import { type BatchItem, type BatchStatus, listRuns } from "./api.ts";
import { runDone, STATES, showEnding, stateBadge } from "./run-state.ts";

const PAGE_SIZE = 50;
const SHOWN_ID_LENGTH = 8;

export function createRunsView(): View {
  const search = searchInput(() => void table.restart());
  const states = Object.entries(STATES).map(([status, { words }]): [BatchStatus, string] => [
    status as BatchStatus,
    words,
  ]);
  const status = select([["", "all"], ...states], { onchange: () => void table.restart() });
  const table: Table = createTable<BatchItem>({
    label: "Batches",
    keyOf: ({ session_id }) => session_id,
    contentOf: (run) => JSON.stringify([run.status, run.ended_reason, run.attempt, run.worker]),
    renew: (row, run) => renewProgress(row, runDone(run)),
    load(cursor) {
      const wanted = search.value.trim();
      return listRuns({
        limit: String(PAGE_SIZE),
        ...(wanted && { search: wanted }),
        ...(status.value && { status: status.value }),
        ...(cursor !== null && { cursor }),
      });
    },
    columns: [
      { title: "Run", cell: showRun },
      { title: "Status", short: "", cell: showStatus },
      { title: "Progress", short: "", cell: (run) => showProgress(`Progress of ${run.canvas_path}`, runDone(run)) },
      { title: "Worker", cell: showWorker },
      { title: "Created", cell: ({ created_at }) => age(created_at) },
    ],
    emptyTitle: "No runs here",
    emptyHint: "A run shows up the moment that it is created. If there are some, look for another state or name.",
  });
  const heading = el("h1", { tabindex: "-1" }, "Batches");
  const wide = field("Id, or what it works on begins with", search, "wide");
  const filters = el("div", { class: "filters", role: "search" }, wide, field("Status", status));
  const card = el("section", { class: "card", "aria-label": "Batches" }, filters, table.element);
  const refresh = () => void table.refresh();
  return {
    title: "Batches",
    element: el("div", { class: "stack" }, heading, card),
    refresh,
    onNumbers: () => !document.hidden && refresh(),
  };
}

function showRun({ session_id, canvas_path }: BatchItem): HTMLElement {
  const link = el("a", { href: `#/batches/${session_id}` }, canvas_path);
  const id = el("span", { class: "sub mono", title: session_id }, `${session_id.slice(0, SHOWN_ID_LENGTH)}…`);
  return el("span", {}, link, id);
}

function showStatus(run: BatchItem): HTMLElement {
  const ending = showEnding(run);
  return el("span", {}, stateBadge(run), ending ? el("span", { class: "sub" }, ending) : null);
}

function showWorker({ attempt, worker }: BatchItem): HTMLElement | string {
  if (attempt === 0) return "";
  return el("span", {}, worker ?? "no name", attempt > 1 ? el("span", { class: "sub" }, `attempt ${attempt}`) : null);
}
