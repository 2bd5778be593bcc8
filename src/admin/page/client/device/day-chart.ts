/** The last day by hour: live sessions above, takeovers below, on one axis of time. Drawn by uPlot, from our own host. */

import type uPlotModule from "uplot";
import { el } from "../parts/element.ts";
import { showClock, showNumber } from "../parts/format.ts";
import type { NumbersReply } from "./api.ts";

/** The build puts it beside this module. It refuses to load in a browser whose language is no language to Intl. */
const LIBRARY = "./uplot.js";

type Library = typeof uPlotModule;
type Hours = NumbersReply["hours"];
interface Panel {
  title: string;
  height: number;
  color: string;
  fill: string;
  kind: "line" | "bars";
  of(hour: Hours[number]): number | null;
}

const HOUR_S = 3_600;
const PANELS: Panel[] = [
  {
    title: "Live sessions, highest in the hour",
    height: 140,
    color: "--accent",
    fill: "--area",
    kind: "line",
    of: (hour) => hour.live_peak,
  },
  {
    title: "Takeovers in the hour",
    height: 140,
    color: "--takeover",
    fill: "--takeover",
    kind: "bars",
    of: (hour) => hour.takeovers,
  },
];

export interface DayChart {
  element: HTMLElement;
  show(hours: Hours): void;
  close(): void;
}

export function createDayChart(): DayChart {
  const places = PANELS.map(() => el("div", { class: "chart", "aria-hidden": "true" }));
  const failed = el(
    "p",
    { class: "note", hidden: true },
    "The chart does not work in this browser. The table has all of it.",
  );
  const reading = el("p", { class: "note", "aria-hidden": "true" }, "Point at an hour to read it.");
  const rows = el("tbody");
  const titles = ["Hour", "Live (peak)", "Starts", "Takeovers", "Refused", "Expired", "Ended", "Revoked"];
  const head = el("tr", {}, ...titles.map((title) => el("th", { scope: "col" }, title)));
  const table = el("details", {}, el("summary", {}, "As a table"), el("table", {}, el("thead", {}, head), rows));
  const figures = PANELS.map(({ title }, i) => el("figure", {}, el("figcaption", {}, title), places[i]));
  const heading = el("h2", { tabindex: "-1" }, "The last 24 hours");
  const foot = el("div", { class: "chart-foot" }, table, reading);
  const panels = el("div", { class: "panels" }, ...figures);
  const element = el(
    "section",
    { class: "card stack", "aria-label": "The last 24 hours" },
    heading,
    failed,
    panels,
    foot,
  );

  let hours: Hours = [];
  let plots: uPlotModule[] = [];
  const draw = async () => {
    const shown = hours;
    try {
      const { default: uPlot } = (await import(LIBRARY)) as { default: Library };
      if (shown !== hours || hours.length === 0 || !element.isConnected) return; // a later one draws
      for (const plot of plots) plot.destroy();
      plots = PANELS.map((panel, i) => drawPanel(uPlot, panel, places[i] as HTMLElement, hours, read));
    } catch {
      panels.hidden = true;
      reading.hidden = true;
      failed.hidden = false;
      table.open = true;
    }
  };
  const read = (index: number | null | undefined) => {
    const hour = hours[index ?? -1];
    reading.textContent = hour ? tell(hour) : "Point at an hour to read it.";
  };
  const colors = matchMedia("(prefers-color-scheme: dark)");
  const redraw = () => void draw();
  colors.addEventListener("change", redraw);
  const sized = new ResizeObserver(() => {
    for (const [i, plot] of plots.entries()) {
      const width = places[i]?.clientWidth ?? 0;
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: plot.height });
    }
  });
  for (const place of places) sized.observe(place);

  return {
    element,
    show(next) {
      hours = next;
      void draw();
      rows.replaceChildren(...next.map(toRow).reverse());
    },
    close() {
      sized.disconnect();
      colors.removeEventListener("change", redraw);
      for (const plot of plots) plot.destroy();
    },
  };
}

function drawPanel(
  uPlot: Library,
  panel: Panel,
  place: HTMLElement,
  hours: Hours,
  read: (index?: number | null) => void,
): uPlotModule {
  const color = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const x = hours.map(({ hour }) => Date.parse(hour) / 1000);
  const [first = 0, last = 0] = [x[0], x.at(-1)];
  const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
  const path =
    panel.kind === "line" ? uPlot.paths.stepped?.({ align: 1 }) : uPlot.paths.bars?.({ align: 1, size: [0.8] });
  const options: uPlotModule.Options = {
    width: place.clientWidth || 600,
    height: panel.height,
    padding: [8, 24, 0, 0], // half of the last hour's label stands right of its line
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false }, sync: { key: "day" } },
    scales: {
      x: { range: () => [first, last + HOUR_S] },
      y: { range: (_, _min, max) => [0, Math.max(4, (max ?? 0) * 1.1)] },
    },
    axes: [
      { ...axis, values: (_, at) => at.map((s) => showClock(s * 1000)), space: 60, size: 28 },
      { ...axis, size: 62, space: 28, values: (_, at) => at.map((n) => (Number.isInteger(n) ? showNumber(n) : "")) },
    ],
    series: [
      {},
      {
        stroke: color(panel.color),
        fill: color(panel.fill),
        width: panel.kind === "line" ? 2 : 0,
        points: { show: false },
        paths: path,
        spanGaps: false,
      },
    ],
    hooks: {
      setCursor: [(plot) => read(plot.cursor.left === undefined || plot.cursor.left < 0 ? null : slotAt(plot, x))],
    },
  };
  const values = hours.map(panel.of);
  // The last hour is as wide as the others.
  if (panel.kind === "line")
    return new uPlot(
      options,
      [
        [...x, last + HOUR_S],
        [...values, values.at(-1) ?? null],
      ],
      place,
    );
  return new uPlot(options, [x, values], place);
}

function slotAt(plot: uPlotModule, x: number[]): number {
  const at = plot.posToVal(plot.cursor.left ?? 0, "x");
  return x.findLastIndex((hour) => hour <= at);
}

const tell = (hour: Hours[number]) =>
  `${showClock(Date.parse(hour.hour))}: ${hour.live_peak === null ? "live not counted" : `${showNumber(hour.live_peak)} live at most`}, ` +
  `${showNumber(hour.starts)} starts, ${showNumber(hour.takeovers)} takeovers, ${showNumber(hour.refusals)} refused`;

function toRow(hour: Hours[number]): HTMLTableRowElement {
  const { live_peak, starts, takeovers, refusals, expiries, ends, revocations } = hour;
  const cells = [live_peak, starts, takeovers, refusals, expiries, ends, revocations];
  const shown = cells.map((n) => el("td", { class: "number" }, n === null ? "–" : showNumber(n)));
  return el("tr", {}, el("th", { scope: "row" }, showClock(Date.parse(hour.hour))), ...shown);
}
