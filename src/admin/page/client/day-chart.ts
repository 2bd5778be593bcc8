/** The last day by hour: live sessions above, takeovers below, on one axis of time. Drawn by uPlot, from our own host. */
import type uPlotModule from "uplot";
import { el } from "./element.ts";
import { showClock, showNumber } from "./format.ts";
import type { NumbersReply } from "./shapes.ts";

/** From uPlot.iife.min.js, which is loaded before; undefined where it does not run. Then the table has it all. */
declare const uPlot: typeof uPlotModule;

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
  const reading = el("p", { class: "note", "aria-hidden": "true" }, "Point at an hour to read it.");
  const rows = el("tbody");
  const titles = ["Hour", "Live (peak)", "Starts", "Takeovers", "Refused", "Expired", "Ended", "Revoked"];
  const head = el("tr", {}, ...titles.map((title) => el("th", { scope: "col" }, title)));
  const table = el("details", {}, el("summary", {}, "As a table"), el("table", {}, el("thead", {}, head), rows));
  const figures = PANELS.map(({ title }, i) => el("figure", {}, el("figcaption", {}, title), places[i]));
  const heading = el("h2", { tabindex: "-1" }, "The last 24 hours");
  const foot = el("div", { class: "chart-foot" }, table, reading);
  const panels = el("div", { class: "panels" }, ...figures);
  const element = el("section", { class: "card stack", "aria-label": "The last 24 hours" }, heading, panels, foot);

  let hours: Hours = [];
  let plots: uPlotModule[] = [];
  const draw = () => {
    for (const plot of plots) plot.destroy();
    plots =
      hours.length === 0 || !("uPlot" in globalThis)
        ? []
        : PANELS.map((panel, i) => drawPanel(panel, places[i] as HTMLElement, hours, read));
  };
  const read = (index: number | null | undefined) => {
    const hour = hours[index ?? -1];
    reading.textContent = hour ? tell(hour) : "Point at an hour to read it.";
  };
  const colors = matchMedia("(prefers-color-scheme: dark)");
  colors.addEventListener("change", draw);
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
      draw();
      rows.replaceChildren(...next.map(toRow).reverse());
    },
    close() {
      sized.disconnect();
      colors.removeEventListener("change", draw);
      for (const plot of plots) plot.destroy();
    },
  };
}

function drawPanel(panel: Panel, place: HTMLElement, hours: Hours, read: (index?: number | null) => void): uPlotModule {
  const color = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const x = hours.map(({ hour }) => Date.parse(hour) / 1000);
  const [first = 0, last = 0] = [x[0], x.at(-1)];
  const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
  const path =
    panel.kind === "line" ? uPlot.paths.stepped?.({ align: 1 }) : uPlot.paths.bars?.({ align: 1, size: [0.8] });
  const options: uPlotModule.Options = {
    width: place.clientWidth || 600,
    height: panel.height,
    padding: [8, 8, 0, 0],
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
        ...{ stroke: color(panel.color), fill: color(panel.fill), width: panel.kind === "line" ? 2 : 0 },
        ...{ points: { show: false }, paths: path, spanGaps: false },
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
