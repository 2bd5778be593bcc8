import type { Fetch } from "../platform.ts";

/** The user's bearer token, or a function that returns it, called before every request to allow renewal. */
export type Token = string | (() => string | undefined | Promise<string | undefined>);

export interface RoomOptions {
  /** Where the service is, such as `https://keys.example.com`; a path after the host is kept. */
  baseUrl: string;
  /** Needed if the service runs with QUEUE_AUTH=jwt. */
  token?: Token | undefined;
  /** How long one request may take, in ms, beyond what it was asked to wait. Default 5 000. */
  requestTimeoutMs?: number;
  /** Defaults to the platform's own. */
  fetch?: Fetch;
}
