/**
 * The events of one session, over as many connections as it takes: each goes on after the last event that came, so that none is
 * missed and none comes twice. Uses fetch, as EventSource can neither begin with how things stand nor tell why it failed.
 */
import { type Failed, failed, REDIRECT, type Refused, readAnswer, readTrouble, retryDelayMs } from "./answer.ts";
import { readEvents, type StreamEvent } from "./body.ts";
import { type CallLink, pause, refusal } from "./calls.ts";
import { onAbort } from "./on-abort.ts";

/** The service writes every 15 s. */
const SILENCE_MS = 45_000;
/** A connection that lasts this long counts as good. */
const STEADY_MS = 30_000;
/** A whole session is told in one event where it is small enough. */
const EVENT_BYTES_MAX = 32 * 1024 * 1024;

export interface TailSource {
  /** After the link's address. */
  path: string;
  /** The name of its last event. */
  last: string;
  /** What ends it; see Expected. */
  refusals: RegExp;
}

export interface TailListener {
  /** A connection is open. */
  onOpen?(): void;
  /** Something came, if only a comment. */
  onBytes?(): void;
  onEvent(event: StreamEvent): void | Promise<void>;
}

export class EventTail {
  readonly #link: CallLink;
  readonly #source: TailSource;
  readonly #listener: TailListener;
  #lastId: string | undefined;
  #failures = 0;

  /** `lastId`: where to begin; undefined: with what happens from now on. */
  constructor(link: CallLink, source: TailSource, listener: TailListener, lastId?: string) {
    this.#link = link;
    this.#source = source;
    this.#listener = listener;
    this.#lastId = lastId;
  }

  /** Follows to the last event, or until `signal` fires. Throws a KeybeatError if there is no such session. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const openedAt = this.#link.clock.now();
      const outcome = await this.#connect(signal);
      if (outcome === "over" || signal.aborted) return;
      if (outcome.kind === "refused") throw refusal(outcome);
      this.#failures = this.#link.clock.now() - openedAt > STEADY_MS ? 0 : this.#failures + 1;
      // A cut after a good while is mended at once; a service that keeps hanging up is not pressed.
      const failures = Math.min(this.#failures - 1, 2);
      await pause(this.#link, failures < 0 ? 0 : retryDelayMs(this.#link, outcome, failures), signal);
    }
  }

  /** One connection, until it is cut, silent or no longer wanted. */
  async #connect(signal: AbortSignal): Promise<"over" | Refused | Failed> {
    const abort = new AbortController();
    const { timers } = this.#link;
    let timer: unknown;
    const cancel = () => abort.abort();
    const stopFollowing = onAbort(signal, cancel);
    // Raced, not only aborted: a fetch that ignores its signal must not hold up anybody.
    const cut = new Promise<Failed>((resolve) => {
      abort.signal.addEventListener("abort", () => resolve(failed("silence")));
    });
    const rearm = () => {
      timers.clearTimeout(timer);
      timer = timers.setTimeout(cancel, SILENCE_MS);
    };
    rearm();
    try {
      return await Promise.race([this.#read(abort.signal, rearm).catch(readTrouble), cut]);
    } finally {
      timers.clearTimeout(timer);
      stopFollowing();
      abort.abort();
    }
  }

  async #read(signal: AbortSignal, onBytes: () => void): Promise<"over" | Refused | Failed> {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.#lastId !== undefined) headers["Last-Event-ID"] = this.#lastId;
    const { path, last, refusals } = this.#source;
    const url = this.#link.url + path;
    const response = await this.#link.fetch(url, {
      headers,
      cache: "no-store",
      redirect: REDIRECT,
      signal,
    } as RequestInit);
    if (response.status === 204) return "over";
    const type = response.headers.get("content-type") ?? "text/event-stream";
    if (response.status !== 200 || !type.startsWith("text/event-stream")) {
      const expected = { ...this.#link.expected, refusals, isReply: () => false };
      return (await readAnswer(response, url, expected)) as Refused | Failed;
    }
    this.#listener.onOpen?.();
    for await (const event of readEvents(response, EVENT_BYTES_MAX)) {
      if (signal.aborted) break;
      onBytes();
      if (!event) {
        this.#listener.onBytes?.();
        continue;
      }
      await this.#listener.onEvent(event);
      this.#lastId = event.id ?? this.#lastId;
      if (event.event === last) return "over";
    }
    return failed("closed");
  }
}
