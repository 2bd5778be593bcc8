/** Brings many keys, from a file of any spreadsheet or as pasted; what would happen can be seen before. */

import { Refused } from "../api.ts";
import { ask } from "../parts/dialog.ts";
import { type Child, el, field } from "../parts/element.ts";
import { count } from "../parts/format.ts";
import { type ImportReport, importKeys } from "./api.ts";

const IMPORT_BYTES_MAX = 32 * 1024 * 1024;
const SHOWN_MAX = 20;

export function askForImport(done: () => void): void {
  const file = el("input", { type: "file", accept: ".csv,.tsv,.txt,text/csv,text/plain" });
  const text = el("textarea", { spellcheck: "false", placeholder: "key,label,expires" });
  const partial = el("input", { type: "checkbox" });
  const hint =
    "A key a line, or a table: key, label, expires, or as its heading says. Keys that are known already are left as they are.";
  const preview = el("div", { role: "status" });
  const look = el("button", { type: "button" }, "Preview");
  const send = async (dryRun: boolean) => {
    const chosen = file.files?.[0];
    if ((chosen?.size ?? 0) > IMPORT_BYTES_MAX) throw new Error("The file is over 32 MiB: please split it");
    if (!chosen && text.value.trim() === "") throw new Error("Choose a file, or paste some keys");
    // As it is: the service finds out in which encoding.
    return importOrReport(chosen ?? text.value, { partial: partial.checked, dryRun });
  };
  look.addEventListener("click", async () => {
    look.disabled = true;
    const told = await send(true).then(tellImport, (error: Error) => [el("p", { class: "problem" }, error.message)]);
    preview.replaceChildren(...(told.filter(Boolean) as Node[]));
    look.disabled = false;
  });
  ask({
    title: "Import keys",
    confirm: "Import",
    done,
    content: [
      el("p", { class: "note" }, hint),
      field("From a file", file),
      field("Or pasted", text),
      el("label", { class: "field check" }, partial, "Leave out invalid lines and import the rest"),
      look,
      preview,
    ],
    run: async () => tellImport(await send(false)),
  });
}

/** An import that was refused for its lines says which. */
async function importOrReport(
  text: string | Blob,
  options: { partial: boolean; dryRun: boolean },
): Promise<ImportReport> {
  try {
    return await importKeys(text, options);
  } catch (error) {
    const report = error instanceof Refused ? (error.body as Partial<ImportReport>) : undefined;
    if (!Array.isArray(report?.invalid)) throw error;
    return { imported: 0, skipped_known: 0, ...report, invalid: report.invalid };
  }
}

function tellImport(report: ImportReport): Child[] {
  const { imported, skipped_known, invalid, dry_run } = report;
  const known = skipped_known > 0 ? ` ${count(skipped_known, "key was", "keys were")} known already.` : "";
  const done = dry_run ? "would be imported" : "imported";
  const told = el("p", { role: "status" }, `${count(imported, "key")} ${done}.${known}`);
  const how = dry_run ? [el("p", { class: "note" }, tellReading(report))] : [];
  if (invalid.length === 0) return [told, ...how];
  const nothing = imported > 0 ? "" : dry_run ? "; nothing would be imported" : "; nothing was imported";
  const wrong = `${count(invalid.length, "line is", "lines are")} invalid${nothing}:`;
  const lines = invalid.slice(0, SHOWN_MAX).map(({ line, reason }) => el("li", {}, `Line ${line}: ${reason}`));
  return [told, ...how, el("div", { class: "problem" }, wrong, el("ul", {}, ...lines))];
}

function tellReading({ columns = [], ignored_columns = [], encoding_guessed }: ImportReport): string {
  const read = columns.length > 0 ? `Read as ${columns.join(", ")}.` : "";
  const left = ignored_columns.length > 0 ? ` Not read: ${ignored_columns.join(", ")}.` : "";
  const guessed = encoding_guessed ? " Some labels may have wrong letters: the text is no UTF-8." : "";
  return read + left + guessed;
}
