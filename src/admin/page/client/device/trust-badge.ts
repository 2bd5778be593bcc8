import { badge } from "../parts/element.ts";

/** Whether one process alone uses a live session: shown by proof, or doubtful; null: not known. */
export function trustBadge(session: { with_proof: boolean; may_be_copied: boolean }): HTMLElement | null {
  if (session.may_be_copied) return badge({ words: "may be copied", kind: "cloned" });
  return session.with_proof ? badge({ words: "with proof", kind: "proof" }) : null;
}
