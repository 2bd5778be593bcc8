/** Calls of one kind of session, repeated as long as they are worth it. */
import { type Answer, type Expected, failed, type Refused, retryDelayMs, send, tellUnreachable } from "./answer.ts";
import { KeybeatError, type KeybeatErrorCode } from "./error.ts";
import { onAbort } from "./on-abort.ts";
import { type Link, type LinkOptions, openLink } from "./platform.ts";

/** An outage ends when it likes; the next try must not be far then. */
const BACKOFF_DOUBLINGS_MAX = 2;

/** A bearer token; a function is asked for each request, so that it can bring a new one. */
export type Token = string | (() => string | Promise<string>);

/** The way to one kind of session. */
export interface CallLink extends Link {
  readonly expected: Expected;
}

/** `path`: where that kind's routes begin. */
export function openCallLink(
  options: LinkOptions & { token?: Token | undefined },
  path: string,
  expected: Expected,
): CallLink {
  const { token } = options;
  const link = openLink(options, path);
  if (token === undefined) return { ...link, expected };
  return {
    ...link,
    expected,
    // Within the time that a request may take, and its failure is one of the request.
    async fetch(url, init) {
      const Authorization = `Bearer ${typeof token === "function" ? await token() : token}`;
      return link.fetch(url, { ...init, headers: { ...(init.headers as Record<string, string>), Authorization } });
    },
  };
}

export interface Call {
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** After the link's address; begins with a slash, or is empty. */
  path: string;
  /** An object, or its JSON. */
  body?: object | string | undefined;
  headers?: Record<string, string>;
  /** Whether it has the shape of the service's reply, as a login page has status 200 too. Default: the link's. */
  // biome-ignore lint/suspicious/noExplicitAny: it may be anything
  expects?(reply: any): boolean;
  /** Before each further try: of those before it is not known whether they were carried out. */
  onRepeat?(): void;
}

/** One request: answered, refused or failed, in time. */
export function call<T>(link: CallLink, asked: Call, signal?: AbortSignal): Promise<Answer<T>> {
  const { method, path, body, headers, expects } = asked;
  const { expected } = link;
  const sent: Record<string, string> = { Accept: "application/json", ...headers };
  if (body !== undefined) sent["Content-Type"] = "application/json";
  const init = { method, headers: sent, cache: "no-store" } as RequestInit;
  if (body !== undefined) init.body = typeof body === "string" ? body : JSON.stringify(body);
  const isReply: Expected["isReply"] = (reply, status, url) =>
    (status === 200 || status === 201) && (expects ? expects(reply) : expected.isReply(reply, status, url));
  const abort = new AbortController();
  const stopFollowing = signal && onAbort(signal, () => abort.abort());
  return send<T>(link, link.url + path, init, { ...expected, isReply }, { abort }).finally(stopFollowing);
}

/** Repeats a call until the service has answered it, `signal` fires, or time is up: then the last failure. */
export async function insist<T>(
  link: CallLink,
  asked: Call,
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
    asked.onRepeat?.();
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
export function expectReply<T>(link: Link, answer: Answer<T>): T {
  if (answer.kind === "ok") return answer.body;
  throw answer.kind === "refused" ? refusal(answer) : tellUnreachable(link.url, answer);
}

/** `renamed`: codes that the caller knows by another name. */
export function refusal({ body }: Refused, renamed: Record<string, KeybeatErrorCode> = {}): KeybeatError {
  const { code, error, ...data } = body;
  return new KeybeatError(renamed[code] ?? (code as KeybeatErrorCode), error, data);
}
