/**
 * Notices at the top right, above the page. They live in a shadow root with their own style sheet, so that page and
 * notice do not break each other. Screen readers get a separate text, at most every 10 s unless it is the user's turn.
 */
import type { Texts } from "./texts.ts";

export interface NoticeContent {
  kind: "waiting" | "turn" | "trouble";
  /** In the circle: a number or a sign. */
  badge: string;
  title: string;
  detail?: string;
  action?: { label: string; run(): void };
}

const SPOKEN_EVERY_MS = 10_000;
/** A live region must exist before its text, or it is not read aloud. */
const SPOKEN_AFTER_MS = 150;

let shadow: ShadowRoot | undefined;

export class Notice {
  readonly #texts: Texts;
  readonly #styles: string;
  #card: HTMLElement | undefined;
  #spoken: HTMLElement | undefined;
  #shown = "";
  #dismissed = "";
  #saidAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(texts: Texts, styles: string) {
    this.#texts = texts;
    this.#styles = styles;
  }

  /** A dismissed notice stays away until one of another kind comes. */
  show(content: NoticeContent): void {
    this.#say(content);
    if (this.#dismissed === content.kind) return;
    this.#dismissed = "";
    const same = JSON.stringify(content);
    if (this.#shown === same) return;
    const before = this.#card;
    // Another kind slides in anew; the same kind only changes its text, and the focus stays.
    if (!before || before.dataset.kind !== content.kind) {
      this.#card = this.#build(content.kind);
      if (before) before.replaceWith(this.#card);
      else openShadow(this.#styles).append(this.#card);
    }
    this.#shown = same;
    this.#fill(content);
  }

  hide(): void {
    clearTimeout(this.#timer);
    this.#card?.remove();
    this.#spoken?.remove();
    this.#card = this.#spoken = undefined;
    this.#shown = this.#dismissed = "";
  }

  #build(kind: NoticeContent["kind"]): HTMLElement {
    const card = element("section", "card");
    card.dataset.kind = kind;
    card.lang = this.#texts.code;
    card.setAttribute("aria-label", this.#texts.room);
    const badge = element("span", "badge");
    badge.setAttribute("aria-hidden", "true");
    const words = element("div", "words");
    words.append(element("p", "title"), element("p", "detail"));
    const dismiss = element("button", "dismiss") as HTMLButtonElement;
    dismiss.type = "button";
    dismiss.setAttribute("aria-label", this.#texts.dismiss);
    dismiss.textContent = "✕";
    let cameFrom: EventTarget | null = null;
    dismiss.onfocus = (event) => {
      cameFrom = event.relatedTarget ?? cameFrom;
    };
    dismiss.onclick = () => {
      this.#dismissed = kind;
      this.#card?.remove();
      this.#card = undefined;
      this.#shown = "";
      (cameFrom as HTMLElement | null)?.focus?.();
    };
    card.append(badge, words, dismiss);
    return card;
  }

  #fill({ badge, title, detail, action }: NoticeContent): void {
    const card = this.#card as HTMLElement;
    const part = (name: string) => card.querySelector(`.${name}`) as HTMLElement | null;
    for (const [name, text] of Object.entries({ badge, title, detail })) {
      (part(name) as HTMLElement).textContent = text ?? "";
    }
    part("action")?.remove();
    if (!action) return;
    const button = element("button", "action") as HTMLButtonElement;
    button.type = "button";
    button.textContent = action.label;
    button.onclick = action.run;
    part("words")?.append(button);
  }

  #say({ kind, title, detail }: NoticeContent): void {
    if (!this.#spoken) {
      this.#spoken = element("p", "spoken");
      this.#spoken.setAttribute("role", "status");
      this.#spoken.lang = this.#texts.code;
      openShadow(this.#styles).append(this.#spoken);
    }
    const text = [title, detail].filter(Boolean).join(", ");
    const waitMs = kind === "waiting" ? this.#saidAt + SPOKEN_EVERY_MS - performance.now() : 0;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#saidAt = performance.now();
        if (this.#spoken && this.#spoken.textContent !== text) this.#spoken.textContent = text;
      },
      this.#saidAt === 0 ? SPOKEN_AFTER_MS : Math.max(waitMs, SPOKEN_AFTER_MS),
    );
  }
}

function openShadow(styles: string): Element {
  if (!shadow?.host.isConnected) {
    const host = document.createElement("keybeat-notices");
    shadow = host.attachShadow({ mode: "open" });
    const link = element("link", "") as HTMLLinkElement;
    link.rel = "stylesheet";
    link.href = styles;
    const list = element("div", "list");
    // Without its style sheet it would flash at the foot of the page; if that cannot be loaded, show it all the same.
    list.hidden = true;
    link.onload = link.onerror = () => {
      list.hidden = false;
    };
    shadow.append(link, list);
    (document.body ?? document.documentElement).append(host);
  }
  return shadow.lastElementChild as Element;
}

function element(tag: string, name: string): HTMLElement {
  const made = document.createElement(tag);
  if (name) made.className = name;
  return made;
}
