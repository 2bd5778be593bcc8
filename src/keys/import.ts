import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { Database } from "../database/database.ts";
import { operatorOfCommandLine } from "../database/operator.ts";
import { OperatorError } from "../errors.ts";
import { splitCsvLine } from "./csv.ts";
import { parseExpiry } from "./expiry.ts";
import { checkLabel } from "./label.ts";
import { type HashKey, KEY_LENGTH_MAX, keyPrefix } from "./secret.ts";
import { insertKeys, type NewKey } from "./sql.ts";
import { isStorable } from "./text.ts";

const BATCH_SIZE = 2000;
const LINE_LENGTH_MAX = 4096;

export interface ImportReport {
  imported: number;
  /** Keys that were there before, or stood in the file twice. */
  existing: number;
  /** Lines that are no key, with the reason; nothing of the key itself. At most 20 are kept. */
  rejected: Array<{ line: number; reason: string }>;
  rejectedCount: number;
}

/**
 * Takes keys in from a file: a key a line, or CSV `key,label,expires` (a first line that says just that is skipped).
 * Every batch is one statement; running it again takes in only what is missing, so an interrupted import is simply
 * repeated. `onProgress` is told the lines done after each batch.
 */
export async function importKeys(
  database: Database,
  hashKey: HashKey,
  file: string,
  onProgress: (linesDone: number) => void = () => {},
): Promise<ImportReport> {
  const report: ImportReport = { imported: 0, existing: 0, rejected: [], rejectedCount: 0 };
  const by = operatorOfCommandLine();
  let batch: NewKey[] = [];
  const flush = async () => {
    if (batch.length === 0) return;
    const imported = await insertKeys(database, batch, by);
    report.imported += imported;
    report.existing += batch.length - imported;
    batch = [];
  };

  let line = 0;
  for await (const text of linesOf(file)) {
    line++;
    try {
      const key = readKeyLine(text, line);
      if (key) batch.push(hashed(key, hashKey));
    } catch (error) {
      report.rejectedCount++;
      if (report.rejected.length < 20) report.rejected.push({ line, reason: (error as Error).message });
    }
    if (batch.length === BATCH_SIZE) {
      await flush();
      onProgress(line);
    }
  }
  await flush();
  onProgress(line);
  return report;
}

export interface WrittenKey {
  key: string;
  label: string | null;
  expiresAt: string | null;
}

/** The key that a line says; undefined for a blank one and the heading. Throws an Error that says nothing of the key. */
export function readKeyLine(text: string, line: number): WrittenKey | undefined {
  if (text.length > LINE_LENGTH_MAX) throw new Error(`the line has over ${LINE_LENGTH_MAX} characters`);
  const fields = splitCsvLine(text);
  if (!fields) throw new Error("a quotation mark is not closed");
  const [key = "", label = "", expires = ""] = fields;
  if (fields.every((field) => field === "") || (line === 1 && key.toLowerCase() === "key")) return undefined;
  if (key === "") throw new Error("the key is empty");
  if (key.length > KEY_LENGTH_MAX) throw new Error(`the key has over ${KEY_LENGTH_MAX} characters`);
  // The decoder's sign for what is no UTF-8: a key read so is none that anybody holds.
  if (!isStorable(key) || key.includes("\uFFFD")) throw new Error("the key is not well-formed UTF-8");
  return { key, label: checkLabel(label), expiresAt: expires === "" ? null : parseExpiry(expires) };
}

export function hashed({ key, label, expiresAt }: WrittenKey, hashKey: HashKey): NewKey {
  return { hash: hashKey(key), prefix: keyPrefix(key), label, expiresAt };
}

async function* linesOf(file: string): AsyncGenerator<string> {
  const input = createReadStream(file, "utf8");
  try {
    let first = true;
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      yield first ? line.replace(/^\uFEFF/, "") : line;
      first = false;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new OperatorError(`cannot read ${file}: ${(error as Error).message.split(",")[0]}`);
  }
}
