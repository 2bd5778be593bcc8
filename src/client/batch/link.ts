/** The way to the batch sessions of one service, and its calls. */
import { type Answer, failed, type Refused, retryDelayMs, send, tellUnreachable } from "../answer.ts";
import { type BatchErrorCode, KeybeatError } from "../error.ts";
import { onAbort } from "../on-abort.ts";
import { type Link, type LinkOptions, openLink } from "../platform.ts";

/** Pages of results, and the view of a whole run. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** An outage ends when it likes; the next try must not be far then. */
const BACKOFF_DOUBLINGS_MAX = 2;
/** Longer than of a device: a node's result may be 256 KiB. */
const REQUEST_TIMEOUT_MS = 10_000;

const REFUSALS =
  /^(400 invalid_request|401 unauthorized|403 forbidden|404 session_not_found|409 (claimed|session_over|attempt_replaced|too_many_nodes|unknown_node|run_full|not_resumable|invalid_transition|idempotency_conflict)|413 payload_too_large)$/;

export interface BatchLink extends Link {
  /** Without a token; reading one run needs none. */
  token: string | undefined;
}

export function openBatchLink(options: LinkOptions & { token?: string | undefined }): BatchLink {
  const link = openLink({ requestTimeoutMs: REQUEST_TIMEOUT_MS, ...options }, "/api/v1/batch/sessions");
  return { ...link, token: options.token };
}

export interface BatchCall {
  method: "GET" | "POST" | "PUT";
  /** After the sessions' address; begins with a slash, or is empty. */
  path: string;
  /** An object, or its JSON. */
  body?: object | string;
  idempotencyKey?: string;
  /** Whether it has the shape of the service's reply, as a login page has status 200 too. Default: a session. */
  // biome-ignore lint/suspicious/noExplicitAny: it may be anything
  expects?(reply: any): boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: it may be anything
const isSession = (reply: any) => typeof reply.session_id === "string" && typeof reply.status === "string";

/** One request: answered, refused or failed, in time. */
export function call<T>(link: BatchLink, asked: BatchCall, signal?: AbortSignal): Promise<Answer<T>> {
  const { method, path, body, idempotencyKey, expects = isSession } = asked;
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (link.token !== undefined) headers.Authorization = `Bearer ${link.token}`;
  if (idempotencyKey !== undefined) headers["Idempotency-Key"] = idempotencyKey;
  const init = { method, headers, cache: "no-store" } as RequestInit;
  if (body !== undefined) init.body = typeof body === "string" ? body : JSON.stringify(body);
  const expected = {
    refusals: REFUSALS,
    isReply: (reply: object, status: number) => (status === 200 || status === 201) && expects(reply),
    bytesMax: ANSWER_BYTES_MAX,
  };
  const abort = new AbortController();
  const stopFollowing = signal && onAbort(signal, () => abort.abort());
  return send<T>(link, link.url + path, init, expected, { abort }).finally(stopFollowing);
}

/** Repeats a call until the service has answered it, `signal` fires, or time is up: then the last failure. */
export async function insist<T>(
  link: BatchLink,
  asked: BatchCall,
  { signal, withinMs = Number.POSITIVE_INFINITY }: { signal: AbortSignal; withinMs?: number },
): Promise<Answer<T>> {
  const giveUpAt = link.clock.now() + withinMs;
  for (let failures = 0; ; failures++) {
    if (signal.aborted) return failed("stopped");
    const answer = await call<T>(link, asked, signal);
    // While nothing is lost yet, whoever cannot be reached like this is told at once.
    if (answer.kind !== "failed" || (answer.lasting && Number.isFinite(withinMs))) return answer;
    const delayMs = retryDelayMs(link, answer, Math.min(failures, BACKOFF_DOUBLINGS_MAX));
    if (link.clock.now() + delayMs >= giveUpAt) return answer;
    await pause(link, delayMs, signal);
  }
}

/** Resolves after that time, or when the signal fires. */
export function pause(link: Link, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      link.timers.clearTimeout(timer);
      stopFollowing();
      resolve();
    };
    const timer = link.timers.setTimeout(done, ms);
    const stopFollowing = onAbort(signal, done);
  });
}

/** The reply, or the KeybeatError that an answer without one amounts to. */
export function expectReply<T>(link: BatchLink, answer: Answer<T>): T {
  if (answer.kind === "ok") return answer.body;
  throw answer.kind === "refused" ? refusal(answer) : tellUnreachable(link.url, answer);
}

/** `renamed`: codes that the caller knows by another name. */
export function refusal({ body }: Refused, renamed: Record<string, BatchErrorCode> = {}): KeybeatError {
  const { code, error, ...data } = body;
  return new KeybeatError(renamed[code] ?? (code as BatchErrorCode), error, data);
}
