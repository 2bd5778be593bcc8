/**
 * A table of one page of a list: the pages are the server's, by cursor, so that 100,000 rows cost the browser no more
 * than one page of them. Loading it again changes in place what has changed: focus and selection stay where they are.
 */
import type { Page } from "../api.ts";
import { type Child, el, empty } from "./element.ts";

export interface Column<T> {
  title: string;
  /** Stands before it on a phone instead of the title; empty: it speaks for itself, and is cut where it is long. */
  short?: string;
  /** Numbers and buttons stand at the end of their cell. */
  end?: boolean;
  cell(item: T): Child;
}

export interface TableOptions<T> {
  label: string;
  columns: Column<T>[];
  /** Tells rows apart. */
  keyOf(item: T): string;
  /** What its cells show, as text; only a row that shows something else is made anew. */
  contentOf(item: T): string;
  /** Changes in a row that stays what changes all the time. */
  renew?(row: HTMLTableRowElement, item: T): void;
  load(cursor: string | null): Promise<Page<T>>;
  emptyTitle: string;
  emptyHint: string;
}

export interface Table {
  element: HTMLElement;
  /** Loads the page shown again. */
  refresh(): Promise<void>;
  /** Back to the first page. */
  restart(): Promise<void>;
}

export function createTable<T>(options: TableOptions<T>): Table {
  const { columns, keyOf, contentOf } = options;
  const head = columns.map(({ title, end }) =>
    el("th", { scope: "col", role: "columnheader", class: end ? "end" : null }, title),
  );
  const body = el("tbody", { role: "rowgroup" });
  const table = el(
    "table",
    { class: "rows", role: "table", "aria-label": options.label },
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...head)),
    body,
  );
  const nothing = empty(options.emptyTitle, options.emptyHint);
  const status = el("span", { class: "note", role: "status" }, "Loading …");
  const back = el("button", { class: "small", type: "button", onclick: () => turn(-1) }, "Previous");
  const forth = el("button", { class: "small", type: "button", onclick: () => turn(1) }, "Next");
  const pager = el("nav", { class: "pager", "aria-label": `Pages of ${options.label}` }, status);
  pager.append(el("span", { class: "actions" }, back, forth));
  table.hidden = true;
  nothing.hidden = true;

  /** The cursor that begins each page up to the one shown. */
  let cursors: (string | null)[] = [null];
  let next: string | null = null;
  let asked = 0;

  async function refresh(): Promise<void> {
    const mine = ++asked;
    let page: Page<T>;
    try {
      page = await options.load(cursors.at(-1) ?? null);
    } catch (error) {
      if (mine !== asked) return;
      status.textContent = (error as Error).message;
      pager.hidden = false;
      return;
    }
    if (mine !== asked) return; // a later question has overtaken this one
    next = page.next_cursor;
    show(page.items);
  }

  function show(items: T[]): void {
    update(body, items, { keyOf, contentOf, makeRow, renew: options.renew });
    table.hidden = items.length === 0;
    nothing.hidden = items.length > 0 || cursors.length > 1;
    back.disabled = cursors.length === 1;
    forth.disabled = next === null;
    pager.hidden = items.length === 0 && cursors.length === 1;
    const more = next === null ? (cursors.length === 1 ? "" : ", the last page") : ", more follow";
    status.textContent = `Page ${cursors.length}: ${items.length} ${items.length === 1 ? "row" : "rows"}${more}`;
  }

  const makeRow = (item: T) =>
    el(
      "tr",
      { role: "row" },
      ...columns.map(({ title, short = title, end, cell }) =>
        el(
          "td",
          { role: "cell", "data-label": end && title === "Actions" ? "" : short, class: end ? "end" : null },
          cell(item),
        ),
      ),
    );

  async function turn(by: 1 | -1): Promise<void> {
    if (by === 1 && next !== null) cursors.push(next);
    if (by === -1 && cursors.length > 1) cursors.pop();
    await refresh();
    if ((by === 1 ? forth : back).disabled) (by === 1 ? back : forth).focus();
  }

  return {
    element: el("div", {}, table, nothing, pager),
    refresh,
    restart() {
      cursors = [null];
      return refresh();
    },
  };
}

interface Known {
  row: HTMLTableRowElement;
  content: string;
}
const known = new WeakMap<HTMLTableSectionElement, Map<string, Known>>();

function update<T>(
  body: HTMLTableSectionElement,
  items: T[],
  how: Pick<TableOptions<T>, "keyOf" | "contentOf" | "renew"> & { makeRow(item: T): HTMLTableRowElement },
): void {
  const before = known.get(body) ?? new Map<string, Known>();
  const after = new Map<string, Known>();
  for (const item of items) {
    const [key, content] = [how.keyOf(item), how.contentOf(item)];
    const old = before.get(key);
    const stays = old?.content === content;
    if (stays) how.renew?.(old.row, item);
    after.set(key, stays ? old : { row: how.makeRow(item), content });
  }
  // A row with the focus in it that is made anew keeps it, on the same control.
  const focused = document.activeElement;
  const inRow = focused?.closest("tr");
  const controls = inRow ? [...inRow.querySelectorAll("a, button")] : [];
  const at = controls.indexOf(focused as Element);
  const key = [...before].find(([, { row }]) => row === inRow)?.[0];
  const replacement = key === undefined ? undefined : after.get(key)?.row;
  const rows = [...after.values()].map(({ row }) => row);
  place(body, rows);
  if (at >= 0 && document.activeElement !== focused) {
    const target = replacement?.querySelectorAll<HTMLElement>("a, button")[at];
    (target ?? body.closest("section")?.querySelector("h2"))?.focus();
  }
  known.set(body, after);
}

/** A row that stays is not moved, or the place on the page that one reads would jump. */
function place(body: HTMLTableSectionElement, rows: HTMLTableRowElement[]): void {
  const staying = new Set(rows);
  for (const row of [...body.rows]) if (!staying.has(row)) row.remove();
  for (const [at, row] of rows.entries()) {
    if (body.rows[at] !== row) body.insertBefore(row, body.rows[at] ?? null);
  }
}
