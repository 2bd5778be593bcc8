/** Keys that many devices seem to share, and what a higher limit of devices would have changed. */

import { el } from "../parts/element.ts";
import { count, showNumber, showShare } from "../parts/format.ts";
import type { NumbersReply } from "./api.ts";

const SHOWN_MAX = 10;

export function createWorthALook(): { element: HTMLElement; show(numbers: NumbersReply): void } {
  const keys = el("ul", { class: "plain" });
  const none = el("p", { class: "note" }, "No key moved between different devices today.");
  const limits = el("p", { class: "note" });
  const heading = el("h2", { tabindex: "-1" }, "Keys worth a look");
  const hint = el("p", { class: "note" }, "By takeovers between different devices in the last 24 hours.");
  const element = el("section", { class: "card stack", "aria-label": "Keys worth a look" });
  element.append(el("div", {}, heading, hint), none, keys, limits);
  return {
    element,
    show(numbers) {
      const top = numbers.takeovers_between_devices.slice(0, SHOWN_MAX);
      none.hidden = top.length > 0;
      keys.replaceChildren(
        ...top.map((key) =>
          el(
            "li",
            {},
            el("a", { href: `#/keys/${key.key_id}` }, key.label || key.access_key),
            el("span", { class: "sub" }, `${count(key.takeovers, "takeover")}, ${count(key.devices, "device")}`),
          ),
        ),
      );
      limits.textContent = tellLimits(numbers.limits);
    },
  };
}

function tellLimits(limits: NumbersReply["limits"]): string {
  const all = Math.max(0, ...limits.map(({ keys_served }) => keys_served));
  const told = limits.filter(({ limit }) => limit <= 3);
  if (all === 0 || told.length === 0) return "";
  const shares = told.map(({ limit, keys_served }) => `${limit}: ${showShare(keys_served / all)}`);
  return `Of the ${showNumber(all)} keys used today, this share would have got by with so many devices: ${shares.join(", ")}.`;
}
