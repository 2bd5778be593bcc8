import { ask, say } from "../parts/dialog.ts";
import { el, field } from "../parts/element.ts";
import { erasePlayer } from "./api.ts";

const UUID = "[\\da-fA-F]{8}(-[\\da-fA-F]{4}){3}-[\\da-fA-F]{12}";

/** `meant`: what was looked for, which may be a player. */
export function askToErasePlayer(meant: string, done: () => void): void {
  const player = el("input", {
    class: "mono",
    value: new RegExp(`^${UUID}$`).test(meant) ? meant : "",
    required: true,
    pattern: `\\s*${UUID}\\s*`,
    title: "The player's whole id, as its tokens name it",
    autocomplete: "off",
    spellcheck: "false",
  });
  const sure = el("input", { type: "checkbox", required: true });
  const what =
    "What the player made, its keys, and what the audit log says of them is deleted. A match that others are in stays whole, with a nobody in the player's place; one that is played loses the player at once. This cannot be undone.";
  ask({
    title: "Erase a player?",
    confirm: "Erase",
    danger: true,
    done,
    content: [
      field("Player", player),
      el("p", {}, what),
      el("label", { class: "field check" }, sure, "Yes, erase all of it"),
    ],
    async run() {
      await erasePlayer(player.value.trim());
      say("Erased");
      return undefined;
    },
  });
}
