/**
 * The server under check: what is asked of it, each request under a deadline, and what of its answers may be printed.
 * It remembers every session that it tried to start, so that the key can be left free whatever happened.
 */
import type { Fetch } from "../../client/platform.ts";
import type { PublicKeys } from "../../client/trust/public-keys.ts";
import { signedFetch } from "../../client/trust/signed-fetch.ts";
import { maskKey } from "../../keys/index.ts";

const REQUEST_SECONDS_MAX = 5;
const PRINTED_LENGTH_MAX = 300;

export type Fields = Record<string, unknown>;

export interface Reply {
  status: number;
  headers: Headers;
  /** The JSON object that came; empty where none came. */
  body: Fields;
  text: string;
}

/** The request was not answered at all, or not whole within the deadline. */
export class NoAnswer extends Error {}

export interface Server {
  health(): Promise<Reply>;
  start(fields: Fields): Promise<Reply>;
  heartbeat(sessionId: string, headers?: Record<string, string>): Promise<Reply>;
  status(fields?: Fields): Promise<Reply>;
  end(sessionId: string): Promise<Reply>;
  /** Everything that it has answered so far. */
  replies: Reply[];
  /** Ends every session that may still be live from here. Returns whether the server has heard of it. */
  freeKey(): Promise<boolean>;
  /** What a person may see of a text from there: one line, not too long, with no whole key or session id in it. */
  printable(text: string): string;
}

/**
 * After `stop` no request is sent any more, but those of freeKey; one that is under way is waited for. With public keys an
 * answer about sessions that none of them signed is none.
 */
export function openServer(url: string, accessKey: string, stop: AbortSignal, publicKeys?: PublicKeys): Server {
  const askSigned = publicKeys ? signedFetch(fetch, publicKeys) : fetch;
  const replies: Reply[] = [];
  const secrets = new Map([[accessKey, maskKey(accessKey)]]);
  const open = new Set<string>();

  const keep = (sessionId: unknown) => {
    if (typeof sessionId !== "string" || sessionId === "") return;
    secrets.set(sessionId, maskSessionId(sessionId));
    open.add(sessionId);
  };
  const ask = async (path: string, init?: RequestInit, by: Fetch = fetch): Promise<Reply> => {
    stop.throwIfAborted();
    const reply = await send(url + path, init, by);
    replies.push(reply);
    return reply;
  };
  const post = (verb: string, fields: Fields, headers?: Record<string, string>) =>
    ask(`/api/session/${verb}`, postInit(fields, headers), askSigned);

  return {
    replies,
    health: () => ask("/health"),
    async start(fields) {
      keep(fields.session_id); // before it is sent: a start without an answer may have happened
      const reply = await post("start", { access_key: accessKey, ...fields });
      keep(reply.body.session_id);
      return reply;
    },
    heartbeat: (sessionId, headers) => post("heartbeat", { session_id: sessionId }, headers),
    status: (fields) => post("status", { access_key: accessKey, ...fields }),
    end: (sessionId) => post("end", { session_id: sessionId }),
    async freeKey() {
      const ends = [...open].map(async (session_id) => {
        const { status } = await send(`${url}/api/session/end`, postInit({ session_id }));
        if (status < 500) open.delete(session_id);
      });
      await Promise.allSettled(ends);
      return open.size === 0;
    },
    printable(text) {
      let hidden = text;
      for (const [secret, mask] of secrets) {
        for (const form of [secret, JSON.stringify(secret).slice(1, -1)]) hidden = hidden.replaceAll(form, mask);
      }
      return cut(hidden.replace(/[\w-]{16,}/g, maskStranger).replace(/\p{Cc}+/gu, " "));
    },
  };
}

/** How a session id may be shown: its first 8 characters. */
export function maskSessionId(sessionId: string): string {
  return sessionId.length > 8 ? `${sessionId.slice(0, 8)}…` : sessionId;
}

/** A session of somebody else may have held the key: whatever looks like an id (letters and digits) is masked too. */
function maskStranger(word: string): string {
  return /\d/.test(word) && /[a-z]/i.test(word) ? maskSessionId(word) : word;
}

function cut(text: string): string {
  return text.length > PRINTED_LENGTH_MAX ? `${text.slice(0, PRINTED_LENGTH_MAX)}…` : text;
}

function postInit(fields: Fields, headers: Record<string, string> = {}): RequestInit {
  return {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(fields),
  };
}

async function send(url: string, init: RequestInit = {}, by: Fetch = fetch): Promise<Reply> {
  // A redirect would turn the POST into a GET; it is shown as what it is.
  const bounds = { redirect: "manual", signal: AbortSignal.timeout(REQUEST_SECONDS_MAX * 1000) } as const;
  try {
    const response = await by(url, { ...init, ...bounds });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: parseObject(text), text };
  } catch (error) {
    throw new NoAnswer(`expected an answer, came ${explain(error)}`);
  }
}

function parseObject(text: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Fields) : {};
  } catch {
    return {};
  }
}

/** fetch only says that it failed; why stands in the cause, or in the causes where a name has several addresses. */
function explain(error: unknown): string {
  const { name, message, cause } = error as Error & { cause?: { code?: string; message?: string } };
  if (name === "TimeoutError") return `none within ${REQUEST_SECONDS_MAX} s`;
  return `none: ${cause?.code ?? cause?.message ?? message}`;
}
