import { createReadStream } from "node:fs";
import type { Command } from "commander";
import { OperatorError } from "../../errors.ts";
import { type Bytes, type ImportReport, importKeys } from "../../keys/index.ts";
import { withDatabase } from "../context.ts";
import { clean, type OutputOptions, printJson } from "../output.ts";

const REJECTED_SHOWN_MAX = 20;

interface ImportCommandOptions extends OutputOptions {
  dryRun?: boolean;
  encoding?: string;
}

export function addImportCommand(keys: Command): void {
  keys
    .command("import <file>")
    .description("take in existing keys: a key a line, or a table key,label,expires; repeating it is harmless")
    .option("--dry-run", "change nothing, and say what would happen")
    .option("--encoding <name>", "of a file that is neither UTF-8, UTF-16 nor Windows-1252, such as windows-1250")
    .option("--json", "print the result as JSON")
    .action(async (file: string, options: ImportCommandOptions) => {
      const { dryRun = false, encoding: charset, json } = options;
      const report = await withDatabase(({ database, hashKey, by }) =>
        importKeys(database, hashKey, () => readBytes(file), {
          by,
          partial: true,
          dryRun,
          charset,
          onProgress: json ? () => {} : showProgress(),
        }),
      );
      if (json) printJson(toJson(report, dryRun));
      else print(report, dryRun);
      if (report.invalidCount === 0) return;
      throw new OperatorError(`${report.invalidCount} line(s) ${dryRun ? "would not be" : "were not"} taken in`);
    });
}

async function* readBytes(file: string): Bytes {
  try {
    yield* createReadStream(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new OperatorError(`cannot read ${file}: ${(error as Error).message.split(",")[0]}`);
  }
}

function toJson(report: ImportReport, dryRun: boolean) {
  const done = {
    imported: report.imported,
    existing: report.known,
    rejected_count: report.invalidCount,
    rejected: report.invalid.slice(0, REJECTED_SHOWN_MAX),
  };
  const { separator, columns, ignoredColumns: ignored_columns, encodingGuessed: encoding_guessed } = report;
  return dryRun ? { dry_run: true, ...done, separator, columns, ignored_columns, encoding_guessed } : done;
}

function print(report: ImportReport, dryRun: boolean): void {
  const { imported, known, invalid, invalidCount } = report;
  console.log(`${dryRun ? "would import" : "imported"} ${imported}, already there ${known}, rejected ${invalidCount}`);
  if (dryRun && report.columns.length > 0) {
    const separator = { ",": "a comma", ";": "a semicolon", "\t": "a tab" }[report.separator] ?? report.separator;
    console.log(`read as ${report.columns.join(", ")}, separated by ${separator}`);
  }
  if (report.ignoredColumns.length > 0) console.error(`not read: ${clean(report.ignoredColumns.join(", "))}`);
  if (report.encodingGuessed)
    console.error("some lines are no UTF-8, and were read as Windows-1252: look at their labels");
  for (const { line, reason } of invalid.slice(0, REJECTED_SHOWN_MAX)) console.error(`line ${line}: ${reason}`);
}

/** Progress: a line that is rewritten on a terminal, a new line every 20,000 lines elsewhere. */
function showProgress(): (linesDone: number) => void {
  let shown = 0;
  return (linesDone) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${linesDone} lines`);
    else if (linesDone - shown >= 20_000) {
      shown = linesDone;
      console.error(`${linesDone} lines`);
    }
  };
}
