/** A number that matters, large, with what it means. */
import { el } from "./element.ts";

export function createTile(title: string) {
  const value = el("dd", { class: "value" }, "–");
  const note = el("dd", { class: "note" });
  return {
    element: el("div", {}, el("dt", {}, title), value, note),
    set(text: string, below?: string | HTMLElement) {
      if (value.textContent !== text) value.textContent = text;
      if (below !== undefined) note.replaceChildren(below);
    },
  };
}
