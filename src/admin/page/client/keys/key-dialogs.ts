/** What can be done to keys, each as a question: create, change, revoke, restore, erase. */

import { ask, reasonField, say } from "../parts/dialog.ts";
import { type Child, el, field } from "../parts/element.ts";
import { type CreateKeyReply, changeKey, createKey, eraseKey, type KeyItem, restoreKey, revokeKey } from "./api.ts";

export function askForNewKey(done: () => void): void {
  const label = el("input", { maxlength: 200, autocomplete: "off", placeholder: "an order number, a customer" });
  const expires = el("input", { type: "datetime-local" });
  const own = el("input", { maxlength: 512, autocomplete: "off", spellcheck: "false", placeholder: "made up for you" });
  ask({
    title: "Create a key",
    confirm: "Create",
    done,
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
function showOnce({ access_key }: CreateKeyReply): Child[] {
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

export function askToChange(key: KeyItem, done: () => void): void {
  const label = el("input", { maxlength: 200, autocomplete: "off", value: key.label ?? "" });
  const expires = el("input", {
    type: "datetime-local",
    step: 1,
    value: key.expires_at ? toLocal(key.expires_at) : "",
  });
  ask({
    title: "Change label and expiry",
    confirm: "Save",
    done,
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
    title: "Revoke this key?",
    confirm: "Revoke",
    danger: true,
    done,
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
    title: "Restore this key?",
    confirm: "Restore",
    done,
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
    title: "Erase this key?",
    confirm: "Erase",
    danger: true,
    done,
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
