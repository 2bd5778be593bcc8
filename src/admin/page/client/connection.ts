/**
 * What the page knows of the service, and how fresh that is:
 *
 *   live       the stream of events is open and speaks
 *   database   the service answers, its database does not
 *   offline    the service does not answer
 *
 * A stream that breaks or falls silent is opened anew, after a moment that grows up to 10 seconds; the moment it is back,
 * whoever listens loads what was missed. Of several tabs one has the stream, and tells the others what comes on it.
 */

import { StreamTurn } from "../../../client/stream-turn.ts";
import { watchOutcomes, whoAmI } from "./api.ts";
import type { TakeoverNews } from "./device/api.ts";

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
  let toldAt = Number.NEGATIVE_INFINITY;

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
  const events: Record<string, (data: never) => void> = {
    numbers(numbers: { live: number }) {
      waitMs = 500;
      become("live");
      listeners.onNumbers(numbers);
    },
    unavailable: () => become("database"),
    takeover: listeners.onTakeover,
    started: listeners.onChange,
    ended: listeners.onChange,
    left_out: listeners.onChange,
  };
  const tell = (name: string, data: unknown) => {
    heard();
    toldAt = lastHeard;
    events[name]?.(data as never);
  };
  const turn = new StreamTurn({
    name: "admin",
    max: 1,
    silenceMs: SILENCE_MAX_MS,
    onChange(news) {
      if (news) tell(...(news as Parameters<typeof tell>));
      else follow();
    },
  });

  /** By a stream of its own, or by what another tab tells. */
  function follow(): void {
    const mine = turn.isMine();
    if (mine && !source && reopening === undefined && !closed) open();
    if (mine) return;
    source?.close();
    source = undefined;
  }

  function open(): void {
    source = new EventSource("api/admin/events");
    heard();
    source.onopen = () => {
      heard();
      void look();
    };
    source.onerror = reopen;
    for (const name of Object.keys(events)) {
      source.addEventListener(name, (event) => {
        const data: unknown = JSON.parse(event.data);
        tell(name, data);
        turn.tell([name, data]);
      });
    }
  }

  function reopen(): void {
    source?.close();
    source = undefined;
    if (closed || reopening !== undefined) return;
    void look();
    void whoAmI().catch(() => {}); // a stream does not say why it was refused: this does
    reopening = setTimeout(() => {
      reopening = undefined;
      follow();
    }, waitMs);
    waitMs = Math.min(WAIT_MAX_MS, waitMs * 2);
  }

  /** A stream that is open says nothing of the database behind it. */
  async function look(): Promise<void> {
    try {
      const { status } = await fetch("health", { cache: "no-store" });
      if (status === 503) become("database");
      else if (source ? source.readyState === EventSource.OPEN : performance.now() < toldAt + SILENCE_MAX_MS)
        become("live");
      else if (isTrouble(state)) become("connecting");
      if (status === 200) waitMs = Math.min(waitMs, 2_000);
    } catch {
      become("offline");
    }
  }

  const looking = setInterval(() => {
    follow();
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
  follow();
  return {
    close() {
      closed = true;
      turn.leave();
      source?.close();
      clearInterval(looking);
      clearTimeout(reopening);
      removeEventListener("offline", goOffline);
    },
  };
}

const isTrouble = (state: LinkState) => state === "database" || state === "offline";
