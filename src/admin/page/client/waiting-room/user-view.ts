/** One user of the waiting room: the place there, what can be done to it, and every move. */

import { actionButton, renewActions } from "../parts/action-row.ts";
import { type Child, el } from "../parts/element.ts";
import { age, dateTime, showDuration, showNumber } from "../parts/format.ts";
import { createTable } from "../parts/table.ts";
import type { View } from "../view.ts";
import { type MoveItem, type PlaceItem, readMoves, readPlace } from "./api.ts";
import { placeBadge } from "./place-lists.ts";
import { askForPriority, askToAdmit, askToEraseUser, askToRemove } from "./room-dialogs.ts";

const MOVES: Record<MoveItem["move"], string> = {
  seated: "got a seat at once",
  queued: "joined the line",
  promoted: "let in from the line",
  admitted: "let in by an operator",
  claimed: "showed up",
  prioritised: "got another priority",
  closed: "gave the seat back",
  left: "left the line",
  expired: "fell silent in the seat",
  abandoned: "stopped asking",
  unclaimed: "did not show up",
  removed: "removed by an operator",
};

export function createUserView(userId: string): View {
  const heading = el("h1", { tabindex: "-1", class: "breakable" }, userId);
  const badge = el("span");
  const actions = el("div", { class: "actions" });
  const facts = el("dl", { class: "facts" });
  const table = createTable<MoveItem>({
    label: "Moves",
    keyOf: ({ id }) => String(id),
    contentOf: ({ id }) => String(id),
    load: (cursor) => readMoves(userId, cursor),
    columns: [
      { title: "When", cell: ({ at }) => dateTime(at) },
      { title: "What", cell: ({ move }) => MOVES[move] },
      { title: "After waiting", cell: ({ waited_seconds: s }) => (s === null ? "" : showDuration(s * 1000)) },
      { title: "Priority", cell: ({ priority }) => String(priority) },
      { title: "Ticket", end: true, cell: ({ ticket }) => String(ticket) },
    ],
    emptyTitle: "No moves",
    emptyHint: "They are past the retention.",
  });

  async function load(): Promise<void> {
    try {
      const place = await readPlace(userId);
      badge.replaceChildren(...(place ? [placeBadge(place)] : []));
      facts.replaceChildren(...tellFacts(place));
      showActions(place);
    } catch (error) {
      facts.replaceChildren(fact("Not to be had", (error as Error).message));
      actions.replaceChildren();
    }
    await table.refresh();
  }

  function showActions(place: PlaceItem | undefined): void {
    const again = () => {
      heading.focus();
      void load();
    };
    const gone = () => {
      location.hash = "#/waiting-room";
    };
    const waits = place?.state === "waiting" ? place : undefined;
    renewActions(actions, [
      waits ? actionButton("Let in", () => askToAdmit(waits, again)) : null,
      waits ? actionButton("Priority", () => askForPriority(waits, again)) : null,
      place ? actionButton("Remove", () => askToRemove(place, again), "danger") : null,
      actionButton("Erase", () => askToEraseUser(userId, gone), "danger"),
    ]);
  }

  const back = el("a", { href: "#/waiting-room" }, "Waiting room");
  const title = el("div", { class: "head" }, el("div", { class: "head" }, heading, badge), actions);
  const moves = el("h2", { tabindex: "-1" }, "Moves");
  return {
    title: "User",
    element: el(
      "div",
      { class: "stack" },
      el("p", {}, back),
      title,
      el("section", { class: "card", "aria-label": "Facts" }, facts),
      el("section", { class: "card", "aria-label": "Moves" }, moves, table.element),
    ),
    refresh: () => void load(),
    onNumbers: () => !document.hidden && void load(),
  };
}

function tellFacts(place: PlaceItem | undefined): HTMLElement[] {
  if (!place) return [fact("Place", "none now")];
  const since = place.seated_at ?? place.created_at;
  return [
    fact("Position", place.position === null ? "in a seat" : showNumber(place.position)),
    fact("Priority", String(place.priority)),
    fact("Came", dateTime(place.created_at)),
    fact(place.seated_at === null ? "Waiting for" : "In for", age(since, "")),
    fact("Last seen", age(place.last_seen)),
  ];
}

const fact = (name: string, value: Child) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
