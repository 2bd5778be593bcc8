/**
 * Decides which tabs hold an event stream. Browsers allow six HTTP/1.1 connections to a host, for all tabs together, and
 * a stream takes one for good: with a stream each, the seventh tab would never load. So only the first few tabs of an
 * origin hold one, visible tabs before hidden ones, and the others do without.
 *
 * Tabs tell each other by a BroadcastChannel, which http pages have too. Messages from tabs with a stream also wake the
 * others: browsers let a hidden tab's timers fire once a minute, which is too late for a heartbeat. Without a page, or
 * without such a channel, it is always this one's turn.
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

/** The sender; its rank (lower first), or none if it holds no stream or is gone; and its news. */
type Message = [from: number, rank?: number, news?: unknown];

export interface TurnOptions {
  /** Tabs with the same name share their turns. */
  name: string;
  /** The number of streams allowed. */
  max: number;
  /** This tab's turn began or ended, or another tab sent news. */
  onChange(news?: unknown): void;
  /** After this silence a tab counts as holding no stream. Hidden tabs speak at least once a minute. */
  silenceMs?: number;
}

/** How long a newcomer waits to hear from the others. */
const LISTEN_MS = 100;
const SILENCE_MS = 75_000;
const RENEW_MS = 5_000;
/** Larger than any clock, to rank hidden tabs after all visible ones. */
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

  /** Whether to hold the stream now. Ask repeatedly: that keeps the turn, or takes a free one. */
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

  /** Data arrived on the stream. */
  tell(news?: unknown): void {
    if (this.#mine) this.#channel?.postMessage([this.#me, this.#rank(), news]);
  }

  /** Gives the turn up until it is asked for again. */
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

  /** `renew`: repeat it even if unchanged. Never in reply to another tab, or the two would never stop. */
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
