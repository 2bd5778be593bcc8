/** Draws a look as lines of text that fit the terminal. */
import { ago, type Cell, clean, formatTable, paint, shorten, wrap } from "../output.ts";
import type { Look, Picture } from "./watcher.ts";

const SERVICE_SILENT_SECONDS = 3;

export interface Room {
  columns: number;
  rows: number;
}

/** `last` is the last picture, which stays on screen while the database is away. */
export function drawFrame(look: Look, last: Picture | undefined, room: Room): string[] {
  const picture = "unavailable" in look ? last : look;
  const outage = "unavailable" in look ? drawOutage(look, last, room.columns) : [];
  const head = picture ? [...outage, ...drawNumbers(picture, room.columns), ""] : outage;
  const body = picture ? drawTakeovers(picture, { ...room, rows: room.rows - head.length }) : [];
  return [...head, ...body].slice(0, Math.max(1, room.rows));
}

function drawOutage(look: { unavailable: string }, last: Picture | undefined, columns: number): string[] {
  const since = last ? [`last seen ${ago(last.at)}`] : [];
  const words = ["the database is away", ...since, clean(look.unavailable)].join(" · ").split(" ");
  const lines = wrap(words, columns, " ");
  return lines.map((line) => paint("red", line));
}

function drawNumbers(picture: Picture, columns: number): string[] {
  const { rates, serviceSilentSeconds: silent } = picture;
  const served = silent !== null && silent <= SERVICE_SILENT_SECONDS;
  const now = [
    `${number(picture.live)} live`,
    `${number(picture.overdue)} silent`,
    ...(picture.leases > 0 ? [`${number(picture.leases)} held offline`] : []),
    ...(picture.mayBeCopied > 0 ? [`${number(picture.mayBeCopied)} may be copied`] : []),
    served
      ? "serving"
      : silent === null
        ? "nobody has served yet"
        : `nobody serves for ${number(Math.round(silent))} s`,
    `${picture.connections}/${picture.connectionsMax} connections`,
  ];
  const perSecond = rates
    ? [
        `a second: ${rate(rates.heartbeats)} heartbeats`,
        `${rate(rates.starts)} starts`,
        `${rate(rates.takeovers)} takeovers`,
        `${rate(rates.otherEndings)} other endings`,
      ]
    : ["a second: …"];
  const first = wrap(now, columns).map((line) => paint(served ? "bold" : "yellow", line));
  return [...first, ...wrap(perSecond, columns)];
}

/** If space is short, the least telling columns go first: the label, then the previous holder. */
function drawTakeovers({ takeovers, at }: Picture, { columns, rows }: Room): string[] {
  if (takeovers.length === 0) return [shorten("no takeover of late", columns)];
  const shown = takeovers.slice(0, Math.max(0, rows - 1));
  const all: Array<[title: string, columnsMin: number, cell: (takeover: Picture["takeovers"][number]) => Cell]> = [
    ["TAKEN OVER", 0, (takeover) => ago(takeover.ended_at, at.getTime())],
    ["KEY", 0, (takeover) => takeover.access_key],
    ["LABEL", 72, (takeover) => takeover.label],
    ["FROM", 50, (takeover) => takeover.from_device],
    ["TO", 30, (takeover) => takeover.to_device],
  ];
  const fitting = all.filter(([, columnsMin]) => columns >= columnsMin);
  return formatTable(
    fitting.map(([title]) => title),
    shown.map((takeover) => fitting.map(([, , cell]) => cell(takeover))),
    columns,
  );
}

const number = (count: number) => count.toLocaleString("en-US");
const rate = (each: number) => (each < 10 ? each.toFixed(1) : number(Math.round(each)));
