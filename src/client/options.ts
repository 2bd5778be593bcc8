/** The options of startSession. */
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
       * throws `key_in_use`). Exactly the holder that was shown is replaced: if a third device has taken the key
       * meanwhile, `ask` is called again with that one. It may take its time.
       */
      ask: (holder: Holder) => boolean | Promise<boolean>;
    };

/**
 * Where the session id survives a restart of the app, so that the restarted app resumes its session instead of
 * counting as a second device. The id is a secret: keep it like the access key, in one place per running instance of
 * the app. If the storage throws or rejects, the app only loses the resumption.
 */
export interface SessionIdStorage {
  get(): string | null | undefined | Promise<string | null | undefined>;
  set(sessionId: string): unknown;
  remove(): unknown;
}

/** What a session needs, and what may be adjusted. */
export type StartOptions = Conflict & {
  accessKey: string;
  /** Shown to the device that is refused or replaced because of this one. */
  device?: Device;
  /** If given, the session survives a restart of the app. */
  storage?: SessionIdStorage;
  /**
   * Takes part in noticing copied sessions: where two processes use one session id, both lose it as `cloned`. In a page by
   * startSharedSession alone. Default false, as an app whose processes share a session on purpose would lose it.
   */
  proof?: boolean;
  /**
   * The public key of the service, as `keybeat signing-key show` prints it (32 bytes in base64url), or several: then only what
   * is signed by one of them counts as an answer. Throws a TypeError where the platform has no Ed25519.
   */
  publicKey?: string | readonly string[];
  /** How long an unanswered start is retried, in ms, without the time that `ask` takes. Default 20 000. */
  startTimeoutMs?: number;
  /** Every event from the first `live` on, also those before you could call `on`. */
  onEvent?: (event: SessionEvent) => void;
  /** In a page: end the session when the page goes away for good (pagehide). Default true. */
  endOnExit?: boolean;
  /** In Node, Deno, Bun: end the session on SIGINT and SIGTERM, then let the process go. Default false. */
  endOnSignals?: boolean;
  /** The source of pagehide, pageshow and online; defaults to the window, if there is one. */
  page?: PageEvents;
} & LinkOptions;
