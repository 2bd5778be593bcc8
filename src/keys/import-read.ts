/**
 * A text of keys, a key a line or a table of any spreadsheet -> keys, one after the other. What does not look right is
 * refused, and nothing is guessed: a whole line must not become a key, nor a key a label for everybody to read.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { LINES_AT_ONCE, type Row, rowsOf } from "./csv.ts";
import { parseExpiry } from "./expiry.ts";
import { type Bytes, type Line, linesOf } from "./import-lines.ts";
import { findSeparator, isHeading, readSeparatorLine, readTable, type Table } from "./import-table.ts";
import { checkLabel } from "./label.ts";
import type { WrittenKey } from "./new-key.ts";
import { asMinted, readKey, trimKey } from "./written.ts";

/** How long one turn of the event loop may take, however long its lines are: devices are answered in between. */
const TURN_MS = 10;

export interface Reading {
  /** Lines done so far. */
  lines: number;
  separator: string;
  table: Table | undefined;
  /** Of some key's line nobody knows for sure in which encoding it is. */
  guessed: boolean;
  /** Is told each line that is no key, and why; nothing of the key itself. */
  refuse(line: number, reason: string): void;
  /** Whether enough was refused, and the rest need not be read. */
  isEnough?(): boolean;
  /** Nobody waits for it any more. */
  stop?: AbortSignal | undefined;
}

/** The keys of the text, while `reading` is told what it is like. */
export async function* readKeys(
  bytes: Bytes,
  charset: string | undefined,
  reading: Reading,
): AsyncGenerator<WrittenKey> {
  let turnBegan = performance.now();
  for await (const row of readRows(bytes, charset, reading)) {
    const line = reading.lines + 1;
    reading.lines += row.lines;
    if (performance.now() - turnBegan > TURN_MS) {
      await nextTurn();
      reading.stop?.throwIfAborted();
      turnBegan = performance.now();
    }
    try {
      const key = readRow(row, reading);
      reading.guessed ||= row.guessed && key !== undefined;
      if (key) yield key;
    } catch (error) {
      reading.refuse(line, (error as Error).message);
      if (reading.isEnough?.()) return;
      if (reading.table === undefined && row.trouble === undefined) return; // nobody knows what stands where
    }
  }
}

async function* readRows(bytes: Bytes, charset: string | undefined, reading: Reading): AsyncGenerator<Row> {
  const batches = linesOf(bytes, charset);
  let lines: Line[] = [];
  let at = 0;
  for (let ended = false; ; ) {
    while (!ended && lines.length - at < 2 * LINES_AT_ONCE) {
      const { done, value } = await batches.next();
      ended = done === true;
      lines = [...lines.slice(at), ...(value ?? [])];
      at = 0;
    }
    if (at === lines.length) return;
    if (reading.separator === "") at += chooseSeparator(lines[at] as Line, reading);
    if (reading.separator === "") continue;
    for (const row of rowsOf(lines, at, reading.separator)) {
      at += row.lines;
      yield row;
    }
  }
}

/** By the first line that is not blank. Returns how many lines only say it, or nothing. */
function chooseSeparator({ text }: Line, reading: Reading): number {
  const said = readSeparatorLine(text);
  if (said === undefined && text.trim() !== "") {
    reading.separator = findSeparator(text);
    return 0;
  }
  reading.lines++;
  reading.separator = said ?? "";
  return 1;
}

/** Undefined for a blank one and the heading. Throws an Error that says nothing of the key. */
function readRow({ fields, trouble, guessed }: Row, reading: Reading): WrittenKey | undefined {
  if (trouble !== undefined) throw new Error(trouble);
  if (fields.every((field) => field === "")) return undefined;
  const table = reading.table ?? readTable(fields);
  if (reading.table === undefined) {
    if (!table.headed && fields.length > 1 && hasSeparator(fields[0] as string)) throw new Error(NO_HEADING);
    reading.table = table;
    if (table.headed) return undefined;
  }
  if (isHeading(fields)) {
    reading.table = undefined;
    throw new Error("a heading in a later line: from here on nothing is read");
  }
  const { columns } = table;
  if (fields.slice(columns.length).some((field) => field !== "")) {
    throw new Error(`the line has more than ${columns.length} columns`);
  }
  const of = (column: "key" | "label" | "expires") => fields[columns.indexOf(column)] ?? "";
  const key = checkKey(readKey(of("key")), guessed);
  const label = checkLabel(of("label"));
  if (label !== null && (showsKey(label, key) || (!table.headed && isLikeKey(label)))) throw new Error(LABEL_IS_KEY);
  const expires = of("expires");
  return { key, label, expiresAt: expires === "" ? null : parseExpiry(expires) };
}

const NO_HEADING = "the first line has no column named key, and is no key: nothing is read";
const LABEL_IS_KEY = "the label looks like an access key: are the columns in another order? A heading can say so";

const hasSeparator = (key: string) => /[\s,;|\p{Cf}\p{Cc}]/u.test(trimKey(key));

function checkKey(key: string, guessed: boolean): string {
  // The decoder's sign for what it cannot read: a key read so is none that anybody holds.
  if (key.includes("\uFFFD") || (guessed && /[^\0-\x7f]/.test(key)))
    throw new Error("the key is not well-formed UTF-8");
  if (hasSeparator(key)) throw new Error("the key has a blank or a separator in it: is it a whole line?");
  if (/^[=[{#<]|"|^[^\p{L}\p{N}]+$/u.test(key)) throw new Error("the key is a formula, an error or no table's field");
  if (/^\d[.,]?\d*E[+-]?\d+$/i.test(key)) throw new Error("the key is a number that a spreadsheet has rounded");
  return key;
}

/** A label is for everybody to read. */
const showsKey = (label: string, key: string) =>
  label === key ||
  (key.length >= 8 && label.includes(key)) ||
  label.split(/[^0-9A-Za-z]+/).some((word) => asMinted(word) !== undefined);

/** As vendors write keys: long and with digits, or groups of capitals and digits. */
const isLikeKey = (label: string) =>
  /^(?=.*\d)[\w-]{16,}$/.test(label) || /^[0-9A-Z]{3,8}(-[0-9A-Z]{3,8}){2,}$/.test(label);
