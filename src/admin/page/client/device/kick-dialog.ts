import { ask, reasonField, say } from "../parts/dialog.ts";
import { el } from "../parts/element.ts";
import { showDevice } from "../parts/format.ts";
import { type Kicked, kick, type SessionItem } from "./api.ts";

type Live = Pick<SessionItem, "key_id" | "generation" | "label" | "access_key" | "device">;

/** Ends that one session, not the one that may have taken its place meanwhile. */
export function askToKick(item: Live, done: () => void): void {
  const { input, content } = reasonField("The device is told so.");
  const who = el("p", {}, "Ends the session of ", el("strong", {}, showDevice(item.device)), " on ");
  who.append(el("strong", {}, item.label || item.access_key), ". The key stays valid: the device may start again.");
  ask({
    title: "Kick this device?",
    content: [who, content],
    confirm: "Kick",
    danger: true,
    done,
    async run() {
      const kicked = await kick({ key_id: item.key_id, generation: item.generation }, input.value.trim());
      say(tellKicked(kicked, showDevice(item.device), "That session was over already"));
      return undefined;
    },
  });
}

/** Ends the lease by which a device holds a key offline. */
export function askToFree(key: Pick<Live, "key_id" | "generation" | "label" | "access_key">, done: () => void): void {
  const who = el(
    "p",
    {},
    "Ends the lease of ",
    el("strong", {}, key.label || key.access_key),
    ", so that others can start. ",
  );
  who.append("Its device is offline and is not told: it may work on until the lease would have ended.");
  ask({
    title: "End this lease?",
    content: [who],
    confirm: "End lease",
    danger: true,
    done,
    async run() {
      const kicked = await kick({ key_id: key.key_id, generation: key.generation }, "");
      say(tellKicked(kicked, "its device", "That lease was over already"));
      return undefined;
    },
  });
}

/** What happened, which may be something else than was asked for: the device may have gone offline, or come back. */
function tellKicked({ session_ended, lease_freed }: Kicked, device: string, neither: string): string {
  if (session_ended) return lease_freed ? `Kicked ${device}, and freed its lease` : `Kicked ${device}`;
  return lease_freed ? "Freed the lease; nobody was live" : neither;
}
