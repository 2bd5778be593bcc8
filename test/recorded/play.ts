/**
 * Plays requests against a running server, and writes down what it answered in a form that is the same every time:
 * what differs from run to run (times, ids, numbers of a clock) is replaced by what it is. Used to record a release
 * once, and to hold every later one to the record.
 */
import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import type postgres from "postgres";
import type { DatabaseProxy } from "../support/proxy.ts";
import { type Watch, watch } from "../support/watch.ts";

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export interface Request {
  method: string;
  path: string;
  headers?: Record<string, string>;
  /** An object is sent as JSON; a text as it is. */
  body?: Json;
  /** A text repeated that often, for what is too large. */
  repeat?: number;
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Json;
}

/** One thing that happens in the story. `{{name}}` in a text stands for what an earlier answer held, or for a key. */
export type Step = { name: string } & (
  | { request: Request; keep?: Record<string, string>; to?: "server without admin token" }
  /** Opens a watch stream; its events are the answer of the step that finishes it. */
  | { watch: string; stream: string }
  | { finish: string }
  /** So many seconds pass for a session. */
  | { silence: { session_id: string; seconds: number } }
  /** An operator revokes the key of that live session. */
  | { revoke: string }
  | { database: "away" | "back" }
  /** A request whose body never comes. */
  | { stall: string }
);

export interface Exchange {
  step: Step;
  /** Absent where a step asks nothing. */
  answer?: Answer;
}

export interface Stage {
  url: string;
  urlWithoutAdmin: string;
  sql: postgres.Sql;
  proxy: DatabaseProxy;
  /** The initial values of `{{name}}`: the keys, ids and token of this run. */
  names: Record<string, string>;
}

/** Plays the steps one after the other. Returns what was answered. */
export async function play(steps: Step[], stage: Stage): Promise<Exchange[]> {
  const names = { ...stage.names };
  const streams = new Map<string, Watch>();
  const exchanges: Exchange[] = [];
  for (const step of steps) {
    const answer = await take(fill(step as unknown as Json, names) as unknown as Step, stage, { names, streams });
    exchanges.push(answer ? { step, answer } : { step });
  }
  return exchanges;
}

interface State {
  names: Record<string, string>;
  streams: Map<string, Watch>;
}

async function take(step: Step, stage: Stage, { names, streams }: State): Promise<Answer | undefined> {
  if ("request" in step) {
    const base = step.to === undefined ? stage.url : stage.urlWithoutAdmin;
    return await ask(base, step.request, (body) => {
      for (const [name, field] of Object.entries(step.keep ?? {})) names[name] = String((body as Named)[field]);
    });
  }
  if ("watch" in step) {
    const opened = await watch(stage.url, step.watch);
    streams.set(step.stream, opened);
    if (opened.status === 200) return undefined;
    return { status: opened.status, headers: {}, body: normalise(opened.events[0]?.data) };
  }
  if ("finish" in step) {
    const stream = streams.get(step.finish) as Watch;
    await stream.done;
    const events = stream.events.map(({ event, data }) => ({ event, data: normalise(data) }));
    return { status: stream.status, headers: {}, body: { events } };
  }
  if ("silence" in step) {
    const { session_id, seconds } = step.silence;
    await stage.sql`UPDATE active_sessions SET last_heartbeat = last_heartbeat - make_interval(secs => ${seconds})
                    WHERE session_id = ${session_id}`;
    return undefined;
  }
  if ("revoke" in step) {
    await stage.sql`SELECT revoke_key(key_id, NULL) FROM active_sessions WHERE session_id = ${step.revoke}`;
    return undefined;
  }
  if ("stall" in step) return stall(stage.url, step.stall);
  await stage.proxy.set(step.database === "away" ? "refuse" : "pass");
  if (step.database === "back") await untilHealthy(stage.url);
  return undefined;
}

type Named = Record<string, Json>;

