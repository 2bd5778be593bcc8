/**
 * The results that the service has not acknowledged yet: each is sent until it is, a few at once, and no new node starts
 * while too many wait. Nothing is ever dropped but by the end of the run.
 */
import type { NodeResult } from "./result.ts";

/** Beyond these no new node starts. */
const WAITING_MAX = 200;
const WAITING_BYTES_MAX = 32 * 1024 * 1024;
/** Requests at once. */
const SENDERS_MAX = 8;

export class Outbox {
  readonly #deliver: (result: NodeResult) => Promise<void>;
  readonly #queue: Array<{ result: NodeResult; settled: () => void }> = [];
  /** In the queue or on the way. */
  #waiting = 0;
  #bytes = 0;
  #senders = 0;
  readonly #changed: Array<() => void> = [];

  /** `deliver` sends one until it is settled, and never rejects. */
  constructor(deliver: (result: NodeResult) => Promise<void>) {
    this.#deliver = deliver;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Resolves when it is settled. */
  add(result: NodeResult): Promise<void> {
    this.#waiting++;
    this.#bytes += result.bytes;
    const settling = new Promise<void>((settled) => this.#queue.push({ result, settled }));
    if (this.#senders < SENDERS_MAX) void this.#send();
    return settling;
  }

  /** Resolves when another node may start. */
  async room(over: AbortSignal): Promise<void> {
    while (!over.aborted && (this.#waiting >= WAITING_MAX || this.#bytes >= WAITING_BYTES_MAX)) await this.#change();
  }

  /** Resolves when everything is settled. */
  async empty(over: AbortSignal): Promise<void> {
    while (!over.aborted && this.#waiting > 0) await this.#change();
  }

  /** Lets those who wait look again: the signal that they were given has fired. */
  wake(): void {
    for (const tell of this.#changed.splice(0)) tell();
  }

  async #send(): Promise<void> {
    this.#senders++;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      const { result, settled } = next;
      await this.#deliver(result);
      this.#waiting--;
      this.#bytes -= result.bytes;
      settled();
      this.wake();
    }
    this.#senders--;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed.push(resolve);
    });
  }
}
