/** A bar, and the same in words beside it. */
import { el, setText } from "./element.ts";

/** How much of something is done, or left. */
export interface Done {
  percent: number;
  /** What the bar says in words, and what is worth a second look. */
  text: string;
  more: string;
  kind: string;
}

/** `name`: of what, for whoever does not see where it stands. */
export function showProgress(name: string, done: Done): HTMLElement {
  const words = el("span", { class: "number" });
  const more = el("span", { class: "sub number" });
  const element = el("span", { class: "progress" }, el("progress", { max: 100, "aria-label": name }), words, more);
  renewProgress(element, done);
  return element;
}

/** Of the bar in there. */
export function renewProgress(within: Element, { percent, text, more, kind }: Done): void {
  const bar = within.querySelector("progress");
  const [words, below] = bar?.parentElement?.querySelectorAll(".number") ?? [];
  if (!bar || !words || !below) return;
  bar.value = percent;
  bar.setAttribute("aria-valuetext", [text, more].filter(Boolean).join(", "));
  bar.dataset.kind = kind;
  setText(words, text);
  setText(below, more);
}
