/** What can be done to the waiting room and to a place in it, each as a question. */

import { ask, reasonField, say } from "../parts/dialog.ts";
import { type Child, el, field } from "../parts/element.ts";
import { count } from "../parts/format.ts";
import { admit, changeRoom, eraseUser, type PlaceItem, prioritise, type RoomReply, removePlace } from "./api.ts";

export function askToPause(done: () => void): void {
  const what = "Nobody is let in until you resume, but by hand. Who is in stays, and who waits keeps the place.";
  ask({
    title: "Pause the waiting room?",
    confirm: "Pause",
    danger: true,
    done,
    content: [el("p", {}, what)],
    async run() {
      await changeRoom({ paused: true });
      say("Paused");
      return undefined;
    },
  });
}

export function askToResume(done: () => void): void {
  ask({
    title: "Resume?",
    confirm: "Resume",
    done,
    content: [el("p", {}, "Every free seat goes to whoever is next in line, at once.")],
    async run() {
      await changeRoom({ paused: false });
      say("Resumed");
      return undefined;
    },
  });
}

export function askForSeats(room: RoomReply, done: () => void): void {
  const seats = el("input", {
    type: "number",
    min: 0,
    max: 1_000_000,
    step: 1,
    required: true,
    inputmode: "numeric",
    value: room.max_active,
  });
  const what =
    "More seats let in exactly so many more; fewer throw nobody out. The number stays, over restarts too, until QUEUE_MAX_ACTIVE itself changes.";
  ask({
    title: "Change the number of seats",
    confirm: "Change",
    done,
    content: [field("Seats", seats), el("p", { class: "note" }, what)],
    async run() {
      const { max_active } = await changeRoom({ max_active: seats.valueAsNumber });
      say(`${count(max_active, "seat")} now`);
      return undefined;
    },
  });
}

export function askForPriority(item: PlaceItem, done: () => void): void {
  const priority = el("input", {
    type: "number",
    min: 0,
    max: 9,
    step: 1,
    required: true,
    inputmode: "numeric",
    value: item.priority,
  });
  ask({
    title: "Change the priority",
    confirm: "Change",
    done,
    content: [
      about(item, " stands among others of the same priority in the order in which they came."),
      field("Priority, 9 is the highest", priority),
    ],
    async run() {
      await prioritise(item.user_id, priority.valueAsNumber);
      say("Priority changed");
      return undefined;
    },
  });
}

export function askToAdmit(item: PlaceItem, done: () => void): void {
  ask({
    title: "Let in now?",
    confirm: "Let in",
    done,
    content: [about(item, " goes past the line, and past a pause. There must be a free seat.")],
    async run() {
      await admit(item.user_id);
      say(`Let ${item.user_id} in`);
      return undefined;
    },
  });
}

export function askToRemove(item: PlaceItem, done: () => void): void {
  const { input, content } = reasonField("The audit log keeps it.");
  const loses = item.state === "seated" ? " loses the seat, and whoever is next gets it." : " loses the place in line.";
  ask({
    title: "Remove this user?",
    confirm: "Remove",
    danger: true,
    done,
    content: [about(item, `${loses} They may come again.`), content],
    async run() {
      await removePlace(item.user_id, input.value.trim());
      say(`Removed ${item.user_id}`);
      return undefined;
    },
  });
}

export function askToEraseUser(userId: string, done: () => void): void {
  const sure = el("input", { type: "checkbox", required: true });
  const what = ": the place, every move, and what the audit log says of this user is deleted. This cannot be undone.";
  ask({
    title: "Erase this user?",
    confirm: "Erase",
    danger: true,
    done,
    content: [about({ user_id: userId }, what), el("label", { class: "field check" }, sure, "Yes, erase all of it")],
    async run() {
      await eraseUser(userId);
      say("Erased");
      return undefined;
    },
  });
}

const about = ({ user_id }: Pick<PlaceItem, "user_id">, what: string): Child =>
  el("p", { class: "breakable" }, el("strong", {}, user_id), what);
