/** Judges the beats of one session by src/trust/README.md, Proof. A challenge does not age here. */
import { randomBytes } from "node:crypto";
import type { Proof } from "../../sessions/device/contract.ts";

export type Verdict = { is: "accepted" | "again" | "required" | "copy" } | { is: "challenged"; challenge: string };

export class FakeProof {
  /** The last accepted beat; undefined: the session has no proof. */
  #last: Proof | undefined;
  readonly #displaced = new Set<string>();
  /** Challenge -> the beat that is to answer it. */
  readonly #challenges = new Map<string, string>();

  /** With the proof of the start that creates the session. */
  constructor(first: Proof | undefined) {
    this.#last = first;
  }

  /** Whether only beats with proof are accepted. */
  get isRequired(): boolean {
    return this.#last !== undefined;
  }

  judge(beat: Proof | undefined): Verdict {
    const last = this.#last;
    if (!beat) return last ? { is: "required" } : this.#accept(undefined);
    const isCurrent = beat.instance === last?.instance;
    if (isCurrent && beat.beat_id === last?.beat_id) return { is: "again" };
    if (isCurrent && beat.number > last.number) return this.#accept(beat);
    const named = `${beat.instance} ${beat.number} ${beat.beat_id}`;
    if (this.#challenges.get(beat.answer ?? "") !== named) {
      const challenge = randomBytes(56).toString("hex");
      this.#challenges.set(challenge, named);
      return { is: "challenged", challenge };
    }
    if (isCurrent || this.#displaced.has(beat.instance)) return { is: "copy" };
    return this.#accept(beat);
  }

  /** A copy of the process takes the session's id, and runs. Returns whether that will be noticed. */
  clone(): boolean {
    if (!this.#last) return false;
    const id = randomBytes(16).toString("hex");
    this.#accept({ instance: id, number: 0, beat_id: id });
    return true;
  }

  #accept(beat: Proof | undefined): Verdict {
    if (this.#last && beat && beat.instance !== this.#last.instance) this.#displaced.add(this.#last.instance);
    this.#last = beat;
    this.#challenges.clear();
    return { is: "accepted" };
  }
}
