/** What the protocol of proofs (src/trust/README.md) says of a beat of a live session. */
import type { Proof } from "../../../../src/sessions/device/contract.ts";

/** What is known of a session's beats. */
export interface Beaten {
  /** Of a session with proof. */
  last: Pick<Proof, "instance" | "number" | "beat_id"> | undefined;
  displaced: Set<string>;
  /** The challenges that are good: none is for anybody once another beat is accepted. By the beat that got it. */
  challenged: Set<string>;
}

export const beaten = (proof: Proof | undefined): Beaten => ({
  last: proof,
  displaced: new Set(),
  challenged: new Set(),
});

export function judgeProof(
  { last, displaced, challenged }: Beaten,
  proof: Proof | undefined,
): "again" | "accepted" | "copy" | "proof_challenge" | "proof_required" {
  if (!proof) return last ? "proof_required" : "accepted";
  const isCurrent = proof.instance === last?.instance;
  if (isCurrent && proof.beat_id === last.beat_id) return "again";
  if (isCurrent && proof.number > last.number) return "accepted";
  if (proof.answer === undefined || !challenged.has(proof.beat_id)) return "proof_challenge";
  return isCurrent || displaced.has(proof.instance) ? "copy" : "accepted";
}

export function acceptBeat(known: Beaten, proof: Proof | undefined): void {
  known.challenged.clear();
  if (!proof) return;
  if (known.last && known.last.instance !== proof.instance) known.displaced.add(known.last.instance);
  known.last = proof;
}

export const challengeBeat = ({ challenged }: Beaten, { beat_id }: Proof): Set<string> => challenged.add(beat_id);

/** Its rows are dated anew: without proof, when it was last heard of stands for its last beat. */
export function redateBeat(known: Beaten): void {
  if (!known.last) known.challenged.clear();
}
