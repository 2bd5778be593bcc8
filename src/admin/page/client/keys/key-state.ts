import { el } from "../parts/element.ts";
import { serverNow } from "../parts/format.ts";
import type { KeyItem } from "./api.ts";

export function keyState(key: KeyItem): "revoked" | "live" | "offline" | "expired" | "idle" {
  if (key.revoked_at !== null) return "revoked";
  if (key.live) return "live";
  if (key.leased_until !== null) return "offline";
  return key.expires_at !== null && Date.parse(key.expires_at) <= serverNow() ? "expired" : "idle";
}

export function stateBadge(key: KeyItem): HTMLElement {
  const kind = keyState(key);
  return el("span", { class: "badge", "data-kind": kind }, kind === "live" ? "live now" : kind);
}
