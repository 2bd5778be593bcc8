/**
 * What the client needs from the platform: fetch, two clocks, timers, randomness. Browsers, Node 18, Deno, Bun and
 * Electron all have these. A test brings its own.
 */
import { checkMs, checkUrl } from "./check-url.ts";

/** The part of fetch that is used. It should heed its signal; nothing breaks if it does not. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Two clocks, both in ms. Deadlines count by `now` alone; `wall` only helps to notice that the device slept. */
export interface Clock {
  /** Monotonic: changes of date or time zone do not move it. May stand still while the device sleeps. */
  now(): number;
  /** Since 1970; may jump. */
  wall(): number;
}

/** The platform's timers; they may fire late. */
export interface Timers {
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** The part of a browser's window that is used. */
export interface PageEvents {
  addEventListener(
    type: "pagehide" | "pageshow" | "online",
    listener: (event: { persisted?: boolean }) => void,
    options: { signal: AbortSignal },
  ): void;
}

/** The options for reaching the service. */
export interface LinkOptions {
  /** Where the service is, such as `https://keys.example.com`; a path after the host is kept. */
  url: string;
  /** How long one request may take, in ms. Default 5 000. */
  requestTimeoutMs?: number;
  /** For tests and odd platforms, as are the next three; each defaults to the platform's own. */
  fetch?: Fetch;
  clock?: Clock;
  timers?: Timers;
  /** 0 ≤ x < 1, for jitter. */
  random?: () => number;
}

/** The way to the service on this platform. */
export type Link = Required<LinkOptions>;

export function openLink(options: LinkOptions, path = "/api/session/"): Link {
  checkMs("requestTimeoutMs", options.requestTimeoutMs);
  return {
    url: `${checkUrl(options.url, "url")}${path}`,
    // Wrapped: browsers refuse fetch and timers that are called as methods of another object.
    fetch: options.fetch ?? ((url, init) => fetch(url, init)),
    clock: options.clock ?? { now: () => performance.now(), wall: () => Date.now() },
    timers: options.timers ?? {
      setTimeout: (run, ms) => setTimeout(run, ms),
      clearTimeout: (timer) => clearTimeout(timer as number),
    },
    random: options.random ?? Math.random,
    requestTimeoutMs: options.requestTimeoutMs ?? 5_000,
  };
}

export function sleep(link: Link, ms: number): Promise<void> {
  return new Promise((resolve) => {
    link.timers.setTimeout(resolve, ms);
  });
}

/** A new session id from the platform's secure random source. */
export function newSessionId(): string {
  // A page on plain http has crypto but no randomUUID.
  if (globalThis.crypto) {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join(
      "",
    );
  }
  // Node 18 offers crypto only by import; but a blob's URL ends in a UUID that it made.
  const name = URL.createObjectURL(new Blob([]));
  URL.revokeObjectURL(name);
  return name.slice(-36);
}

/** The same as a UUID. */
export function newUuid(): string {
  const hex = newSessionId().replaceAll("-", "");
  // Version 4, and the variant of RFC 9562.
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20)].join("-");
}
