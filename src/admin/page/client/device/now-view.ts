/** Who is on now, and how the last day was. */

import { el } from "../parts/element.ts";
import { count, dateTime, showNumber, showShare } from "../parts/format.ts";
import { createTile } from "../parts/tile.ts";
import type { View } from "../view.ts";
import { type NumbersReply, readNumbers } from "./api.ts";
import { createDayChart, HOUR_S } from "./day-chart.ts";
import { createLiveList } from "./live-list.ts";
import { createTakeoverList } from "./takeovers.ts";
import { createWorthALook } from "./worth-a-look.ts";

/** The counts of a day change slowly; the stream brings what does not. */
const NUMBERS_EVERY_MS = 30_000;

export function createNowView(): View {
  const live = createTile("Live now");
  const peak = createTile("Peak of the day");
  const takeovers = createTile("Takeovers in 24 h");
  const unclean = createTile("Unclean endings");
  const tiles = el("dl", { class: "tiles" }, live.element, peak.element, takeovers.element, unclean.element);
  const list = createLiveList();
  const news = createTakeoverList();
  const chart = createDayChart();
  const look = createWorthALook();
  const side = el("div", { class: "stack" }, news.element, look.element);
  const columns = el("div", { class: "columns" }, list.element, side);
  const heading = el("h1", { class: "hidden", tabindex: "-1" }, "Now");

  async function loadNumbers(): Promise<void> {
    let numbers: NumbersReply;
    try {
      numbers = await readNumbers();
    } catch {
      return; // the banner says why
    }
    const sum = (of: "takeovers" | "refusals" | "starts") => numbers.hours.reduce((all, hour) => all + hour[of], 0);
    live.set(showNumber(numbers.live), "devices that hold their key");
    peak.set(numbers.peak ? showNumber(numbers.peak.live) : "–", numbers.peak ? dateTime(numbers.peak.at) : "");
    takeovers.set(
      showNumber(sum("takeovers")),
      `${count(sum("starts"), "start")}, ${count(sum("refusals"), "refusal")}`,
    );
    unclean.set(showShare(numbers.unclean_share), "fell silent instead of saying goodbye");
    news.add(...numbers.newest_takeovers);
    chart.show(numbers.hours, HOUR_S);
    look.show(numbers);
  }

  const timer = setInterval(() => !document.hidden && void loadNumbers(), NUMBERS_EVERY_MS);
  return {
    title: "Now",
    element: el("div", { class: "stack" }, heading, tiles, chart.element, columns),
    refresh() {
      void list.refresh();
      void loadNumbers();
    },
    onNumbers: (numbers) => live.set(showNumber(numbers.live)),
    onTakeover: (one) => news.add(one),
    onChange: () => void list.refresh(),
    leave() {
      clearInterval(timer);
      chart.close();
    },
  };
}
