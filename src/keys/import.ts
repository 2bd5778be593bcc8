import type { Operator } from "../audit/operator.ts";
import type { Database } from "../database/database.ts";
import type { Bytes } from "./import-lines.ts";
import { type Reading, readKeys } from "./import-read.ts";
import { newKey } from "./new-key.ts";
import type { HashKey } from "./secret.ts";
import { insertKeys, type NewKey, selectKnownKeys } from "./sql.ts";

const BATCH_SIZE = 2000;
const INVALID_MAX = 1000;

export interface ImportOptions {
  by: Operator;
  /** Take in what can be; else one line that is no key leaves all of them out. */
  partial: boolean;
  /** Only say what would happen. */
  dryRun?: boolean;
  /** What the text is written in, if it is neither UTF-8 nor marked as UTF-16. */
  charset?: string | undefined;
  /** Ends it between two pieces of work; what was taken in until then stays. */
  stop?: AbortSignal | undefined;
  /** Is told the lines done after each batch. */
  onProgress?(linesDone: number): void;
}

export interface ImportReport {
  imported: number;
  /** Keys that were there before, or stood in it twice. */
  known: number;
  /** Lines that are no key, with the reason; nothing of the key itself. At most the first 1000. */
  invalid: Array<{ line: number; reason: string }>;
  invalidCount: number;
  /** As it was read. */
  separator: string;
  columns: string[];
  ignoredColumns: string[];
  encodingGuessed: boolean;
}

/**
 * Takes keys in from a text: a key a line, or a table. Every batch is one statement; repeating it takes in only what is
 * missing, so an interrupted import is simply repeated. `source` gives the text, anew with every call. Throws a
 * UsageError for an encoding that nobody knows.
 */
export async function importKeys(
  database: Database,
  hashKey: HashKey,
  source: () => Bytes,
  options: ImportOptions,
): Promise<ImportReport> {
  const { by, partial, dryRun = false, charset, stop, onProgress = () => {} } = options;
  if (!partial) {
    // Read twice rather than kept: a million keys take no more memory than their text.
    const checked = startReading({ stop, isEnough: () => checked.invalidCount >= INVALID_MAX });
    for await (const _ of readKeys(source(), charset, checked));
    if (checked.invalidCount > 0) return reportOf(checked, 0, 0);
  }
  const take = dryRun ? countNew(database) : (batch: NewKey[]) => insertKeys(database, batch, by);
  const reading = startReading({ stop });
  let batch: NewKey[] = [];
  let imported = 0;
  let known = 0;
  const flush = async () => {
    stop?.throwIfAborted();
    if (batch.length === 0) return;
    const taken = await take(batch);
    imported += taken;
    known += batch.length - taken;
    batch = [];
    onProgress(reading.lines);
  };
  for await (const key of readKeys(source(), charset, reading)) {
    batch.push(newKey(key, hashKey));
    if (batch.length === BATCH_SIZE) await flush();
  }
  await flush();
  onProgress(reading.lines);
  return reportOf(reading, imported, known);
}

type Read = Reading & Pick<ImportReport, "invalid" | "invalidCount">;

function startReading(until: Pick<Reading, "isEnough" | "stop">): Read {
  const reading: Read = {
    ...until,
    lines: 0,
    separator: "",
    table: undefined,
    guessed: false,
    invalid: [],
    invalidCount: 0,
    refuse(line, reason) {
      reading.invalidCount++;
      if (reading.invalid.length < INVALID_MAX) reading.invalid.push({ line, reason });
    },
  };
  return reading;
}

function reportOf(
  { invalid, invalidCount, separator, table, guessed }: Read,
  imported: number,
  known: number,
): ImportReport {
  return {
    imported,
    known,
    invalid,
    invalidCount,
    separator,
    columns: (table?.columns ?? []).filter((column) => column !== undefined),
    ignoredColumns: table?.ignored ?? [],
    encodingGuessed: guessed,
  };
}

/** How many of a batch are neither in the database nor in a batch before. */
function countNew(database: Database): (batch: NewKey[]) => Promise<number> {
  const seen = new Set<number>();
  return async (batch) => {
    const known = new Set(await selectKnownKeys(database, batch));
    const before = seen.size;
    // Six bytes of a digest, as a number, tell a million keys apart and take a tenth of its memory.
    for (const [at, { hash }] of batch.entries()) if (!known.has(at)) seen.add(Buffer.from(hash).readUIntBE(0, 6));
    return seen.size - before;
  };
}