async function ask(base: string, request: Request, keep: (body: Json) => void): Promise<Answer> {
  const { method, path, body, repeat = 1 } = request;
  const text = typeof body === "string" ? body.repeat(repeat) : body === undefined ? undefined : JSON.stringify(body);
  const type: Record<string, string> = text === undefined ? {} : { "Content-Type": "application/json" };
  const headers: Record<string, string> = { ...type, ...request.headers };
  for (const [name, value] of Object.entries(headers))
    headers[name] = repeat > 1 && name === "X-Pad" ? value.repeat(repeat) : value;
  const response = await fetch(base + path, { method, headers, ...(text !== undefined && { body: text }) });
  const came = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json") ?? false;
  const parsed: Json = isJson ? JSON.parse(came) : came;
  if (response.ok) keep(parsed);
  return { status: response.status, headers: headersOf(response.headers, headers), body: normalise(parsed) };
}

/** Only what the contract speaks of. */
function headersOf(headers: Headers, sent: Record<string, string>): Record<string, string> {
  const seen: Record<string, string> = {};
  const type = headers.get("content-type")?.split(";")[0];
  if (type) seen["content-type"] = type;
  const id = headers.get("x-request-id");
  if (id) seen["x-request-id"] = id === sent["X-Request-Id"] ? id : "<id>";
  if (headers.has("retry-after")) seen["retry-after"] = "<seconds>";
  const allow = headers.get("allow");
  if (allow) seen.allow = allow;
  return seen;
}

/** Announces a body and never sends it, until the server gives up. */
async function stall(url: string, path: string): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{`,
  );
  let text = "";
  for await (const chunk of socket) text += chunk;
  const [head = "", body = ""] = text.split("\r\n\r\n");
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]);
  return { status, headers: {}, body: normalise(JSON.parse(body)) };
}

async function untilHealthy(url: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if ((await fetch(`${url}/health`)).ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the server has not come back");
}

/** What these fields hold differs from run to run; that they hold a number, or a text, does not. */
const MOVING: Record<string, { type: "number" | "string"; placeholder: string }> = {
  request_id: { type: "string", placeholder: "<id>" },
  generation: { type: "number", placeholder: "<generation>" },
  expires_in: { type: "number", placeholder: "<seconds>" },
  seconds_per_seat: { type: "number", placeholder: "<seconds>" },
  heartbeat_in: { type: "number", placeholder: "<seconds>" },
  version: { type: "string", placeholder: "<version>" },
  message: { type: "string", placeholder: "<sentence>" },
};

/** Sentences that the contract fixes; of the others it only fixes that there is one. */
const FIXED_SENTENCES = ["Invalid access key", "Session not found or expired"];

export function normalise(value: Json | undefined, field = ""): Json {
  if (value === undefined || value === null) return null;
  if (Array.isArray(value)) return value.map((item) => normalise(item));
  if (typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, normalise(inner, name)]));
  }
  const moving = MOVING[field];
  if (moving?.type === typeof value) return moving.placeholder;
  if (field === "error" && typeof value === "string") return FIXED_SENTENCES.includes(value) ? value : "<sentence>";
  if (typeof value !== "string") return value;
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value)) return "<time>";
  if (/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f-]{21}$/.test(value)) return "<uuid>";
  return value.replace(/^[0-9a-f]{8}…$/, "<masked>");
}

/** Names of this run: two devices and keys that no other run has. */
export function newNames(): Record<string, string> {
  const run = randomUUID().slice(0, 8);
  const ids = ["a", "b", "c", "d", "e", "f", "g", "never"].map((name) => [
    `id_${name}`,
    `recorded-${name}-${run}-0123456789`,
  ]);
  const keys = ["one", "two", "three", "expired", "revoked", "new"].map((name) => [
    `key_${name}`,
    `key-${name}-${run}-0123456789`,
  ]);
  const users = ["ada", "ben"].map((name) => [`user_${name}`, `${name}-of-${run}`]);
  return Object.fromEntries([...ids, ...keys, ...users]);
}

/** Puts the names in, and replaces their values in an answer by the names again. */
export function fill(value: Json, names: Record<string, string>): Json {
  return JSON.parse(JSON.stringify(value).replace(/\{\{(\w+)\}\}/g, (_, name) => names[name] ?? `{{${name}}}`));
}

export function unfill(value: Json, names: Record<string, string>): Json {
  let text = JSON.stringify(value);
  for (const [name, text_] of Object.entries(names)) {
    text = text.replaceAll(text_, `{{${name}}}`).replaceAll(`"${text_.slice(0, 8)}…"`, '"<masked>"');
  }
  return JSON.parse(text);
}
