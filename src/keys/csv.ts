/** Lines -> the fields of a table, as spreadsheets write them: a field in quotation marks may go over several lines. */
import { type CsvError, parse } from "csv-parse/sync";
import { LINE_LENGTH_MAX, type Line } from "./import-lines.ts";

export interface Row {
  /** How many lines it took. */
  lines: number;
  fields: string[];
  guessed: boolean;
  /** Why it cannot be read; then it is one line. */
  trouble?: string;
}

/** What is read at once; and a row that goes over several lines is no longer either. */
export const LINES_AT_ONCE = 100;
const CHARACTERS_AT_ONCE = 32_768;

/**
 * The rows of these lines from `from` on, some of them: it never looks further than LINES_AT_ONCE beyond what it gives.
 * Each is a small piece of work.
 */
export function* rowsOf(lines: readonly Line[], from: number, separator: string): Generator<Row> {
  const block = blockOf(lines, from);
  if (!block.some(isQuoted)) {
    for (const line of block) yield plainRow(line, separator);
    return;
  }
  const rows = parseRows(block, separator) ?? parseRows(closedPart(block), separator);
  if (rows) return yield* rows;
  // One that cannot be read does not spoil the others.
  for (let at = from; at < from + block.length; ) {
    const line = lines[at] as Line;
    const row = isQuoted(line) ? quotedRow(lines, at, separator) : plainRow(line, separator);
    at += row.lines;
    yield row;
  }
}

function blockOf(lines: readonly Line[], from: number): Line[] {
  const block: Line[] = [];
  let characters = 0;
  for (let at = from; at < lines.length && block.length < LINES_AT_ONCE && characters < CHARACTERS_AT_ONCE; at++) {
    const line = lines[at] as Line;
    block.push(line);
    characters += line.text.length;
  }
  return block;
}

const isQuoted = ({ text }: Line) => text.includes('"');

/** Where the last row goes on beyond the block: what comes before it. Nothing, if none is closed or nothing is left out. */
function closedPart(block: Line[]): Line[] {
  let marks = 0;
  let closed = 0;
  for (const [at, { text }] of block.entries()) {
    marks += text.split('"').length - 1;
    if (marks % 2 === 0) closed = at + 1;
  }
  return closed < block.length ? block.slice(0, closed) : [];
}

function plainRow({ text, guessed }: Line, separator: string): Row {
  if (text.length > LINE_LENGTH_MAX) return broken(1, `the line has over ${LINE_LENGTH_MAX} characters`);
  return { lines: 1, fields: text.split(separator).map((field) => field.trim()), guessed };
}

/** A row that begins here, with as many lines as close its quotation marks. */
function quotedRow(lines: readonly Line[], from: number, separator: string): Row {
  let characters = 0;
  for (let count = 1; count <= LINES_AT_ONCE && from + count <= lines.length; count++) {
    const last = lines[from + count - 1] as Line;
    characters += last.text.length;
    if (characters > LINE_LENGTH_MAX) {
      if (count === 1) return plainRow(last, separator);
      break;
    }
    if (!isQuoted(last)) continue;
    try {
      const [row] = parseOrThrow(lines.slice(from, from + count), separator);
      if (row) return row;
    } catch (error) {
      const code = (error as CsvError).code as string;
      if (code === "INVALID_OPENING_QUOTE" && count === 1) return plainRow(last, separator); // 5" in the midst of a text
      if (code !== "CSV_QUOTE_NOT_CLOSED") return broken(count, "a quotation mark is out of place");
    }
  }
  return broken(1, "a quotation mark is not closed");
}

const broken = (lines: number, trouble: string): Row => ({ lines, fields: [], guessed: false, trouble });

/** Undefined: one of them cannot be read, or is too long, or there are none. */
function parseRows(block: Line[], separator: string): Row[] | undefined {
  if (block.length === 0 || block.some(({ text }) => text.length > LINE_LENGTH_MAX)) return undefined;
  try {
    return parseOrThrow(block, separator);
  } catch {
    return undefined;
  }
}

function parseOrThrow(block: Line[], separator: string): Row[] {
  const text = block.map((line) => line.text).join("\n");
  const options = { delimiter: separator, record_delimiter: "\n", trim: true, relax_column_count: true, info: true };
  const records = parse(text, options) as unknown as Array<{ record: string[]; info: { lines: number } }>;
  let done = 0;
  return records.map(({ record, info }) => {
    const of = block.slice(done, info.lines);
    done = info.lines;
    return { lines: of.length, fields: record, guessed: of.some(({ guessed }) => guessed) };
  });
}
