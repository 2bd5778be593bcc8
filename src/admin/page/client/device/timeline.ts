/** A key's sessions as bars, a lane for each device, with a mark where another device took over. */

import { el, svg } from "../parts/element.ts";
import { serverNow, showClock, showDevice, showDeviceDetails, showDuration, showMoment } from "../parts/format.ts";
import type { HistoryItem } from "./api.ts";

const LANES_MAX = 12;
const TICKS = 4;
const MIN_SPAN_MS = 60_000;
const DAY_MS = 86_400_000;
const dayAndMonth = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

export function drawTimeline(items: HistoryItem[]): HTMLElement {
  const lanes = new Map<string, HistoryItem[]>();
  for (const item of items) {
    const device = laneOf(item);
    lanes.set(device, [...(lanes.get(device) ?? []), item]);
  }
  if (lanes.size === 0) return el("p", { class: "note" }, "Nothing to show yet.");
  const until = Math.max(...items.map(endOf));
  const from = Math.min(until - MIN_SPAN_MS, ...items.map(({ started_at }) => Date.parse(started_at)));
  const at = (ms: number) => ((ms - from) / (until - from)) * 100;

  const shown = [...lanes].slice(0, LANES_MAX);
  const rows = shown.map(([name, sessions]) =>
    el("div", { class: "lane" }, el("span", { title: name }, name), drawLane(name, sessions, at)),
  );
  const left = lanes.size - shown.length;
  const more = left > 0 ? el("p", { class: "note" }, `${left} more devices are in the table below.`) : null;
  return el("div", {}, ...rows, drawTicks(from, until, at), keyToMarks(), more);
}

function drawLane(name: string, sessions: HistoryItem[], at: (ms: number) => number): SVGElement {
  const bars = sessions.map((item) => {
    const [left, right] = [at(Date.parse(item.started_at)), at(endOf(item))];
    const bar = { class: item.ended_at === null ? "bar live" : "bar", x: `${left}%`, width: `${right - left}%` };
    return svg("rect", { ...bar, y: 6, height: 12, rx: 2 }, svg("title", {}, tell(item)));
  });
  const marks = sessions
    .filter(({ ended_by }) => ended_by === "takeover")
    .map((item) => {
      // Nested, as a path knows no percentages.
      const place = svg("svg", { x: `${at(endOf(item))}%`, overflow: "visible" });
      place.append(svg("path", { class: "mark", d: "M0 4 L7 12 L0 20 L-7 12 Z" }, svg("title", {}, tell(item))));
      return place;
    });
  const takeovers = marks.length > 0 ? `, ${marks.length} ended by a takeover` : "";
  const label = `${name}: ${sessions.length} ${sessions.length === 1 ? "session" : "sessions"}${takeovers}`;
  return svg("svg", { role: "img", "aria-label": label }, ...bars, ...marks);
}

function drawTicks(from: number, until: number, at: (ms: number) => number): HTMLElement {
  const show = (ms: number) =>
    until - from < DAY_MS
      ? showClock(ms)
      : `${dayAndMonth.format(ms)}${until - from < 4 * DAY_MS ? ` ${showClock(ms)}` : ""}`;
  const ticks = Array.from({ length: TICKS + 1 }, (_, i) => {
    const ms = from + ((until - from) * i) / TICKS;
    const anchor = i === 0 ? "start" : i === TICKS ? "end" : "middle";
    return svg(
      "text",
      { class: i % 2 === 1 ? "minor" : null, x: `${at(ms)}%`, y: 14, "text-anchor": anchor },
      show(ms),
    );
  });
  return el("div", { class: "lane ticks", "aria-hidden": "true" }, el("span"), svg("svg", {}, ...ticks));
}

function keyToMarks(): HTMLElement {
  const swatch = (kind: string, text: string) => {
    const shape =
      kind === "mark"
        ? svg("path", { class: "mark", d: "M8 1 L14 8 L8 15 L2 8 Z" })
        : svg("rect", { class: kind, x: 1, y: 3, width: 14, height: 10, rx: 2 });
    return el("span", {}, svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, shape), text);
  };
  const marks = [
    swatch("bar", "a session"),
    swatch("live", "live now"),
    swatch("mark", "taken over by another device"),
  ];
  return el("p", { class: "note key-to-marks" }, ...marks);
}

const endOf = ({ ended_at }: HistoryItem) => (ended_at === null ? serverNow() : Date.parse(ended_at));

function laneOf({ device }: HistoryItem): string {
  const details = device?.platform && device.name ? ` (${device.platform})` : "";
  return `${showDevice(device)}${details}`;
}

function tell(item: HistoryItem): string {
  const { started_at, device, replaced_by } = item;
  const lasted = showDuration(endOf(item) - Date.parse(started_at));
  const by = replaced_by ? `, replaced by ${showDevice(replaced_by.device)}` : "";
  return [showDevice(device), showDeviceDetails(device), `from ${showMoment(started_at)}, for ${lasted}${by}`]
    .filter(Boolean)
    .join("\n");
}
