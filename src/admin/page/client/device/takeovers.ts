/** Takeovers: the newest as a list, of the last day and live, and read aloud, together where they come in swarms. */

import { el } from "../parts/element.ts";
import { age, count, showDevice } from "../parts/format.ts";
import type { TakeoverNews } from "./api.ts";

const SHOWN_MAX = 10;
const ALOUD_EVERY_MS = 5_000;

export interface TakeoverList {
  element: HTMLElement;
  /** What the history has, or what has just happened; which is told twice is shown once. */
  add(...news: TakeoverNews[]): void;
}

export function createTakeoverList(): TakeoverList {
  const list = el("ul", { class: "plain" });
  const nothing = el("p", { class: "note" }, "None in the last 24 hours.");
  const heading = el("h2", { tabindex: "-1" }, "Newest takeovers");
  const rows = new Map<string, { at: string; row: HTMLElement }>();
  return {
    element: el("section", { class: "card", "aria-label": "Newest takeovers" }, heading, nothing, list),
    add(...news) {
      for (const one of news) {
        const name = `${one.key_id} ${one.at}`;
        if (!rows.has(name)) rows.set(name, { at: one.at, row: tell(one) });
      }
      const newest = [...rows].sort(([, a], [, b]) => b.at.localeCompare(a.at));
      for (const [name, { row }] of newest.splice(SHOWN_MAX)) {
        rows.delete(name);
        row.remove();
      }
      nothing.hidden = rows.size > 0;
      for (const [at, [, { row }]] of newest.entries()) {
        if (list.children[at] !== row) list.insertBefore(row, list.children[at] ?? null);
      }
    },
  };
}

function tell(news: TakeoverNews): HTMLElement {
  const key = el("a", { href: `#/keys/${news.key_id}` }, news.label || news.access_key);
  const by = el("strong", {}, showDevice(news.to_device));
  return el(
    "li",
    {},
    key,
    ": ",
    by,
    ` replaced ${showDevice(news.from_device)}`,
    el("span", { class: "sub" }, age(news.at)),
  );
}

let waiting: TakeoverNews[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;

/** The first at once, those within the next seconds as a number. */
export function announceTakeover(region: HTMLElement, news: TakeoverNews): void {
  if (timer !== undefined) {
    waiting.push(news);
    return;
  }
  region.textContent = `Takeover of ${news.label || news.access_key} by ${showDevice(news.to_device)}`;
  timer = setTimeout(() => {
    timer = undefined;
    const [last, missed] = [waiting.at(-1), waiting.length];
    waiting = [];
    if (last && missed === 1) announceTakeover(region, last);
    else if (missed > 1) region.textContent = `${count(missed, "more takeover")}`;
  }, ALOUD_EVERY_MS);
}
