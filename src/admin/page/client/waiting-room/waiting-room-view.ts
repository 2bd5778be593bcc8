/** The waiting room: how full it is, who is in, who waits, and what an operator can do about it. */

import { el, field } from "../parts/element.ts";
import { count, showDuration, showNumber } from "../parts/format.ts";
import { searchInput } from "../parts/search-field.ts";
import { createTile } from "../parts/tile.ts";
import type { View } from "../view.ts";
import { type RoomReply, readRoom } from "./api.ts";
import { createLineList, createSeatList } from "./place-lists.ts";
import { askForSeats, askToPause, askToResume } from "./room-dialogs.ts";

export function createWaitingRoomView(): View {
  const seats = createTile("Seats taken");
  const waiting = createTile("Waiting");
  const wait = createTile("Wait for a newcomer");
  const requests = createTile("Requests at once");
  const tiles = el("dl", { class: "tiles" }, seats.element, waiting.element, wait.element, requests.element);
  const heading = el("h1", { tabindex: "-1" }, "Waiting room");
  const paused = el("span", { class: "badge", "data-kind": "revoked", hidden: true }, "paused");
  const change = el("button", { type: "button", disabled: true }, "Change seats");
  const pause = el("button", { type: "button", disabled: true }, "Pause");
  const user = searchInput(() => {
    void line.restart();
    void taken.restart();
  });
  const lists = { readUser: () => user.value, changed: refresh };
  const line = createLineList(lists);
  const taken = createSeatList(lists);
  let room: RoomReply | undefined;

  change.addEventListener("click", () => room && askForSeats(room, refresh));
  pause.addEventListener("click", () => room && (room.paused ? askToResume : askToPause)(refresh));

  async function load(): Promise<void> {
    try {
      room = await readRoom();
    } catch {
      return; // the banner says why
    }
    seats.set(`${showNumber(room.active)} of ${showNumber(room.max_active)}`, tellSeats(room));
    waiting.set(showNumber(room.waiting), tellPriorities(room));
    wait.set(...tellWait(room));
    requests.set(`${showNumber(room.active_requests)} of ${showNumber(room.max_requests)}`, "under way");
    paused.hidden = !room.paused;
    pause.textContent = room.paused ? "Resume" : "Pause";
    change.disabled = pause.disabled = false;
  }

  function refresh(): void {
    void load();
    void line.refresh();
    void taken.refresh();
  }

  const title = el("div", { class: "head" }, heading, paused);
  const head = el("div", { class: "head" }, title, el("div", { class: "actions" }, pause, change));
  const search = el("div", { class: "filters", role: "search" }, field("User begins with", user, "wide"));
  return {
    title: "Waiting room",
    element: el("div", { class: "stack" }, head, tiles, search, line.element, taken.element),
    refresh,
    onNumbers: () => !document.hidden && refresh(),
  };
}

function tellSeats({ active, max_active, max_active_configured }: RoomReply): string {
  if (active > max_active) return `${showNumber(active - max_active)} more than there are: they may stay`;
  if (max_active_configured === null || max_active === max_active_configured) return "as configured";
  return `${showNumber(max_active_configured)} configured`;
}

function tellPriorities({ waiting_by_priority, max_waiting }: RoomReply): string {
  const [plain, ...above] = waiting_by_priority.map((n, priority) => ({ n, priority }));
  const told = above.toReversed().filter(({ n }) => n > 0);
  if (told.length === 0) return `of at most ${showNumber(max_waiting)}`;
  const all = plain && plain.n > 0 ? [...told, plain] : told;
  return all.map(({ n, priority }) => `${showNumber(n)} of priority ${priority}`).join(", ");
}

function tellWait(room: RoomReply): [string, string] {
  const minutes = room.estimated_wait_minutes;
  const turnover =
    room.seconds_per_seat === null
      ? "no seat was given up of late"
      : `a seat every ${showDuration(Math.max(1, room.seconds_per_seat) * 1000)}`;
  if (room.paused) return ["–", "paused: nobody is let in"];
  if (minutes === 0) return ["none", count(room.max_active - room.active, "free seat")];
  return [minutes === null ? "–" : `${showNumber(minutes)} min`, turnover];
}
