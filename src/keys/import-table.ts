/** What stands in which column: by a heading, in any order, or as `key,label,expires` where there is none. */
import { trimKey } from "./written.ts";

const NAMES = {
  key: ["key", "access key", "accesskey", "license key", "licence key", "license", "licence"],
  label: ["label", "name", "customer", "comment", "note", "description"],
  expires: [
    "expires",
    "expires at",
    "expires on",
    "expiry",
    "expiry date",
    "expiration",
    "expiration date",
    "valid until",
  ],
} as const;

export type Column = keyof typeof NAMES;

export interface Table {
  /** Of each column; undefined: it is not read. */
  columns: Array<Column | undefined>;
  /** The headings of those that are not read. */
  ignored: string[];
  /** Whether the first row is a heading. */
  headed: boolean;
}

const UNHEADED: Table = { columns: ["key", "label", "expires"], ignored: [], headed: false };

/** What separates the fields, by a first line like `sep=;`. */
export function readSeparatorLine(text: string): string | undefined {
  return /^\s*"?sep=([^\w"\s]|\t)"?\s*$/i.exec(text)?.[1];
}

/** What separates the fields: what comes first in the first line. No key and no heading of ours has it in itself. */
export function findSeparator(text: string): string {
  const outside = text.replace(/"[^"]*"/g, "");
  return /[,;\t]/.exec(outside)?.[0] ?? ",";
}

/** By the first row. Throws an Error where it is a heading by which no key can be found. */
export function readTable(fields: readonly string[]): Table {
  const names = fields.map(columnNamed);
  if (names.every((name) => name === undefined)) return UNHEADED;
  for (const column of Object.keys(NAMES) as Column[]) {
    if (names.filter((name) => name === column).length > 1)
      throw new Error(`the heading has two columns for ${column}`);
  }
  if (!names.includes("key")) throw new Error("the heading has no column named key");
  const ignored = fields.filter((field, at) => names[at] === undefined && field !== "");
  return { columns: names, ignored, headed: true };
}

function columnNamed(heading: string): Column | undefined {
  const name = trimKey(heading)
    .toLowerCase()
    .replace(/[\s_-]+/g, " ");
  const found = Object.entries(NAMES).find(([, names]) => (names as readonly string[]).includes(name));
  return found?.[0] as Column | undefined;
}
