/**
 * What the page knows of the service, and how fresh that is:
 *
 *   live       the stream of events is open and speaks
 *   database   the service answers, its database does not
 *   offline    the service does not answer
 *
 * A stream that breaks or falls silent is opened anew, after a moment that grows up to 10 seconds; the moment it is back,
 * whoever listens loads what was missed.
 */
import { watchOutcomes, whoAmI } from "./api.ts";
import type { TakeoverNews } from "./shapes.ts";

export type LinkState = "connecting" | "live" | "database" | "offline";

export interface Listeners {
  onState(state: LinkState): void;
  /** After an interruption: all that is shown may be old. */
  onBack(): void;
  onNumbers(numbers: { live: number }): void;
  onTakeover(news: TakeoverNews): void;
  /** Sessions came or went. */
  onChange(): void;
  onSignedOut(): void;
}

const SILENCE_MAX_MS = 12_000;
const LOOK_EVERY_MS = 2_000;
const WAIT_MAX_MS = 10_000;

export interface Connection {
  close(): void;
}

export function connect(listeners: Listeners): Connection {
  let state: LinkState = "connecting";
  let source: EventSource | undefined;
  let lastHeard = performance.now();
  let waitMs = 500;
  let reopening: ReturnType<typeof setTimeout> | undefined;
  let closed = false;
  let missed = false;

  const become = (next: LinkState) => {
    if (closed || next === state) return;
    const back = isTrouble(state) && !isTrouble(next);
    missed ||= state === "live" || isTrouble(next);
    state = next;
    listeners.onState(next);
    if (!back && !(missed && next === "live")) return;
    if (next === "live") missed = false;
    listeners.onBack();
  };
  const heard = () => {
    lastHeard = performance.now();
  };
  const on = <T>(name: string, listener: (data: T) => void) =>
    source?.addEventListener(name, (event) => {
      heard();
      listener(JSON.parse(event.data) as T);
    });

  function open(): void {
    source = new EventSource("api/admin/events");
    heard();
    source.onopen = () => {
      heard();
      void look();
    };
    source.onerror = reopen;
    on<{ live: number }>("numbers", (numbers) => {
      waitMs = 500;
      become("live");
      listeners.onNumbers(numbers);
    });
    on("unavailable", () => become("database"));
    on<TakeoverNews>("takeover", listeners.onTakeover);
    on("started", listeners.onChange);
    on("ended", listeners.onChange);
    on("left_out", listeners.onChange);
  }

  function reopen(): void {
    source?.close();
    source = undefined;
    if (closed || reopening !== undefined) return;
    void look();
    void whoAmI().catch(() => {}); // a stream does not say why it was refused: this does
    reopening = setTimeout(() => {
      reopening = undefined;
      if (!closed) open();
    }, waitMs);
    waitMs = Math.min(WAIT_MAX_MS, waitMs * 2);
  }

  /** A stream that is open says nothing of the database behind it. */
  async function look(): Promise<void> {
    try {
      const { status } = await fetch("health", { cache: "no-store" });
      if (status === 503) become("database");
      else if (source?.readyState === EventSource.OPEN) become("live");
      else if (isTrouble(state)) become("connecting");
      if (status === 200) waitMs = Math.min(waitMs, 2_000);
    } catch {
      become("offline");
    }
  }

  const looking = setInterval(() => {
    const silent = performance.now() - lastHeard;
    if (state !== "live" || silent > SILENCE_MAX_MS / 2) void look();
    if (silent > SILENCE_MAX_MS) {
      heard();
      if (state === "live") become("connecting");
      reopen();
    }
  }, LOOK_EVERY_MS);

  watchOutcomes((outcome) => {
    if (outcome === "signed_out") listeners.onSignedOut();
    else if (outcome !== "answered") become(outcome);
  });
  const goOffline = () => become("offline");
  addEventListener("offline", goOffline);
  open();
  return {
    close() {
      closed = true;
      source?.close();
      clearInterval(looking);
      clearTimeout(reopening);
      removeEventListener("offline", goOffline);
    },
  };
}

const isTrouble = (state: LinkState) => state === "database" || state === "offline";
