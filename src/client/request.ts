/**
 * One request, which always comes to one of three ends, in time and without throwing:
 *
 *   ok       the service did it
 *   refused  the service itself said no, in its own words: status and code together are known
 *   failed   anything else: no connection, no answer in time, 5xx, 429, a login page, broken JSON. Says nothing about
 *            the session.
 */
import type { Holder } from "../sessions/device/contract.ts";
import type { Link } from "./platform.ts";

/** The body of a refusal, as far as the client looks at it. */
export interface Refusal {
  code: string;
  error: string;
  ended_at?: string;
  replaced_by?: { started_at: string; device: Holder["device"] };
  holder?: Holder;
  [more: string]: unknown;
}

export type Refused = { kind: "refused"; body: Refusal };
export type Failed = { kind: "failed"; error: string; retryAfterSeconds: number };
export type Answer<T> = { kind: "ok"; body: T } | Refused | Failed;

/** What counts as the service's own word. A 404 of a proxy, a 403 of a hotel's login page do not. */
const REFUSAL =
  /^(400 invalid_request|403 (invalid_key|key_expired|key_revoked)|404 session_not_found|409 (key_in_use|holder_changed|session_id_used)|410 session_(replaced|expired|ended|revoked))$/;

export async function post<T>(
  link: Link,
  path: "start" | "heartbeat" | "end",
  body: object,
  { timeoutMs = link.requestTimeoutMs, abort = new AbortController() } = {},
): Promise<Answer<T>> {
  let timer: unknown;
  // Raced, not only aborted: a fetch that does not heed its signal must not hold up the session.
  const late = new Promise<Failed>((resolve) => {
    timer = link.timers.setTimeout(() => {
      resolve(failed(`no answer within ${timeoutMs} ms`));
      abort.abort();
    }, timeoutMs);
  });
  const answer = ask<T>(link, path, body, abort.signal).catch((error) =>
    failed(String(error?.cause?.code ?? error?.message ?? error)),
  );
  return Promise.race([answer, late]).finally(() => link.timers.clearTimeout(timer));
}

async function ask<T>(link: Link, path: string, body: object, signal: AbortSignal): Promise<Answer<T>> {
  const response = await link.fetch(link.url + path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    // A login page that redirects must not be handed the key.
    redirect: "error",
    // Lets the last `end` of a closing page get through.
    keepalive: path === "end",
    signal,
  });
  return readAnswer(response, path);
}

/** Reads what the service said; also for the watch stream's refusals. */
export async function readAnswer<T>(response: Response, path: string): Promise<Answer<T>> {
  const text = await response.text();
  let body: Record<string, unknown> = {};
  try {
    body = Object(JSON.parse(text));
  } catch {}
  if (response.status === 200 && isReply(path, body)) return { kind: "ok", body: body as T };
  if (REFUSAL.test(`${response.status} ${body.code}`)) return { kind: "refused", body: body as Refusal };
  return failed(`HTTP ${response.status}`, response.headers.get("retry-after"));
}

function isReply(path: string, body: Record<string, unknown>): boolean {
  if (path === "end") return typeof body.success === "boolean";
  return (
    body.success === true &&
    Number.isInteger(body.generation) &&
    (body.expires_in as number) > 0 &&
    (body.heartbeat_in as number) > 0
  );
}

/** Whole seconds as the contract has them. A date would need the wall clock, which proves nothing. At most a minute. */
export function failed(error: string, retryAfter?: string | null): Failed {
  return { kind: "failed", error, retryAfterSeconds: Math.min(Number(retryAfter) || 0, 60) };
}

/** When to ask again: what the service asked for and up to a second, else 1 to 3 s, more with each failure that counts. */
export function retryDelayMs(link: Link, answer: Failed, failures = 0): number {
  const jitter = link.random();
  if (answer.retryAfterSeconds > 0) return answer.retryAfterSeconds * 1000 + jitter * 1000;
  return Math.min(1000 * 2 ** failures, 10_000) * (1 + 2 * jitter);
}
