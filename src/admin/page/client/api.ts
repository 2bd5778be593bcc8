/**
 * The admin API by the page's cookie. The token against cross-site requests is kept here alone, in memory. Every answer
 * is told to whoever watches over the connection.
 */
import { noteServerTime } from "./parts/format.ts";

/** Of a list. */
export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/** What the server refused, or status 0: it could not be reached. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly body: unknown,
  ) {
    super(message);
  }
}

type Outcome = "answered" | "signed_out" | "database" | "offline";

let csrfToken = "";
let onOutcome: (outcome: Outcome) => void = () => {};

export function watchOutcomes(listener: (outcome: Outcome) => void): void {
  onOutcome = listener;
}

/** Undefined: nobody is signed in. */
export async function whoAmI(): Promise<{ version: string } | undefined> {
  try {
    const me = await call<{ csrf_token?: string; version: string }>("GET", "me");
    csrfToken = me.csrf_token ?? "";
    return me;
  } catch (error) {
    if (error instanceof Refused && (error.status === 401 || error.status === 404)) return undefined;
    throw error;
  }
}

export async function signIn(token: string): Promise<void> {
  csrfToken = (await call<{ csrf_token: string }>("POST", "sign-in", { token })).csrf_token;
}

export const signOut = () => call("POST", "sign-out", {});

/** Calls the admin API. Throws Refused. */
export async function call<T>(method: string, path: string, body?: unknown, type = "application/json"): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrfToken;
  if (body !== undefined) headers["Content-Type"] = type;
  const sent = body === undefined ? null : type === "application/json" ? JSON.stringify(body) : (body as string | Blob);
  let response: Response;
  try {
    response = await fetch(`api/admin/${path}`, { method, headers, body: sent, credentials: "same-origin" });
  } catch {
    onOutcome("offline");
    throw new Refused(0, "offline", "The service cannot be reached", undefined);
  }
  noteServerTime(response.headers.get("date"));
  const reply = (await response.json().catch(() => ({}))) as { error?: string; code?: string };
  if (response.ok) {
    onOutcome("answered");
    return reply as T;
  }
  if (response.status === 401 && path !== "sign-in") onOutcome("signed_out");
  if (response.status === 503) onOutcome("database");
  throw new Refused(response.status, reply.code ?? "", reply.error ?? `HTTP ${response.status}`, reply);
}
