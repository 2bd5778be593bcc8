/** A text of others, which may be long: its beginning, and the rest on demand. */
import { el } from "./element.ts";

const SHOWN_LENGTH_MAX = 240;

export function longText(text: string): HTMLElement {
  if (text.length <= SHOWN_LENGTH_MAX) return el("span", { class: "breakable" }, text);
  const beginning = el("summary", {}, `${text.slice(0, SHOWN_LENGTH_MAX).trimEnd()} …`);
  return el("details", { class: "long" }, beginning, el("div", { class: "whole breakable" }, text));
}
