/** Who may work offline, and keeps a key from everybody else (src/trust/README.md, Leases). */
import { randomUUID } from "node:crypto";
import type { Holder } from "../../sessions/device/contract.ts";
import { readLeaseId } from "../../trust/lease-token.ts";

export interface FakeLease {
  id: string;
  /** Whose it is. */
  holder: Holder;
  /** In ms since 1970, as is `until`. */
  issuedAt: number;
  until: number;
}

export class FakeLeases {
  readonly #byKey = new Map<string, FakeLease>();

  /** The one that holds now. */
  of(key: string): FakeLease | undefined {
    const lease = this.#byKey.get(key);
    return lease && lease.until > Date.now() ? lease : undefined;
  }

  /** The one that keeps the key from who brings this text, or none. */
  against(key: string, text: string | undefined): FakeLease | undefined {
    const lease = this.of(key);
    return lease?.id === readLeaseId(text ?? "") ? undefined : lease;
  }

  /** The same again while that session has one. */
  give(key: string, holder: Holder, hours: number): FakeLease {
    const held = this.of(key);
    if (held?.holder.generation === holder.generation) return held;
    const issuedAt = Date.now();
    const lease = { id: randomUUID(), holder, issuedAt, until: issuedAt + hours * 3_600_000 };
    this.#byKey.set(key, lease);
    return lease;
  }

  /** Returns whether it still held. */
  giveBack(text: string): boolean {
    const id = readLeaseId(text);
    const key = [...this.#byKey.keys()].find((one) => this.of(one)?.id === id);
    return key !== undefined && this.#byKey.delete(key);
  }

  free(key: string): void {
    this.#byKey.delete(key);
  }
}
