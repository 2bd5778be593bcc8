/** The buttons of what can be done to the one thing that a view is about. */
import { el } from "./element.ts";

export function actionButton(text: string, onclick: () => void, kind = ""): HTMLButtonElement {
  return el("button", { type: "button", class: kind, "data-action": text, onclick }, text);
}

/** The same buttons again would only take the focus away. */
export function renewActions(row: HTMLElement, made: (HTMLButtonElement | null)[]): void {
  const buttons = made.filter((one) => one !== null);
  const texts = (all: Iterable<Element>) => [...all].map((one) => one.textContent).join();
  const focused = document.activeElement?.getAttribute("data-action");
  const same = texts(row.children) === texts(buttons);
  row.replaceChildren(...buttons);
  if (same && focused) buttons.find((one) => one.dataset.action === focused)?.focus();
}
