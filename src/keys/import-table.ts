/** What stands in which column: by a heading, in any order, or as `key,label,expires` where there is none. */

/** In lower case, without what stands between the words. A plural is the same. */
const NAMES = {
  key: [
    ...["key", "accesskey", "licensekey", "licencekey", "productkey", "apikey", "activationkey", "license", "licence"],
    ...["licensecode", "activationcode", "serial", "serialnumber"],
  ],
  label: ["label", "name", "customer", "customername", "owner", "comment", "note", "description"],
  expires: [
    ...["expires", "expire", "expiresat", "expireson", "expiresutc", "expiry", "expirydate", "expiration"],
    ...[
      "expirationdate",
      "expirytime",
      "expirationtime",
      "validuntil",
      "validtill",
      "validto",
      "validthrough",
      "enddate",
    ],
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

/** Whether a row that comes later is a heading, so that from there on something else may stand in each column. */
export function isHeading(fields: readonly string[]): boolean {
  const names = fields.map(columnNamed);
  const named = names.filter((name) => name !== undefined).length;
  return names.includes("key") && (named > 1 || fields.filter((field) => field !== "").length === 1);
}

const COLUMNS: ReadonlyMap<string, Column> = new Map(
  (Object.keys(NAMES) as Column[]).flatMap((column) =>
    NAMES[column].flatMap(
      (name): Array<[string, Column]> => [
        [name, column],
        [`${name}s`, column],
      ],
    ),
  ),
);
const NAME_LENGTH_MAX = 40;

function columnNamed(heading: string): Column | undefined {
  if (heading.length > NAME_LENGTH_MAX) return undefined;
  const name = heading
    .toLowerCase()
    .replace(/\([^()]*\)$/, "") // a remark, such as the zone
    .replace(/[\s\p{P}\p{Cf}]/gu, "");
  return COLUMNS.get(name);
}
