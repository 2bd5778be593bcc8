/**
 * Whose turn it is to hold an event stream. Browsers allow six HTTP/1.1 connections to a host, for all tabs together, and
 * a stream takes one for good: with a stream each, the seventh tab would never load. So of the tabs of an origin only
 * the first few hold one, tabs in view before hidden ones, and the others do without.
 *
 * Tabs tell each other by a BroadcastChannel, which http pages have too. What those with a stream tell also wakes the
 * others: a browser lets the timers of a hidden tab fire once a minute, which is too late for a heartbeat.
 * Where there is no page, or no such channel, it is always this one's turn.
 */
interface Channel {
  onmessage: ((event: { data: Message }) => void) | null;
  postMessage(message: Message): void;
  close(): void;
}

interface Window {
  document?: { hidden: boolean } & Listened;
  BroadcastChannel?: new (name: string) => Channel;
}

interface Listened {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

const window = globalThis as unknown as Window & Listened;

/** From whom; its rank, lower first, or none: it is here, or gone, and has no stream; and its news. */
type Message = [from: number, rank?: number, news?: unknown];

export interface TurnOptions {
  /** Tabs with the same name share their turns. */
  name: string;
  /** How many streams there may be. */
  max: number;
  /** It has become, or is no longer, this tab's turn; or another tab has told something. */
  onChange(news?: unknown): void;
  /** A tab that has said nothing for so long holds no stream any more. Hidden ones speak once a minute at least. */
  silenceMs?: number;
}

/** Until a newcomer has heard from those who are there. */
const LISTEN_MS = 100;
const SILENCE_MS = 75_000;
const RENEW_MS = 5_000;
/** More than any clock: hidden tabs come after all that are in view. */
const HIDDEN = 1e15;

export class StreamTurn {
  readonly #options: TurnOptions;
  readonly #me = Math.random();
  readonly #others = new Map<number, [rank: number, heardAt: number]>();
  readonly #look = () => this.#decide(true);
  readonly #go = () => this.leave();
  #channel: Channel | undefined;
  #since = 0;
  #mine = false;
  #toldAt = 0;

  constructor(options: TurnOptions) {
    this.#options = options;
  }

  /** Whether to hold the stream now. To be asked again and again: that keeps the turn, and takes one that is free. */
  isMine(): boolean {
    const { document, BroadcastChannel: Channel } = window;
    if (!document || !Channel) return true;
    if (!this.#channel) {
      this.#since = Date.now();
      this.#channel = new Channel(`keybeat stream ${this.#options.name}`);
      this.#channel.onmessage = ({ data }) => this.#hear(data);
      document.addEventListener("visibilitychange", this.#look);
      window.addEventListener("pagehide", this.#go);
      this.#channel.postMessage([this.#me]);
      setTimeout(this.#look, LISTEN_MS);
    } else if (Date.now() > this.#toldAt + RENEW_MS) this.#decide(true);
    return this.#mine;
  }

  /** Something has come on the stream. */
  tell(news?: unknown): void {
    if (this.#mine) this.#channel?.postMessage([this.#me, this.#rank(), news]);
  }

  /** Lets others have it, until it is asked for again. */
  leave(): void {
    this.#channel?.postMessage([this.#me]);
    this.#channel?.close();
    this.#channel = undefined;
    this.#mine = false;
    window.document?.removeEventListener("visibilitychange", this.#look);
    window.removeEventListener?.("pagehide", this.#go);
  }

  #rank(): number {
    return this.#since + this.#me + (window.document?.hidden ? HIDDEN : 0);
  }

  #hear([from, rank, news]: Message): void {
    if (rank) this.#others.set(from, [rank, Date.now()]);
    else {
      this.#others.delete(from);
      this.tell();
    }
    this.#decide();
    this.#options.onChange(news);
  }

  /** `renew`: also says again that it is still so. Not as an answer to another, or the two would never be done. */
  #decide(renew = false): void {
    const now = Date.now();
    if (!this.#channel || now < this.#since + LISTEN_MS) return;
    const { max, silenceMs = SILENCE_MS } = this.#options;
    const before = [...this.#others.values()].filter(([rank, at]) => rank < this.#rank() && now < at + silenceMs);
    const was = this.#mine;
    this.#mine = before.length < max;
    if (this.#mine !== was || (this.#mine && renew)) {
      this.#toldAt = now;
      this.#channel.postMessage(this.#mine ? [this.#me, this.#rank()] : [this.#me]);
    }
    if (this.#mine !== was) this.#options.onChange();
  }
}
