/** The session as the app sees it: its state follows the last event. */
import { KeybeatError } from "./error.ts";
import type { LostEvent, SessionEvent } from "./events.ts";
import { tellApp } from "./tell-app.ts";
import type { Leases } from "./trust/leases.ts";

/** `ended` only after the app's own end(); any other ending is `lost`. */
export type SessionState = "live" | "degraded" | "offline" | "lost" | "ended";

/** One hold on an access key. */
export interface Session {
  /** The fencing token. A session that comes back after it was lost usually has a higher one. */
  readonly generation: number;
  readonly state: SessionState;
  /** Why it is lost; null if it is not. */
  readonly lost: LostEvent | null;
  /** This session's secret, for `Authorization` at your own backend say. Not enumerable, so that no log prints it. */
  readonly sessionId: string;
  /**
   * Fires when the device may no longer act as the key's holder: with `lost`, and with end(). Its reason is a
   * KeybeatError whose code is the reason. A fired signal stays fired: a lost session that comes back has a new
   * `signal`, so read it anew for every piece of work.
   */
  readonly signal: AbortSignal;
  /** Calls `listener` with every event of that type from now on. Returns a function that removes it. */
  on<T extends SessionEvent["type"]>(
    type: T,
    listener: (event: Extract<SessionEvent, { type: T }>) => void,
  ): () => void;
  /**
   * Gives the key back. Safe to call twice. Waits 3 s at most and never throws: if the network is away, the service
   * lets the session expire. No event; `signal` fires.
   */
  end(): Promise<void>;
  /**
   * Asks for a lease: for so many hours, at most until the key expires, nobody else can start with the key, and this device
   * may work without the service (`offline`). Asked again: the same lease. It outlives `end()`, and is over when a session
   * comes back by it. Resolves to its end (RFC 3339). Needs the options `publicKey` and `storage`, and startSession.
   * Rejects with a KeybeatError: `lease_unavailable`, `invalid_request`, `unreachable`, or why the session is lost.
   */
  lease(hours: number): Promise<{ until: string }>;
  /** Gives the lease back, so that other devices can start. False: there was none, or it had ended. Rejects as `lease` does. */
  returnLease(): Promise<boolean>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The internal side of a session: the app's view, and the ways to change it. */
export interface Handle {
  session: Session;
  /** Updates state, signal and generation, then tells the app. */
  tell(event: SessionEvent, sessionId?: string): void;
  /** Ended by the app itself: no event. */
  close(): void;
}

export function createHandle(
  onEvent: ((event: SessionEvent) => void) | undefined,
  end: () => Promise<void>,
  leases?: Leases,
): Handle {
  const needLeases = () => leases ?? Promise.reject(new TypeError("leases need publicKey and storage"));
  const listeners = new Map<string, Set<(event: never) => void>>();
  let abort = new AbortController();
  let state: SessionState = "live";
  let generation = 0;
  let lost: LostEvent | null = null;
  let id = "";

  const session = {
    get generation() {
      return generation;
    },
    get state() {
      return state;
    },
    get lost() {
      return lost;
    },
    get signal() {
      return abort.signal;
    },
    on(type: string, listener: (event: never) => void) {
      const ofType = listeners.get(type) ?? new Set();
      listeners.set(type, ofType.add(listener));
      return () => ofType.delete(listener);
    },
    end,
    lease: async (hours: number) => (await needLeases()).ask(id, hours),
    returnLease: async () => (await needLeases()).giveBack(),
  };
  Object.defineProperty(session, "sessionId", { get: () => id });
  // Node before 18.18 and older browsers lack this symbol.
  if (Symbol.asyncDispose) Object.defineProperty(session, Symbol.asyncDispose, { value: end });

  return {
    session: session as unknown as Session,
    tell(event, sessionId = id) {
      id = sessionId;
      state = event.type === "recovered" ? "live" : event.type;
      lost = null;
      if ("generation" in event) {
        generation = event.generation;
        if (abort.signal.aborted) abort = new AbortController();
      } else if (event.type === "lost") {
        lost = event;
        abort.abort(new KeybeatError(event.reason, `The session is lost: ${event.reason}`, { ...event }));
      }
      for (const listener of [onEvent, ...(listeners.get(event.type) ?? [])]) {
        tellApp(() => listener?.(event as never));
      }
    },
    close() {
      state = "ended";
      abort.abort(new KeybeatError("ended", "The session was ended"));
    },
  };
}
