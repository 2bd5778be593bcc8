/** What operators did, newest first. */
import type { AuditItem } from "../../../audit/contract.ts";
import { call, type Page } from "../api.ts";
import { type Child, el } from "../parts/element.ts";
import { dateTime } from "../parts/format.ts";
import { createTable } from "../parts/table.ts";
import type { View } from "../view.ts";

const readAudit = (cursor: string | null) =>
  call<Page<AuditItem>>("GET", `audit?limit=50${cursor ? `&cursor=${cursor}` : ""}`);

export function createAuditView(): View {
  const table = createTable<AuditItem>({
    label: "Audit log",
    keyOf: (item) => String(item.id),
    contentOf: (item) => String(item.id),
    load: readAudit,
    columns: [
      { title: "When", cell: ({ at }) => dateTime(at) },
      { title: "What", cell: ({ action }) => action.replaceAll("_", " ") },
      {
        title: "Key",
        cell: ({ key_id }) => (key_id === null ? "" : el("a", { href: `#/keys/${key_id}` }, `#${key_id}`)),
      },
      { title: "Who", cell: ({ who }) => who },
      { title: "From", cell: ({ from }) => from ?? "" },
      { title: "Details", cell: showDetails },
    ],
    emptyTitle: "Nothing yet",
    emptyHint: "Every change that an operator makes is written down here.",
  });
  const heading = el("h1", { tabindex: "-1" }, "Audit log");
  return {
    title: "Audit",
    element: el(
      "div",
      { class: "stack" },
      heading,
      el("section", { class: "card", "aria-label": "Audit log" }, table.element),
    ),
    refresh: () => void table.refresh(),
  };
}

function showDetails({ details }: AuditItem): HTMLElement | string {
  const told = Object.entries(details ?? {}).filter(([, value]) => value !== null);
  if (told.length === 0) return "";
  return el("span", {}, ...told.flatMap(([name, value], at) => [at > 0 && ", ", ...showDetail(name, value)]));
}

function showDetail(name: string, value: unknown): Child[] {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const link = (hash: string) => el("a", { href: hash, class: "mono breakable" }, text);
  if (name === "batch_session_id") return ["run ", link(`#/batches/${text}`)];
  if (name === "game_session_id") return ["game ", link(`#/games/${text}`)];
  return [`${name.replaceAll("_", " ")}: ${text}`];
}
