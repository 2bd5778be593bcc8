/** Speaks to the admin API over real HTTP, by the token or as the page does. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { z } from "zod";
import { auditItem } from "../../../src/admin/audit/contract.ts";
import { ADMIN_TOKEN, type Reply, readReply, type TestApp, useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { findSecrets, newSessionId } from "../../support/secrets.ts";

export interface Caller {
  get(path: string): Promise<Reply>;
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
  post(path: string, body?: unknown): Promise<Reply>;
}

/** Paths are under /api/admin. No answer may hold a whole key or session id. */
export function callerWith(app: TestApp, headers: Record<string, string>): Caller {
  const send: Caller["send"] = async (method, path, body, more = {}) => {
    const reply = await readReply(
      await fetch(`${app.url}/api/admin${path}`, {
        method,
        headers: { ...(body !== undefined && { "Content-Type": "application/json" }), ...headers, ...more },
        body: body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body),
      }),
    );
    expect(findSecrets(JSON.stringify(reply.body ?? null))).toEqual([]);
    return reply;
  };
  return { send, get: (path) => send("GET", path), post: (path, body) => send("POST", path, body) };
}

const BEARER = { Authorization: `Bearer ${ADMIN_TOKEN}` };
export const byToken = (app: TestApp) => callerWith(app, BEARER);

/** The service on a database of the test's own, and its admin API by the token. */
export function useAdmin() {
  const db = useDatabase();
  const app = useApp(db);
  const token = () => byToken(app);
  return {
    db,
    app,
    token,
    start: (access_key: string, session_id = newSessionId(), device?: object) =>
      app.post("/api/session/start", { access_key, session_id, device }),
    newestEntry: async () => exactly(auditItem, (await token().get("/audit?limit=1")).body.items[0]),
  };
}

/** Signs in as the page does; `cookie` is the whole Set-Cookie, `pair` what a browser sends back. */
export async function signIn(app: TestApp, token = ADMIN_TOKEN) {
  const reply = await callerWith(app, {}).post("/sign-in", { token });
  const cookie = reply.headers.get("set-cookie") ?? "";
  const pair = cookie.split(";")[0] as string;
  const csrf = reply.body.csrf_token as string;
  return { reply, cookie, pair, csrf, caller: callerWith(app, { Cookie: pair, "X-CSRF-Token": csrf }) };
}

/** All pages of a list, one after the other; `between` runs after each. */
export async function readAll(
  read: (cursor: string) => Promise<Reply>,
  between: () => Promise<unknown> = async () => {},
) {
  // biome-ignore lint/suspicious/noExplicitAny: whatever the list is of
  const items: any[] = [];
  for (let cursor = ""; ; ) {
    const { status, body } = await read(cursor);
    expect(status).toBe(200);
    items.push(...body.items);
    if (body.next_cursor === null) return items;
    cursor = `&cursor=${body.next_cursor}`;
    await between();
  }
}

export interface Events {
  status: number;
  seen: Array<{ event: string; data: Record<string, unknown> }>;
  /** The first one that fits, now or later. */
  next(event: string, fits?: (data: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  stop(): void;
}

/** Opens the event stream, as the page does. */
export async function lookOn(app: { url: string }, headers: Record<string, string> = BEARER): Promise<Events> {
  const abort = new AbortController();
  const response = await fetch(`${app.url}/api/admin/events`, { headers, signal: abort.signal });
  const seen: Events["seen"] = [];
  if (response.status === 200) void readEvents(response, seen).catch(() => {});
  return {
    status: response.status,
    seen,
    async next(event, fits = () => true) {
      for (;;) {
        const found = seen.find((one) => one.event === event && fits(one.data));
        if (found) return found.data;
        await sleep(20);
      }
    },
    stop: () => abort.abort(),
  };
}

async function readEvents(response: Response, seen: Events["seen"]): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    const blocks = (text + decoder.decode(chunk, { stream: true })).split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      expect(findSecrets(block)).toEqual([]);
      const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(block) ?? [];
      if (event && data) seen.push({ event, data: JSON.parse(data) });
    }
  }
}

/** The reply in the shape of the contract, and with nothing beyond it. */
export function exactly<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
  const parsed = schema.parse(value);
  expect(parsed).toEqual(value);
  return parsed;
}
