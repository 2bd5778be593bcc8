/** The live sessions: search, filter, pages, and the button that ends one. */

import { el, field, select } from "../parts/element.ts";
import { age, heard, renewHeard, showDevice, showDeviceDetails } from "../parts/format.ts";
import { readSearch, searchField } from "../parts/search-field.ts";
import { createTable, type Table } from "../parts/table.ts";
import { type SessionItem, searchSessions } from "./api.ts";
import { askToKick } from "./kick-dialog.ts";

const PAGE_SIZE = 25;

export function createLiveList(): { element: HTMLElement; refresh(): Promise<void> } {
  const search = searchField(["label", "prefix", "device", "access_key"], () => void table.restart());
  const silent = select(
    [
      ["", "any time"],
      ["15", "15 s or longer"],
      ["30", "30 s or longer"],
      ["45", "45 s or longer"],
    ],
    { onchange: () => void table.restart() },
  );
  const table: Table = createTable<SessionItem>({
    label: "Live sessions",
    keyOf: ({ key_id }) => String(key_id),
    contentOf: (item) => JSON.stringify([item.generation, item.label, item.device, item.may_be_copied]),
    renew: (row, item) => renewHeard(row, item.last_heartbeat),
    load: (cursor) =>
      searchSessions({
        limit: PAGE_SIZE,
        cursor,
        ...readSearch(search),
        ...(silent.value && { silent_seconds_min: Number(silent.value) }),
      }),
    columns: [
      { title: "Key", cell: showKey },
      { title: "Device", short: "", cell: showDeviceCell },
      { title: "On for", short: "On", cell: ({ started_at }) => age(started_at, "") },
      { title: "Last heard", short: "Heard", cell: ({ last_heartbeat }) => heard(last_heartbeat) },
      { title: "Actions", end: true, cell: kickButton },
    ],
    emptyTitle: "Nobody is on",
    emptyHint: "No live session matches. A device shows up here the moment it starts.",
  });
  const heading = el("h2", { tabindex: "-1" }, "Who is on now");
  const filters = el("div", { class: "filters", role: "search" }, ...search.fields, field("Silent for", silent));

  function kickButton(item: SessionItem): HTMLElement {
    const name = item.label || item.access_key;
    return el(
      "button",
      {
        class: "small danger",
        type: "button",
        "aria-label": `Kick ${showDevice(item.device)} off ${name}`,
        onclick: () => askToKick(item, () => void table.refresh()),
      },
      "Kick",
    );
  }
  return {
    element: el("section", { class: "card", "aria-label": "Who is on now" }, heading, filters, table.element),
    refresh: table.refresh,
  };
}

function showKey({ key_id, label, access_key }: SessionItem): HTMLElement {
  const link = el("a", { href: `#/keys/${key_id}`, class: label ? null : "mono" }, label || access_key);
  return el("span", {}, link, label ? el("span", { class: "sub mono" }, access_key) : null);
}

function showDeviceCell({ device, may_be_copied }: SessionItem): HTMLElement {
  const details = showDeviceDetails(device);
  const copied = may_be_copied ? el("span", { class: "badge", "data-kind": "cloned" }, "may be copied") : null;
  return el("span", {}, showDevice(device), details ? el("span", { class: "sub" }, details) : null, copied);
}
