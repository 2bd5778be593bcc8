/** What the caller of startSession may say. */
import type { Device, Holder } from "../sessions/device/contract.ts";
import type { SessionEvent } from "./events.ts";
import type { LinkOptions, PageEvents } from "./platform.ts";

/** What to do when another device holds the key at the start. */
export type Conflict =
  | {
      /** "replace" (default): take the key over. "refuse": throw `key_in_use`, with the holder in the error's data. */
      onConflict?: "replace" | "refuse";
      ask?: undefined;
    }
  | {
      onConflict: "ask";
      /**
       * Shows the person who holds the key and resolves to true to take it over, false to leave it (startSession then
       * throws `key_in_use`). Exactly the holder that was shown is replaced: where a third device has taken the key
       * in the meantime, it is asked again with that one. May take its time.
       */
      ask: (holder: Holder) => boolean | Promise<boolean>;
    };

/**
 * Where the session id survives a restart of the app, so that the restarted app resumes its session instead of
 * counting as a second device. It is a secret: keep it as you keep the access key. One place per running instance of
 * the app. A storage that throws or rejects is ignored: the app then only loses the resumption.
 */
export interface SessionIdStorage {
  get(): string | null | undefined | Promise<string | null | undefined>;
  set(sessionId: string): unknown;
  remove(): unknown;
}

/** What a session needs, and what may be changed about it. */
export type StartOptions = Conflict & {
  accessKey: string;
  /** Shown to whoever is refused or replaced because of this device. */
  device?: Device;
  /** Given: the session survives a restart of the app. */
  storage?: SessionIdStorage;
  /** For how long a start that gets no answer is tried again, in ms. Default 20 000. Not counted while `ask` thinks. */
  startTimeoutMs?: number;
  /** Every event from the first `live` on, also those before you could call `on`. */
  onEvent?: (event: SessionEvent) => void;
  /** In a page: end the session when the page goes away for good (pagehide). Default true. */
  endOnExit?: boolean;
  /** In Node, Deno, Bun: end the session on SIGINT and SIGTERM, then let the process go. Default false. */
  endOnSignals?: boolean;
  /** What tells pagehide, pageshow and online; defaults to the window, where there is one. */
  page?: PageEvents;
} & LinkOptions;
