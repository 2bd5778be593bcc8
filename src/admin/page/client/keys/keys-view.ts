/** All keys: find one, make one, bring many. */

import { trustBadge } from "../device/trust-badge.ts";
import { el, field, select } from "../parts/element.ts";
import { age, dateTime, showDevice } from "../parts/format.ts";
import { readSearch, searchField } from "../parts/search-field.ts";
import { createTable, type Table } from "../parts/table.ts";
import type { View } from "../view.ts";
import { type KeyItem, searchKeys } from "./api.ts";
import { askForImport } from "./import-dialog.ts";
import { askForNewKey } from "./key-dialogs.ts";
import { keyState, stateBadge } from "./key-state.ts";

const PAGE_SIZE = 50;
const STATES: [string, string][] = [
  ["", "all"],
  ["active", "active"],
  ["live", "live now"],
  ["offline", "offline by a lease"],
  ["revoked", "revoked"],
  ["expired", "expired"],
];

export function createKeysView(): View {
  const search = searchField(["label", "prefix", "access_key"], () => void table.restart());
  const state = select(STATES, { onchange: () => void table.restart() });
  const table: Table = createTable<KeyItem>({
    label: "Keys",
    keyOf: ({ id }) => String(id),
    contentOf: (key) =>
      JSON.stringify([key.label, key.expires_at, key.last_used_at, keyState(key), key.leased_until, key.live]),
    load: (cursor) =>
      searchKeys({ limit: PAGE_SIZE, cursor, ...readSearch(search), ...(state.value && { state: state.value }) }),
    columns: [
      { title: "Key", cell: showKey },
      { title: "State", cell: showState },
      {
        title: "Used by",
        cell: ({ live }) => (live ? el("span", {}, showDevice(live.device), " ", trustBadge(live)) : ""),
      },
      { title: "Last used", cell: ({ last_used_at }) => (last_used_at === null ? "never" : age(last_used_at)) },
      { title: "Created", cell: ({ created_at }) => dateTime(created_at) },
      { title: "Expires", cell: ({ expires_at }) => (expires_at === null ? "never" : dateTime(expires_at)) },
    ],
    emptyTitle: "No keys here",
    emptyHint: "Create one, import those that you have, or search for something else.",
  });
  const again = () => void table.restart();
  const create = el("button", { class: "main", type: "button", onclick: () => askForNewKey(again) }, "Create a key");
  const bring = el("button", { type: "button", onclick: () => askForImport(again) }, "Import");
  const actions = el("div", { class: "actions" }, create, bring);
  const heading = el("div", { class: "head" }, el("h1", { tabindex: "-1" }, "Keys"), actions);
  const filters = el("div", { class: "filters", role: "search" }, ...search.fields, field("State", state));
  const card = el("section", { class: "card", "aria-label": "Keys" }, filters, table.element);
  return {
    title: "Keys",
    element: el("div", { class: "stack" }, heading, card),
    refresh: () => void table.refresh(),
    onChange: () => void table.refresh(),
  };
}

function showKey({ id, label, access_key }: KeyItem): HTMLElement {
  const link = el("a", { href: `#/keys/${id}`, class: label ? null : "mono" }, label || access_key);
  return el("span", {}, link, label ? el("span", { class: "sub mono" }, access_key) : null);
}

function showState(key: KeyItem): HTMLElement {
  if (keyState(key) !== "offline" || key.leased_until === null) return stateBadge(key);
  return el("span", {}, stateBadge(key), el("span", { class: "sub" }, "until ", dateTime(key.leased_until)));
}
