import { setImmediate as nextTurn } from "node:timers/promises";
import type { Database } from "../database/database.ts";
import type { Operator } from "../database/operator.ts";
import { hashed, readKeyLine, type WrittenKey } from "./import.ts";
import type { HashKey } from "./secret.ts";
import { insertKeys } from "./sql.ts";

const BATCH_SIZE = 5000;
/** How long one turn of the event loop may take, however long its lines are: devices are answered in between. */
const TURN_MS = 10;
const INVALID_MAX = 1000;

export interface TextImportReport {
  imported: number;
  /** Keys that were there before, or stood in it twice. */
  skippedKnown: number;
  /** Lines that are no key, with the reason; nothing of the key itself. At most the first 1000. */
  invalid: Array<{ line: number; reason: string }>;
}

/**
 * Takes keys in from a text as importKeys does from a file, but with a line that is no key it takes in none, unless
 * `partial`. Every batch is one statement; whatever interrupts it, repeating it takes in what is missing.
 */
export async function importKeyText(
  database: Database,
  hashKey: HashKey,
  text: string,
  options: { partial: boolean; by: Operator },
): Promise<TextImportReport> {
  const report: TextImportReport = { imported: 0, skippedKnown: 0, invalid: [] };
  // Read twice rather than kept: a million keys take no more memory than their text.
  for await (const _ of readKeys(text, report.invalid));
  if (report.invalid.length > 0 && !options.partial) return report;

  let batch: WrittenKey[] = [];
  const flush = async () => {
    if (batch.length === 0) return;
    const rows = batch.map((key) => hashed(key, hashKey));
    const imported = await insertKeys(database, rows, options.by);
    report.imported += imported;
    report.skippedKnown += rows.length - imported;
    batch = [];
  };
  for await (const key of readKeys(text, [])) {
    batch.push(key);
    if (batch.length === BATCH_SIZE) await flush();
  }
  await flush();
  return report;
}

async function* readKeys(text: string, invalid: TextImportReport["invalid"]): AsyncGenerator<WrittenKey> {
  let line = 0;
  let began = performance.now();
  for (const written of linesOf(text)) {
    line++;
    if (performance.now() - began > TURN_MS) {
      await nextTurn();
      began = performance.now();
    }
    try {
      const key = readKeyLine(written, line);
      if (key) yield key;
    } catch (error) {
      if (invalid.length < INVALID_MAX) invalid.push({ line, reason: (error as Error).message });
    }
  }
}

function* linesOf(text: string): Generator<string> {
  const end = /\r\n|\n|\r/g;
  for (let from = 0; from < text.length; from = end.lastIndex) {
    const match = end.exec(text);
    yield text.slice(from, match?.index);
    if (!match) return;
  }
}
