/** One call to the room: its reply, or a KeybeatError with the service's code. Never hangs. */
import { readJson, readRetryAfter } from "../body.ts";
import { checkMs, checkUrl } from "../check-url.ts";
import { KeybeatError, type RoomErrorCode } from "../error.ts";
import type { RoomOptions } from "./options.ts";

export interface CallOptions {
  body?: object;
  /** How long the service was asked to wait, on top of the usual time. */
  waitMs?: number;
  /** The request outlives its page. */
  keepalive?: boolean;
  /** Whether it has the shape of the service's reply, as a login page has status 200 too. Default: a message. */
  // biome-ignore lint/suspicious/noExplicitAny: it may be anything
  expects?(reply: any): boolean;
}

export type Call = <T>(method: string, path: string, options?: CallOptions) => Promise<T>;

/** Sends requests below the room's address, with the user's token. */
export interface RoomLink {
  readonly base: string;
  call: Call;
  /** The raw response, for the event stream. Rejects if there is none, or a refusal. */
  open(path: string, signal: AbortSignal): Promise<Response>;
}

/** What counts as the service's own answer. A proxy's 404 or a hotel login page's 403 does not. */
const REFUSAL =
  /^(400 invalid_request|401 unauthorized|403 (forbidden|not_active)|404 user_not_found|429 too_many_requests|503 (queue_full|unavailable)|500 internal_error)$/;

export function openRoomLink(options: RoomOptions): RoomLink {
  checkMs("requestTimeoutMs", options.requestTimeoutMs);
  const base = `${checkUrl(options.baseUrl, "baseUrl")}/api/v1/session`;
  // Wrapped: browsers refuse a fetch that is called as a method of another object.
  const send = options.fetch ?? ((url: string, init: RequestInit) => fetch(url, init));
  let lastToken: string | undefined;

  const request = async (method: string, path: string, signal: AbortSignal, { body, keepalive }: CallOptions = {}) => {
    const { token } = options;
    // A closing page cannot wait for a new token.
    if (typeof token !== "function") lastToken = token;
    else if (!keepalive || lastToken === undefined) lastToken = await token();
    const headers: Record<string, string> = {};
    if (body) headers["Content-Type"] = "application/json";
    if (lastToken) headers.Authorization = `Bearer ${lastToken}`;
    // Redirects are not followed: a login page must not get the token.
    const init = { method, headers, signal, cache: "no-store", redirect: "manual" };
    const response = await send(base + path, {
      ...init,
      ...(body && { body: JSON.stringify(body) }),
      ...(keepalive && { keepalive }),
    } as RequestInit);
    if (response.status !== 200) throw await readRefusal(response);
    return response;
  };

  return {
    base,
    async call<T>(method: string, path: string, callOptions: CallOptions = {}) {
      const { expects = ({ message }) => typeof message === "string" } = callOptions;
      const abort = new AbortController();
      const timeoutMs = (options.requestTimeoutMs ?? 5_000) + (callOptions.waitMs ?? 0);
      let timer: ReturnType<typeof setTimeout> | undefined;
      // Raced, not only aborted: a fetch that ignores its signal must not hold up the caller.
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          reject(unreachable(`no answer within ${timeoutMs} ms`));
          abort.abort();
        }, timeoutMs);
      });
      const answer = request(method, path, abort.signal, callOptions).then(async (response) => {
        const reply = await readJson(response);
        if (!expects(reply)) throw unreachable("HTTP 200, without what was asked for");
        return reply as T;
      });
      return Promise.race([answer.catch(asKeybeatError), late]).finally(() => clearTimeout(timer));
    },
    open: (path, signal) => request("GET", path, signal).catch(asKeybeatError),
  };
}

async function readRefusal(response: Response): Promise<KeybeatError> {
  const target = response.headers.get("location");
  if (response.type === "opaqueredirect" || target) {
    response.body?.cancel().catch(() => {});
    throw unreachable(`a redirect to ${target ?? "somewhere else"}, which is not followed`);
  }
  const body = await readJson(response);
  if (!REFUSAL.test(`${response.status} ${body.code}`)) return unreachable(`HTTP ${response.status}`, response);
  const { code, error, ...data } = body;
  const known: RoomErrorCode = code === "internal_error" ? "unavailable" : code;
  return new KeybeatError(known, String(error), { ...data, ...retryAfter(response) });
}

export function asKeybeatError(error: unknown): never {
  if (error instanceof KeybeatError) throw error;
  const { cause, message = error } = Object(error);
  throw new KeybeatError(
    "unreachable",
    cause?.message ? `${message}: ${cause.message}` : message,
    {},
    { cause: error },
  );
}

const unreachable = (message: string, response?: Response) =>
  new KeybeatError("unreachable", message, response && retryAfter(response));

function retryAfter(response: Response): { retry_after_seconds?: number } {
  const seconds = readRetryAfter(response.headers);
  return seconds > 0 ? { retry_after_seconds: seconds } : {};
}
