/** How commands print: JSON for programs, tables for people, colours only on a terminal. */
import { styleText } from "node:util";

export interface OutputOptions {
  json?: boolean;
}

export type Style = Parameters<typeof styleText>[0];

/** A highlighted cell, or a plain one. */
export type Cell = string | number | null | { text: string; style: Style };

export function printJson(value: unknown): void {
  // JSON leaves the C1 control characters unescaped; a terminal obeys them.
  const escaped = (character: string) => `\\u00${character.charCodeAt(0).toString(16)}`;
  console.log(JSON.stringify(value).replace(/[\x7f-\x9f]/g, escaped));
}

/** Coloured if standard output is a terminal with colours and NO_COLOR does not forbid it. */
export function paint(style: Style, text: string): string {
  // hasColors respects NO_COLOR and FORCE_COLOR too.
  return process.stdout.isTTY && process.stdout.hasColors() ? styleText(style, text) : text;
}

/** No limit if output is not a terminal, or one of unknown size (0). */
export function printTable(head: string[], rows: Cell[][]): void {
  console.log(formatTable(head, rows, process.stdout.columns || undefined).join("\n"));
}

/** Columns as wide as their widest cell, numbers right-aligned; the widest shrink until a line fits `width`. */
export function formatTable(head: string[], rows: Cell[][], width = Number.POSITIVE_INFINITY): string[] {
  const cells = rows.map((row) => row.map((cell) => clean(textOf(cell))));
  const widths = head.map((title, at) =>
    cells.reduce((most, row) => Math.max(most, widthOf(row[at] ?? "")), title.length),
  );
  shrink(widths, width);
  const numeric = head.map((_, at) => rows.length > 0 && rows.every((row) => typeof row[at] === "number"));
  const line = (texts: string[], styles: Array<Style | undefined>) =>
    texts
      .map((text, at) => {
        const fitted = shorten(text, widths[at] ?? 0);
        const isLast = at === texts.length - 1;
        const fill = isLast && !numeric[at] ? "" : " ".repeat((widths[at] ?? 0) - widthOf(fitted));
        const style = styles[at];
        const shown = style === undefined ? fitted : paint(style, fitted);
        return numeric[at] ? fill + shown : shown + fill;
      })
      .join("  ")
      .trimEnd();
  const bold = head.map(() => "bold" as const);
  return [line(head, bold), ...cells.map((texts, at) => line(texts, (rows[at] ?? []).map(styleOf)))];
}

const GAP = 2;
const COLUMN_MIN = 4;

/** Shrinks the widest column one by one, until the line fits or no column is wide any more. */
function shrink(widths: number[], width: number): void {
  const total = () => widths.reduce((sum, each) => sum + each, 0) + GAP * (widths.length - 1);
  while (total() > width) {
    const widest = Math.max(...widths);
    if (widest <= COLUMN_MIN) return;
    widths[widths.indexOf(widest)] = widest - 1;
  }
}

/** Cuts to that many terminal columns, with … in place of what is missing. */
export function shorten(text: string, places: number): string {
  if (widthOf(text) <= places) return text;
  let kept = "";
  let width = 0;
  for (const character of text) {
    width += widthOf(character);
    if (width > places - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

/** As many to a line as fit; a single one that is too long is cut. */
export function wrap(parts: string[], columns: number, glue = " · "): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const line = lines.at(-1);
    const longer = `${line}${glue}${part}`;
    if (line !== undefined && shorten(longer, columns) === longer) lines[lines.length - 1] = longer;
    else lines.push(part);
  }
  return lines.map((line) => shorten(line, columns));
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

/** Terminal columns of a text: combining marks take none, Chinese and the like two. */
function widthOf(text: string): number {
  let places = 0;
  for (const character of text) places += /\p{M}|\u200d/u.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return places;
}

const textOf = (cell: Cell) => (cell === null ? "-" : typeof cell === "object" ? cell.text : String(cell));
const styleOf = (cell: Cell) => (cell !== null && typeof cell === "object" ? cell.style : undefined);

/** Labels and device names come from outside: none of their control characters may reach the terminal. */
export function clean(text: string): string {
  return text.replace(/\p{Cc}/gu, "�");
}

export function ago(moment: string | Date, now = Date.now()): string {
  return `${span((now - new Date(moment).getTime()) / 1000)} ago`;
}

/** To the minute: "2027-01-31 12:30 UTC". */
export const minuteOf = (moment: Date): string => `${moment.toISOString().slice(0, 16).replace("T", " ")} UTC`;

/** How long: "3 s", "4 min", "2 h", "5 d". */
export function span(inSeconds: number): string {
  const seconds = Math.max(0, Math.round(inSeconds));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}
