/** Who waits, in the order in which they will be let in, and who has a seat; with what can be done to each. */

import { el } from "../parts/element.ts";
import { age, heard, renewHeard, showNumber } from "../parts/format.ts";
import { type Column, createTable, type Table } from "../parts/table.ts";
import { listPlaces, type PlaceItem } from "./api.ts";
import { askForPriority, askToAdmit, askToRemove } from "./room-dialogs.ts";

const PAGE_SIZE = 25;

export interface PlaceListOptions {
  /** The beginning of the users' ids; empty: all. */
  readUser(): string;
  /** An operator has done something here. */
  changed(): void;
}

/** Who waits; `restart` goes back to the first page. */
export function createLineList({ readUser, changed }: PlaceListOptions): Table {
  return createPlaceList({
    readUser,
    title: "The line",
    state: "waiting",
    emptyTitle: "Nobody is waiting",
    emptyHint: "Nobody matches. Whoever comes while every seat is taken stands here, the next one first.",
    contentOf: ({ position, priority, ticket }) => JSON.stringify([position, priority, ticket]),
    columns: [
      { title: "User", cell: showUser },
      { title: "Position", cell: ({ position }) => showNumber(position ?? 0) },
      { title: "Priority", cell: ({ priority }) => String(priority) },
      { title: "Waiting for", cell: ({ created_at }) => age(created_at, "") },
      { title: "Last seen", cell: ({ last_seen }) => heard(last_seen) },
      { title: "Actions", end: true, cell: waiterActions },
    ],
  });

  function waiterActions(item: PlaceItem): HTMLElement {
    return el(
      "span",
      { class: "actions end" },
      button({ text: "Let in", name: `Let in ${item.user_id}` }, () => askToAdmit(item, changed)),
      button({ text: "Priority", name: `Priority of ${item.user_id}` }, () => askForPriority(item, changed)),
      removeButton(item, changed),
    );
  }
}

export function createSeatList({ readUser, changed }: PlaceListOptions): Table {
  return createPlaceList({
    readUser,
    title: "Seats",
    state: "seated",
    emptyTitle: "Nobody has a seat",
    emptyHint: "Nobody matches. Whoever comes while a seat is free is in at once.",
    contentOf: ({ ticket, claimed }) => JSON.stringify([ticket, claimed]),
    columns: [
      { title: "User", cell: showUser },
      {
        title: "State",
        cell: placeBadge,
      },
      { title: "Priority", cell: ({ priority }) => String(priority) },
      { title: "In for", cell: ({ seated_at, created_at }) => age(seated_at ?? created_at, "") },
      { title: "Last seen", cell: ({ last_seen }) => heard(last_seen) },
      { title: "Actions", end: true, cell: (item) => removeButton(item, changed) },
    ],
  });
}

export function placeBadge({ state, claimed }: PlaceItem): HTMLElement {
  const text = state === "waiting" ? "waiting" : claimed ? "in" : "not here yet";
  return el("span", { class: "badge", "data-kind": text === "in" ? "live" : "quiet" }, text);
}

interface OfPlaces {
  title: string;
  state: PlaceItem["state"];
  columns: Column<PlaceItem>[];
  contentOf(item: PlaceItem): string;
  emptyTitle: string;
  emptyHint: string;
  readUser(): string;
}

function createPlaceList({ title, state, readUser, ...rest }: OfPlaces): Table {
  const table = createTable<PlaceItem>({
    ...rest,
    label: title,
    keyOf: ({ user_id }) => user_id,
    renew: (row, item) => renewHeard(row, item.last_seen),
    load(cursor) {
      const user = readUser();
      return listPlaces({
        state,
        limit: String(PAGE_SIZE),
        ...(user && { user }),
        ...(cursor !== null && { cursor }),
      });
    },
  });
  const heading = el("h2", { tabindex: "-1" }, title);
  return { ...table, element: el("section", { class: "card", "aria-label": title }, heading, table.element) };
}

const showUser = ({ user_id }: PlaceItem) =>
  el("a", { href: `#/waiting-room/users/${encodeURIComponent(user_id)}` }, user_id);

const removeButton = (item: PlaceItem, changed: () => void) =>
  button({ text: "Remove", name: `Remove ${item.user_id}`, kind: "danger" }, () => askToRemove(item, changed));

function button({ text, name, kind = "" }: { text: string; name: string; kind?: string }, onclick: () => void) {
  return el("button", { class: `small ${kind}`, type: "button", "aria-label": name, onclick }, text);
}
