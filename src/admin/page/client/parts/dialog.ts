/** Questions to the operator, in the browser's own <dialog>: it keeps the focus in, and Escape closes it. */
import { type Child, el, field } from "./element.ts";

export interface Question {
  title: string;
  content: Child[];
  confirm: string;
  /** What leaves all as it is; where "Cancel" could be taken for something else. */
  dismiss?: string;
  danger?: boolean;
  /** Its error is shown and the dialog stays; what it returns becomes the dialog's next and last content. */
  run(): Promise<Child[] | undefined>;
  /** After the last content was closed, or at once where there is none. */
  done(): void;
}

export function ask({ title, content, confirm, dismiss = "Cancel", danger, run, done }: Question): void {
  const problem = el("p", { class: "problem", role: "alert" });
  const submit = el("button", { class: danger ? "danger" : "main", type: "submit" }, confirm);
  const cancel = el("button", { type: "button", onclick: () => dialog.close() }, dismiss);
  const heading = el("h2", { id: "dialog-title", tabindex: "-1" }, title);
  const form = el("form", {}, heading, ...content, problem, el("div", { class: "actions" }, cancel, submit));
  const dialog = el("dialog", { "aria-labelledby": "dialog-title" }, form);
  let ran = false;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    submit.disabled = true;
    try {
      const result = await run();
      ran = true;
      if (result === undefined) dialog.close();
      else showResult(result);
    } catch (error) {
      problem.textContent = (error as Error).message;
    } finally {
      submit.disabled = false;
    }
  });
  function showResult(result: Child[]): void {
    const close = el("button", { type: "button", onclick: () => dialog.close() }, "Done");
    form.replaceChildren(heading);
    form.append(...(result.filter(Boolean) as Node[]), el("div", { class: "actions" }, close));
    (form.querySelector<HTMLElement>("[data-first]") ?? close).focus();
  }

  dialog.addEventListener("close", () => {
    dialog.remove();
    if (ran) done();
  });
  document.body.append(dialog);
  dialog.showModal();
  (form.querySelector<HTMLElement>("input:not([type=checkbox]), textarea") ?? cancel).focus();
}

/** What the device is told. */
export function reasonField(hint: string): { input: HTMLInputElement; content: HTMLElement } {
  const input = el("input", { maxlength: 200, autocomplete: "off", placeholder: "optional" });
  const content = field("Reason", input);
  content.append(el("span", { class: "note" }, hint));
  return { input, content };
}

let toastTimer: ReturnType<typeof setTimeout> | undefined;
const TOAST_MS = 6_000;

/** A short line at the edge, read aloud as well. */
export function say(text: string): void {
  let toast = document.querySelector<HTMLElement>(".toast");
  if (!toast) {
    toast = el("div", { class: "toast", role: "status" });
    document.body.append(toast);
  }
  toast.textContent = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => toast.replaceChildren(), TOAST_MS);
}
