/** One key: what it is, what can be done to it, and who used it when. */
import { type HistoryItem, readHistory } from "../device/api.ts";
import { askToFree, askToKick } from "../device/kick-dialog.ts";
import { drawTimeline } from "../device/timeline.ts";
import { trustBadge } from "../device/trust-badge.ts";
import { actionButton, renewActions } from "../parts/action-row.ts";
import { badge, type Child, el } from "../parts/element.ts";
import { age, dateTime, showDevice, showDeviceDetails } from "../parts/format.ts";
import { createTable } from "../parts/table.ts";
import type { View } from "../view.ts";
import { type KeyItem, readKey } from "./api.ts";
import { askToChange, askToErase, askToRestore, askToRevoke } from "./key-dialogs.ts";
import { stateBadge } from "./key-state.ts";

const ENDINGS: Record<string, Parameters<typeof badge>[0]> = {
  takeover: { words: "taken over", kind: "takeover" },
  device: { words: "ended by the device", kind: "quiet" },
  owner: { words: "signed out by its owner", kind: "quiet" },
  timeout: { words: "fell silent", kind: "quiet" },
  operator: { words: "ended by an operator", kind: "revoked" },
  copy: { words: "in use on two devices", kind: "cloned" },
};

export function createKeyView(id: number): View {
  const heading = el("h1", { tabindex: "-1" }, `Key #${id}`);
  const badge = el("span");
  const actions = el("div", { class: "actions" });
  const facts = el("dl", { class: "facts" });
  const timeline = el("div");
  const table = createTable<HistoryItem>({
    label: "Sessions of this key",
    keyOf: ({ generation }) => String(generation),
    contentOf: ({ generation, ended_at }) => `${generation} ${ended_at}`,
    async load(cursor) {
      const page = await readHistory(id, cursor);
      try {
        timeline.replaceChildren(drawTimeline(page.items));
      } catch {
        timeline.replaceChildren("The timeline does not work in this browser. The table below has all of it.");
      }
      return page;
    },
    columns: [
      { title: "Device", cell: showDeviceCell },
      { title: "From", cell: ({ started_at }) => dateTime(started_at) },
      { title: "Until", cell: ({ ended_at }) => (ended_at === null ? "now" : dateTime(ended_at)) },
      { title: "How it ended", cell: showEnding },
      { title: "Generation", end: true, cell: ({ generation }) => String(generation) },
    ],
    emptyTitle: "Never used",
    emptyHint: "No device has started with this key yet, or its history is past the retention.",
  });

  async function load(): Promise<void> {
    try {
      const key = await readKey(id);
      heading.textContent = key.label || key.access_key;
      badge.replaceChildren(stateBadge(key));
      facts.replaceChildren(...tellFacts(key));
      showActions(key);
    } catch (error) {
      facts.replaceChildren(el("div", {}, el("dt", {}, "Not to be had"), el("dd", {}, (error as Error).message)));
      actions.replaceChildren();
    }
    await table.refresh();
  }

  function showActions(key: KeyItem): void {
    const again = () => {
      heading.focus();
      void load();
    };
    const gone = () => {
      location.hash = "#/keys";
    };
    const { live } = key;
    renewActions(actions, [
      actionButton("Change", () => askToChange(key, again)),
      live && actionButton("Kick", () => askToKick({ ...key, key_id: key.id, device: live.device }, again), "danger"),
      !live && key.leased_until !== null
        ? actionButton("End lease", () => askToFree({ ...key, key_id: key.id }, again), "danger")
        : null,
      key.revoked_at === null
        ? actionButton("Revoke", () => askToRevoke(key, again), "danger")
        : actionButton("Restore", () => askToRestore(key, again)),
      actionButton("Erase", () => askToErase(key, gone), "danger"),
    ]);
  }

  const back = el("a", { href: "#/keys" }, "All keys");
  const title = el("div", { class: "head" }, el("div", { class: "head" }, heading, badge), actions);
  const card = (name: string, ...children: Child[]) =>
    el("section", { class: "card", "aria-label": name }, el("h2", { tabindex: "-1" }, name), ...children);
  return {
    title: "Key",
    element: el(
      "div",
      { class: "stack" },
      el("p", {}, back),
      title,
      el("section", { class: "card", "aria-label": "Facts" }, facts),
      card("Timeline", timeline),
      card("Sessions", table.element),
    ),
    refresh: () => void load(),
    onChange: () => void load(),
  };
}

function tellFacts(key: KeyItem): HTMLElement[] {
  const facts: [string, Child][] = [
    ["Key", el("span", { class: "mono" }, key.access_key)],
    ["Created", dateTime(key.created_at)],
    ["Expires", key.expires_at === null ? "never" : dateTime(key.expires_at)],
    ["Last used", key.last_used_at === null ? "never" : age(key.last_used_at)],
    ["Used now by", key.live ? el("span", {}, showDevice(key.live.device), " ", trustBadge(key.live)) : "nobody"],
    ["Generation", String(key.generation)],
  ];
  if (key.leased_until !== null) facts.push(["Held offline until", dateTime(key.leased_until)]);
  if (key.revoked_at !== null) facts.push(["Revoked", dateTime(key.revoked_at)]);
  return facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
}

function showDeviceCell({ device }: HistoryItem): HTMLElement {
  const details = showDeviceDetails(device);
  return el("span", {}, showDevice(device), details ? el("span", { class: "sub" }, details) : null);
}

function showEnding({ ended_by, note, replaced_by }: HistoryItem): HTMLElement {
  if (ended_by === null) return el("span", { class: "badge", "data-kind": "live" }, "live now");
  const by = replaced_by ? ` by ${showDevice(replaced_by.device)}` : "";
  const told = badge(ENDINGS[ended_by] ?? { words: ended_by, kind: "quiet" });
  return el("span", {}, told, by, note ? el("span", { class: "sub" }, note) : null);
}
