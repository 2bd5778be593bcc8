import type { Fetch } from "../platform.ts";

/** The user's bearer token, or what gives it: asked before every request, so that a fresh one can be had. */
export type Token = string | (() => string | undefined | Promise<string | undefined>);

export interface RoomOptions {
  /** Where the service is, such as `https://keys.example.com`; a path behind the host is kept. */
  baseUrl: string;
  /** Where the service runs with QUEUE_AUTH=jwt. */
  token?: Token | undefined;
  /** How long one request may take, in ms, beyond what it was asked to wait. Default 5 000. */
  requestTimeoutMs?: number;
  /** Defaults to the platform's own. */
  fetch?: Fetch;
}
