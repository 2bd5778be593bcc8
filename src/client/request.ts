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
import type { Link } from "./platform.ts";

/** The body of a refusal, as far as the client reads it. */
export interface Refusal {
  code: string;
  error: string;
  ended_at?: string;
  replaced_by?: { started_at: string; device: Holder["device"] };
  holder?: Holder;
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

/** What counts as the service's own answer. A proxy's 404 or a hotel login page's 403 does not. */
const REFUSAL =
  /^(400 invalid_request|403 (invalid_key|key_expired|key_revoked)|404 session_not_found|409 (key_in_use|holder_changed|session_id_used)|410 session_[a-z]+)$/;

/** Redirects are not followed: a login page must not get the key. Not "error", which would hide what it was. */
export const REDIRECT = "manual";

/** A bad certificate, a port that speaks another protocol, or one that fetch refuses. */
const LASTING = /cert|signature|_ssl_|bad port/i;

/** The shortest timeout that is believed. */
const EXPIRES_IN_MIN = 0.5;

export async function post<T>(
  link: Link,
  path: "start" | "heartbeat" | "end",
  body: object,
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
  const answer = ask<T>(link, path, body, abort.signal).catch(readTrouble);
  return Promise.race([answer, late]).finally(() => link.timers.clearTimeout(timer));
}

async function ask<T>(link: Link, path: string, body: object, signal: AbortSignal): Promise<Answer<T>> {
  const url = link.url + path;
  const response = await link.fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    redirect: REDIRECT,
    // Lets the last `end` of a closing page get through.
    keepalive: path === "end",
    signal,
  });
  return readAnswer(response, url);
}

/** Reads the service's answer; also the watch stream's refusals. */
export async function readAnswer<T>(response: Response, url: string): Promise<Answer<T>> {
  const { headers, status, type } = response;
  const target = headers.get("location");
  if (type === "opaqueredirect" || (status > 300 && status < 400)) {
    response.body?.cancel().catch(() => {});
    // The same path elsewhere: this is the way to the service, not a login page.
    const lasting = target?.split("/").slice(3).join() === url.split("/").slice(3).join();
    return { ...failed(`a redirect${target ? ` to ${target}` : ""}, which is not followed`), lasting };
  }
  const body = await readJson(response);
  if (status === 200 && isReply(url, body)) return { kind: "ok", body: body as T };
  if (REFUSAL.test(`${status} ${body.code}`)) return { kind: "refused", body: body as Refusal };
  const detail = body.error ?? headers.get("content-type") ?? "";
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

function isReply(url: string, body: Record<string, unknown>): boolean {
  if (url.endsWith("/end")) return typeof body.success === "boolean";
  const { expires_in, heartbeat_in } = body;
  return (
    body.success === true &&
    Number.isSafeInteger(body.generation) &&
    Number.isFinite(expires_in) &&
    Number.isFinite(heartbeat_in) &&
    (expires_in as number) >= EXPIRES_IN_MIN &&
    (heartbeat_in as number) > 0
  );
}

export const failed = (error: string, retryAfterSeconds = 0): Failed => ({ kind: "failed", error, retryAfterSeconds });

/** When to retry: after what the service asked for plus up to 1 s, else 1 to 3 s, longer with each failure that counts. */
export function retryDelayMs(link: Link, answer: Failed, failures = 0): number {
  const jitter = link.random();
  if (answer.retryAfterSeconds > 0) return answer.retryAfterSeconds * 1000 + jitter * 1000;
  return Math.min(1000 * 2 ** failures, 10_000) * (1 + 2 * jitter);
}
