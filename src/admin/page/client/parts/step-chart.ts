/** What happened step by step, in panels on one axis of time, and as a table. Drawn by uPlot, from our own host. */
import type uPlotModule from "uplot";
import { type Child, el } from "./element.ts";
import { showNumber } from "./format.ts";

/** The build puts it beside this module. It refuses to load in a browser whose language is no language to Intl. */
const LIBRARY = "./uplot.js";

type Library = typeof uPlotModule;

export interface Panel<Step> {
  title: string;
  /** Names of the page's colours. */
  color: string;
  fill: string;
  kind: "line" | "bars";
  of(step: Step): number | null;
  /** Default: whole numbers. */
  show?(value: number): string;
  /** How far the lines of its axis may lie from each other; default: round numbers. */
  distances?: number[];
}

export interface Column<Step> {
  title: string;
  /** The first one is the row's heading. */
  cell(step: Step): string;
}

export interface ChartOptions<Step> {
  heading: string;
  /** What a step is called, as in "Point at an hour to read it". */
  stepName: string;
  panels: Panel<Step>[];
  columns: Column<Step>[];
  /** Its beginning, in ms. */
  at(step: Step): number;
  /** What stands at the axis of time. */
  label(ms: number): string;
  tell(step: Step): string;
  /** Stands beside the heading. */
  controls?: Child;
}

export interface StepChart<Step> {
  element: HTMLElement;
  /** `stepSeconds`: how long each of them is. */
  show(steps: Step[], stepSeconds: number): void;
  close(): void;
}

const HEIGHT = 140;

export function createStepChart<Step>(options: ChartOptions<Step>): StepChart<Step> {
  const { heading: title, stepName, panels } = options;
  const places = panels.map(() => el("div", { class: "chart", "aria-hidden": "true" }));
  const failed = el(
    "p",
    { class: "note", hidden: true },
    "The chart does not work in this browser. The table has all of it.",
  );
  const unread = `Point at ${stepName} to read it.`;
  const reading = el("p", { class: "note", "aria-hidden": "true" }, unread);
  const rows = el("tbody");
  const head = el("tr", {}, ...options.columns.map((column) => el("th", { scope: "col" }, column.title)));
  const table = el("details", {}, el("summary", {}, "As a table"), el("table", {}, el("thead", {}, head), rows));
  const figures = panels.map((panel, i) => el("figure", {}, el("figcaption", {}, panel.title), places[i]));
  const heading = el("h2", { tabindex: "-1" }, title);
  const foot = el("div", { class: "chart-foot" }, table, reading);
  const figuresRow = el("div", { class: "panels" }, ...figures);
  const top = options.controls ? el("div", { class: "head" }, heading, options.controls) : heading;
  const element = el("section", { class: "card stack", "aria-label": title }, top, failed, figuresRow, foot);

  let steps: Step[] = [];
  let seconds = 0;
  let plots: uPlotModule[] = [];
  const read = (index: number | null | undefined) => {
    const step = steps[index ?? -1];
    reading.textContent = step === undefined ? unread : options.tell(step);
  };
  const draw = async () => {
    const shown = steps;
    try {
      const { default: uPlot } = (await import(LIBRARY)) as { default: Library };
      if (shown !== steps || steps.length === 0 || !element.isConnected) return; // a later one draws
      for (const plot of plots) plot.destroy();
      const axis = { x: steps.map((step) => options.at(step) / 1000), seconds, label: options.label, read };
      plots = panels.map((panel, i) =>
        drawPanel(uPlot, panel, places[i] as HTMLElement, { ...axis, values: steps.map(panel.of) }),
      );
    } catch {
      figuresRow.hidden = true;
      reading.hidden = true;
      failed.hidden = false;
      table.open = true;
    }
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
    show(next, stepSeconds) {
      steps = next;
      seconds = stepSeconds;
      void draw();
      rows.replaceChildren(...next.map((step) => toRow(options.columns, step)).reverse());
    },
    close() {
      sized.disconnect();
      colors.removeEventListener("change", redraw);
      for (const plot of plots) plot.destroy();
    },
  };
}

interface Drawn {
  x: number[];
  values: (number | null)[];
  seconds: number;
  label(ms: number): string;
  read(index?: number | null): void;
}

function drawPanel(
  uPlot: Library,
  panel: Pick<Panel<never>, "kind" | "color" | "fill" | "show" | "distances">,
  place: HTMLElement,
  { x, values, seconds, label, read }: Drawn,
): uPlotModule {
  const { kind, distances, show = (n: number) => (Number.isInteger(n) ? showNumber(n) : "") } = panel;
  const color = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const [first = 0, last = 0] = [x[0], x.at(-1)];
  const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
  const path = kind === "line" ? uPlot.paths.stepped?.({ align: 1 }) : uPlot.paths.bars?.({ align: 1, size: [0.8] });
  const drawn: uPlotModule.Options = {
    width: place.clientWidth || 600,
    height: HEIGHT,
    padding: [8, 24, 0, 0], // half of the last step's label stands right of its line
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false }, sync: { key: "steps" } },
    scales: {
      x: { range: () => [first, last + seconds] },
      y: { range: (_, _min, max) => [0, Math.max(4, (max ?? 0) * 1.1)] },
    },
    axes: [
      { ...axis, values: (_, at) => at.map((s) => label(s * 1000)), space: 60, size: 28 },
      { ...axis, size: 62, space: 28, values: (_, at) => at.map(show), ...(distances && { incrs: distances }) },
    ],
    series: [
      {},
      {
        stroke: color(panel.color),
        fill: color(panel.fill),
        width: kind === "line" ? 2 : 0,
        points: { show: false },
        paths: path,
        spanGaps: false,
      },
    ],
    hooks: {
      setCursor: [(plot) => read(plot.cursor.left === undefined || plot.cursor.left < 0 ? null : stepAt(plot, x))],
    },
  };
  // Of a line the last step is as wide as the others.
  if (kind === "line") {
    return new uPlot(
      drawn,
      [
        [...x, last + seconds],
        [...values, values.at(-1) ?? null],
      ],
      place,
    );
  }
  return new uPlot(drawn, [x, values], place);
}

function stepAt(plot: uPlotModule, x: number[]): number {
  const at = plot.posToVal(plot.cursor.left ?? 0, "x");
  return x.findLastIndex((beginning) => beginning <= at);
}

function toRow<Step>([first, ...others]: Column<Step>[], step: Step): HTMLTableRowElement {
  const cells = others.map(({ cell }) => el("td", { class: "number" }, cell(step)));
  return el("tr", {}, el("th", { scope: "row" }, first?.cell(step)), ...cells);
}
