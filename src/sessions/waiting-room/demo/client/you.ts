/** The visitor's own user, with the widget as any page has it. */
import type { KeybeatError } from "../../../../client/waiting-room/index.ts";
import type { Widget } from "../../../../client/waiting-room/widget/main.ts";
import { byId } from "./elements.ts";

declare const KeybeatWaitingRoom: Widget;

const WORK_MS = 3_000;
const KEPT_AS = "keybeat-demo-user";

/** `localStorage` keeps the id while the visitor is in the room, so that a reload or a second tab is the same user. */
export function showYou(showTrouble: (error?: KeybeatError) => void): void {
  const button = (id: string) => byId<HTMLButtonElement>(id);
  let userId = localStorage.getItem(KEPT_AS) ?? "";

  const show = (text: string, state: "out" | "waiting" | "active") => {
    byId("you").textContent = text;
    button("come").disabled = state !== "out";
    button("go").disabled = state === "out";
    button("work").disabled = state !== "active";
    if (state === "out") localStorage.removeItem(KEPT_AS);
  };

  const come = async () => {
    userId = localStorage.getItem(KEPT_AS) ?? `demo-you-${Math.random().toString(36).slice(2, 10)}`;
    localStorage.setItem(KEPT_AS, userId);
    show("You are on the way.", "waiting");
    try {
      const place = await KeybeatWaitingRoom.createSession(userId);
      if (place.status === "active") show("You have a seat.", "active");
    } catch (error) {
      show("You are not in the room.", "out");
      showTrouble(error as KeybeatError);
    }
  };

  const on = (name: string, hear: (detail: { status?: string; position?: number; error?: KeybeatError }) => void) =>
    document.addEventListener(`keybeat-${name}`, (event) => hear((event as CustomEvent).detail));
  on("position", ({ status, position }) =>
    status === "active" ? show("You have a seat.", "active") : show(`You are number ${position} in line.`, "waiting"),
  );
  on("promoted", () => show("You have a seat.", "active"));
  on("closed", () => show("You have left.", "out"));
  on("expired", () => show("Your place has expired.", "out"));

  button("come").onclick = come;
  button("go").onclick = () => void KeybeatWaitingRoom.closeSession(userId).catch(showTrouble);
  button("work").onclick = async () => {
    button("work").disabled = true;
    byId("you").textContent = "You have a seat. Your request waits for a permit, or runs.";
    try {
      await KeybeatWaitingRoom.processWithLimit(userId, workFor3s, { waitMs: 10_000 });
      show("You have a seat. Your request is done.", "active");
      showTrouble();
    } catch (error) {
      showTrouble(error as KeybeatError);
      if (!button("go").disabled) show("You have a seat. Your request did not get through.", "active");
    }
  };
  if (userId) void come();
}

const workFor3s = (signal: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    setTimeout(resolve, WORK_MS);
    signal.addEventListener("abort", () => reject(signal.reason));
  });
