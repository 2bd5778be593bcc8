/** What can be done to keys, each as a question: create, import, change, revoke, restore, erase. */
import { changeKey, createKey, eraseKey, importKeys, Refused, restoreKey, revokeKey } from "./api.ts";
import { ask, reasonField, say } from "./dialog.ts";
import { type Child, el, field } from "./element.ts";
import { count } from "./format.ts";
import type { CreatedKey, ImportReport, KeyItem } from "./shapes.ts";

const IMPORT_BYTES_MAX = 32 * 1024 * 1024;

export function askForNewKey(done: () => void): void {
  const label = el("input", { maxlength: 200, autocomplete: "off", placeholder: "an order number, a customer" });
  const expires = el("input", { type: "datetime-local" });
  const own = el("input", { maxlength: 512, autocomplete: "off", spellcheck: "false", placeholder: "made up for you" });
  ask({
    ...{ title: "Create a key", confirm: "Create", done },
    content: [field("Label", label), field("Expires (never, if empty)", expires), field("Your own key", own)],
    async run() {
      const key = await createKey({
        ...(label.value.trim() && { label: label.value.trim() }),
        ...(expires.value && { expires_at: new Date(expires.value).toISOString() }),
        ...(own.value.trim() && { access_key: own.value.trim() }),
      });
      return showOnce(key);
    },
  });
}

/** The service keeps a hash only: nobody can show the key again. */
function showOnce({ access_key }: CreatedKey): Child[] {
  const shown = el("input", { class: "mono", readonly: true, value: access_key, "aria-label": "The new key" });
  const copied = el("span", { class: "note", role: "status" });
  const copy = el("button", { type: "button", class: "main", "data-first": true }, "Copy");
  copy.addEventListener("click", async () => {
    copied.textContent = (await toClipboard(shown)) ? "Copied." : "Please copy it by hand: it is selected.";
    shown.select();
  });
  const warning = el(
    "p",
    {},
    el("strong", {}, "Keep this key now. "),
    "It is stored as a hash and cannot be shown again.",
  );
  return [warning, el("div", { class: "secret" }, shown, copy), copied];
}

/** Browsers give pages without TLS no clipboard; the old command still works there. */
async function toClipboard(shown: HTMLInputElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(shown.value);
    return true;
  } catch {
    shown.select();
    return document.execCommand("copy");
  }
}

export function askForImport(done: () => void): void {
  const file = el("input", { type: "file", accept: ".csv,.txt,text/csv,text/plain" });
  const text = el("textarea", { spellcheck: "false", placeholder: "key,label,expires" });
  const partial = el("input", { type: "checkbox" });
  const hint = "A key a line, or CSV: key,label,expires. Keys that are known already are left as they are.";
  ask({
    ...{ title: "Import keys", confirm: "Import", done },
    content: [
      el("p", { class: "note" }, hint),
      field("From a file", file),
      field("Or pasted", text),
      el("label", { class: "field check" }, partial, "Leave out invalid lines and import the rest"),
    ],
    async run() {
      const chosen = file.files?.[0];
      if ((chosen?.size ?? 0) > IMPORT_BYTES_MAX) throw new Error("The file is over 32 MiB: please split it");
      const given = chosen ? await chosen.text() : text.value;
      if (given.trim() === "") throw new Error("Choose a file, or paste some keys");
      return tellImport(await importOrReport(given, partial.checked));
    },
  });
}

/** An import that was refused for its lines says which. */
async function importOrReport(text: string, partial: boolean): Promise<ImportReport> {
  try {
    return await importKeys(text, { partial });
  } catch (error) {
    const report = error instanceof Refused ? (error.body as Partial<ImportReport>) : undefined;
    if (!Array.isArray(report?.invalid)) throw error;
    return { imported: 0, skipped_known: 0, ...report, invalid: report.invalid };
  }
}

function tellImport({ imported, skipped_known, invalid }: ImportReport): Child[] {
  const known = skipped_known > 0 ? ` ${count(skipped_known, "key was", "keys were")} known already.` : "";
  const told = el("p", { role: "status" }, `${count(imported, "key")} imported.${known}`);
  if (invalid.length === 0) return [told];
  const wrong = `${count(invalid.length, "line is", "lines are")} invalid${imported === 0 ? "; nothing was imported" : ""}:`;
  const lines = invalid.slice(0, 20).map(({ line, reason }) => el("li", {}, `Line ${line}: ${reason}`));
  return [told, el("div", { class: "problem" }, wrong, el("ul", {}, ...lines))];
}

export function askToChange(key: KeyItem, done: () => void): void {
  const label = el("input", { maxlength: 200, autocomplete: "off", value: key.label ?? "" });
  const expires = el("input", {
    type: "datetime-local",
    step: 1,
    value: key.expires_at ? toLocal(key.expires_at) : "",
  });
  ask({
    ...{ title: "Change label and expiry", confirm: "Save", done },
    content: [field("Label", label), field("Expires (never, if empty)", expires)],
    async run() {
      const before = key.expires_at ? toLocal(key.expires_at) : "";
      const expires_at = expires.value ? new Date(expires.value).toISOString() : null;
      await changeKey(key.id, { label: label.value.trim() || null, ...(expires.value !== before && { expires_at }) });
      say("Saved");
      return undefined;
    },
  });
}

export function askToRevoke(key: KeyItem, done: () => void): void {
  const { input, content } = reasonField("A device that is on is told so.");
  const what = "Its session ends at once, and no device can start with it until it is restored.";
  ask({
    ...{ title: "Revoke this key?", confirm: "Revoke", danger: true, done },
    content: [el("p", {}, el("strong", {}, key.label || key.access_key), ": ", what), content],
    async run() {
      await revokeKey(key.id, input.value.trim());
      say("Revoked");
      return undefined;
    },
  });
}

export function askToRestore(key: KeyItem, done: () => void): void {
  ask({
    ...{ title: "Restore this key?", confirm: "Restore", done },
    content: [el("p", {}, el("strong", {}, key.label || key.access_key), ": devices can start with it again.")],
    async run() {
      await restoreKey(key.id);
      say("Restored");
      return undefined;
    },
  });
}

export function askToErase(key: KeyItem, done: () => void): void {
  const sure = el("input", { type: "checkbox", required: true });
  const what = ": the key and all that is known of its devices is deleted. This cannot be undone.";
  ask({
    ...{ title: "Erase this key?", confirm: "Erase", danger: true, done },
    content: [
      el("p", {}, el("strong", {}, key.label || key.access_key), what),
      el("label", { class: "field check" }, sure, "Yes, erase it"),
    ],
    async run() {
      await eraseKey(key.id);
      say("Erased");
      return undefined;
    },
  });
}

/** As <input type="datetime-local"> wants it: the local time, without a zone. */
function toLocal(iso: string): string {
  const date = new Date(iso);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
