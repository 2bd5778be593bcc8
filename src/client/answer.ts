/**
 * One request, which always has one of three outcomes, in time and without throwing:
 *
 *   ok       the service did it
 *   refused  the service itself said no, with a status and code that belong together
 *   failed   anything else: no connection, no answer in time, 5xx, 429, a login page, broken JSON. Says nothing about
 *            the session.
 */
import type { Holder } from "../sessions/device/contract.ts";
import { readJson, readRetryAfter } from "./body.ts";
import { KeybeatError } from "./error.ts";
import type { Link } from "./platform.ts";

/** The body of a refusal, as far as a client reads it. */
export interface Refusal {
  code: string;
  error: string;
  ended_at?: string;
  replaced_by?: { started_at: string; device: Holder["device"] };
  holder?: Holder;
  leased_until?: string;
  [more: string]: unknown;
}

export type Refused = { kind: "refused"; body: Refusal };
export interface Failed {
  kind: "failed";
  /** In short: "HTTP 503", "ECONNREFUSED". */
  error: string;
  retryAfterSeconds: number;
  /** More about the cause. */
  detail?: string;
  cause?: unknown;
  /** A retry would fail the same way. */
  lasting?: boolean;
}
export type Answer<T> = { kind: "ok"; body: T } | Refused | Failed;

/** What counts as the service's own answer to a request. */
export interface Expected {
  /** As in "409 key_in_use". A proxy's 404 or a hotel login page's 403 is none. */
  refusals: RegExp;
  isReply(body: Record<string, unknown>, status: number, url: string): boolean;
  /** How long it may be, where it may be long. */
  bytesMax?: number;
  /** A refusal as it is here, where its body has a shape of its own. */
  readRefusal?(body: Record<string, unknown>): Record<string, unknown>;
}

/** Redirects are not followed: a login page must not get the key. Not "error", which would hide what it was. */
export const REDIRECT = "manual";

/** A bad certificate, a port that speaks another protocol, or one that fetch refuses. */
const LASTING = /cert|signature|_ssl_|bad port/i;

export async function send<T>(
  link: Link,
  url: string,
  init: RequestInit,
  expected: Expected,
  { timeoutMs = link.requestTimeoutMs, abort = new AbortController() } = {},
): Promise<Answer<T>> {
  let timer: unknown;
  // Raced, not only aborted: a fetch that ignores its signal must not hold up the session.
  const late = new Promise<Failed>((resolve) => {
    timer = link.timers.setTimeout(() => {
      resolve(failed(`no answer within ${timeoutMs} ms`));
      abort.abort();
    }, timeoutMs);
  });
  const ask = async () => {
    const response = await link.fetch(url, { ...init, redirect: REDIRECT, signal: abort.signal });
    return readAnswer<T>(response, url, expected);
  };
  return Promise.race([ask().catch(readTrouble), late]).finally(() => link.timers.clearTimeout(timer));
}

/** Reads the service's answer; also a stream's refusals. */
export async function readAnswer<T>(response: Response, url: string, expected: Expected): Promise<Answer<T>> {
  const { headers, status, type } = response;
  const target = headers.get("location");
  if (type === "opaqueredirect" || (status > 300 && status < 400)) {
    response.body?.cancel().catch(() => {});
    // The same path elsewhere: this is the way to the service, not a login page.
    const lasting = target?.split("/").slice(3).join() === url.split("/").slice(3).join();
    return { ...failed(`a redirect${target ? ` to ${target}` : ""}, which is not followed`), lasting };
  }
  const read = await readJson(response, expected.bytesMax);
  if (expected.isReply(read, status, url)) return { kind: "ok", body: read as T };
  const body = expected.readRefusal?.(read) ?? read;
  if (expected.refusals.test(`${status} ${body.code}`)) return { kind: "refused", body: body as Refusal };
  const detail = String(body.error ?? headers.get("content-type") ?? "");
  return { ...failed(`HTTP ${status}`, readRetryAfter(headers)), detail };
}

/** What fetch threw, with its cause. */
export function readTrouble(error: unknown): Failed {
  const { cause, message } = Object(error);
  const { code, message: because } = Object(cause);
  const detail = code || because ? [message, because].filter(Boolean).join(": ") : "";
  const short = String(code ?? because ?? message ?? error);
  return { ...failed(short), detail, cause: error, lasting: LASTING.test(short + detail) };
}

export const failed = (error: string, retryAfterSeconds = 0): Failed => ({ kind: "failed", error, retryAfterSeconds });

/** When to retry: after what the service asked for plus up to 1 s, else 1 to 3 s, longer with each failure that counts. */
export function retryDelayMs(link: Link, answer: Failed, failures = 0): number {
  const jitter = link.random();
  if (answer.retryAfterSeconds > 0) return answer.retryAfterSeconds * 1000 + jitter * 1000;
  return Math.min(1000 * 2 ** failures, 10_000) * (1 + 2 * jitter);
}

/** An error for an app that waits no longer: the last try's trouble, and where. */
export function tellUnreachable(url: string, { cause, detail, error }: Failed): KeybeatError {
  const more = detail ? `: ${detail}` : "";
  return new KeybeatError("unreachable", `${error} (${url}${more})`, {}, { cause });
}
