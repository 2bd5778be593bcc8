/** Makes requests of every route: mostly right in most of their parts, wrong in some. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { dropNulls } from "../../../src/http/absent.ts";
import { newSessionId } from "../../support/secrets.ts";
import { parseJson } from "../load/call.ts";
import type { Random } from "./random.ts";
import { ROUTES, type Route } from "./routes.ts";

export interface Fuzzed {
  route: Route;
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
  /** Whether the document says what the answer may be. */
  known: boolean;
  /** Whether everything beside the body is as the route wants it. */
  proper: boolean;
}

interface JsonSchema {
  type?: string;
  format?: string;
  items?: JsonSchema;
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  anyOf?: JsonSchema[];
}

/** Of sessions and keys. */
const MAKERS = /^\/api\/(session\/start|admin\/keys|v1\/(batch|game|game\/combat)\/sessions)$/;
const UUID_LENGTH = 36;
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const IDS_KEPT = 200;
const PATHS = [
  "/%00",
  "/..%2f..%2f",
  "?a=1&a=2&__proto__=x",
  "/",
  "%E0%A4%A",
  ";v=1",
  "?".repeat(50),
  `/${"x".repeat(3_000)}`,
];
const TYPES = [
  "text/plain",
  "application/jsonp",
  "application/x-www-form-urlencoded",
  "APPLICATION/JSON ; charset=x",
  "",
];
const NONSENSE: unknown[] = [
  ...[null, true, 0, -1, 1.5, 2 ** 53, 1e308, "", " ", "\0", "\ud800", "%s$1", "'; DROP TABLE keys; --", [], {}, [[]]],
  ...["x".repeat(101), "x".repeat(513), "é".repeat(512), "💥".repeat(300), "../../etc", "\u202e", "-".repeat(129)],
  ...[{ toString: 1 }, JSON.parse('{"__proto__":{"a":1}}'), ["a", "b"], "NaN", "x".repeat(17_000)],
];

export function createFuzzer(by: { random: Random; accessKeys: string[]; adminToken: string; userTokens: string[] }) {
  const { random } = by;
  const sessionIds = [newSessionId()];
  /** Of batch and game sessions, and of players. */
  const uuids = [randomUUID() as string];
  // Never those of the honest devices: what an operator does to a key is no fault of the service.
  const keyIds: unknown[] = [0, -1, 10 ** 9];
  const schemas = new Map(
    ROUTES.map((route) => [route, route.request && (z.toJSONSchema(route.request, { io: "input" }) as JsonSchema)]),
  );
  const chance = (percent: number) => random.whole(100) < percent;

  const makeText = (name: string): unknown => {
    if (name === "access_key") return random.pick(by.accessKeys);
    // The checker knows a run by its canvas.
    if (name === "canvas_path") return `${newSessionId()}.canvas`;
    if (name === "session_id") return chance(70) ? random.pick(sessionIds) : newSessionId();
    return random.pick(["Office PC", "windows", "2.1.0", "집", "x".repeat(random.whole(60))]);
  };

  const makeValue = (schema: JsonSchema, name: string): unknown => {
    if (chance(8)) return random.pick(NONSENSE);
    if (schema.anyOf) return makeValue(random.pick(schema.anyOf), name);
    if (schema.enum) return random.pick(schema.enum);
    if ("const" in schema) return schema.const;
    if (schema.type === "object") return makeObject(schema);
    if (schema.type === "array") {
      return Array.from({ length: random.whole(4) }, () => makeValue(schema.items ?? {}, name));
    }
    if (schema.format === "uuid") return random.pick(uuids);
    if (name === "key_id") return random.pick(keyIds);
    if (schema.type === "integer" || schema.type === "number") return random.pick([0, 1, 7, 1_700_000_000_000_000]);
    if (schema.type === "boolean") return chance(50);
    if (schema.type === "null") return null;
    return makeText(name);
  };

  const makeObject = (schema: JsonSchema): Record<string, unknown> => {
    const made: Record<string, unknown> = {};
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      const there = schema.required?.includes(name) ? 95 : 40;
      if (chance(there)) made[name] = makeValue(property, name);
    }
    if (chance(10)) made[random.pick(["extra", "constructor", "toString", "0", ""])] = random.pick(NONSENSE);
    return made;
  };

  const makeBody = (schema: JsonSchema): string => {
    const text = JSON.stringify(chance(3) ? random.pick(NONSENSE) : makeObject(schema));
    if (!chance(6)) return text;
    const at = random.whole(text.length);
    return random.pick([
      text.slice(0, at),
      `${text.slice(0, at)}${random.pick(['"', "{", "\0", "]", "1e999"])}${text.slice(at)}`,
      text + text,
      "",
    ]);
  };

  const authorize = ({ wants }: Route): { headers: Record<string, string>; proper: boolean } => {
    if (wants === undefined) return { headers: {}, proper: true };
    const tokens = { operator: [by.adminToken], session: sessionIds, user: by.userTokens, player: by.userTokens };
    const token = random.pick(tokens[wants]);
    if (chance(80)) return { headers: { Authorization: `Bearer ${token}` }, proper: true };
    const wrong = ["Bearer", "Bearer x", `Basic ${token}`, `bearer  ${token}x`, `Bearer ${"x".repeat(2_000)}`, ""];
    return { headers: { Authorization: random.pick(wrong) }, proper: false };
  };

  const address = ({ path, query }: Route): { path: string; proper: boolean } => {
    const idOf = (name: string) => {
      if (name === "id") return String(random.pick(keyIds));
      return name === "session_id" && chance(80) ? random.pick(uuids) : "none.js";
    };
    const filled = path.replace(/\{(\w+)\}/g, (_, name) => idOf(name));
    const asked = query.filter(() => chance(20));
    const values = asked.map(
      ({ name }) => `${name}=${encodeURIComponent(asText(random.pick([...NONSENSE, 1, 50, "abc", "true"])))}`,
    );
    const proper = filled === path && values.length === 0;
    return { path: values.length === 0 ? filled : `${filled}?${values.join("&").slice(0, 4_000)}`, proper };
  };

  return {
    make(): Fuzzed {
      const route = random.pick(ROUTES);
      const schema = schemas.get(route);
      const authorized = authorize(route);
      const addressed = address(route);
      const { headers } = authorized;
      const method = chance(94) ? route.method : random.pick(METHODS);
      const straight = chance(96);
      const path = straight ? addressed.path : addressed.path + random.pick(PATHS);
      const type = chance(96) ? "application/json" : random.pick(TYPES);
      const body = method !== "GET" && schema ? makeBody(schema) : undefined;
      if (body !== undefined && type !== "") headers["Content-Type"] = type;
      if (chance(5)) headers["X-Request-Id"] = random.pick(["ok-1", "x".repeat(300), "a b", "<script>"]);
      const foreign = chance(10); // no web page, no plain heartbeat
      if (foreign) headers.Origin = "https://elsewhere.example";
      // What the honest users' checker goes by stays as it is.
      const settles = isSettings(route) && body !== undefined && isRight(route, body);
      if (settles) headers.Authorization = "Bearer x";
      const asWanted =
        method === route.method && straight && !foreign && (body === undefined || type === "application/json");
      const proper = authorized.proper && addressed.proper && asWanted && !settles;
      return { route, method, path, headers, body, known: method !== "OPTIONS" && straight, proper };
    },

    /** Later requests ask about the sessions and keys that these have made. */
    learn({ route, method }: Fuzzed, status: number, text: string): void {
      if (status >= 300 || method !== "POST") return;
      const made = MAKERS.test(route.path) ? parseJson(text) : {};
      const { session_id, id, access_key } = made as { session_id?: string; id?: number; access_key?: string };
      if (session_id) keep(session_id.length === UUID_LENGTH ? uuids : sessionIds, session_id);
      if (id) keep(keyIds, id);
      if (access_key) keep(by.accessKeys, access_key);
    },
  };

  function keep<T>(kept: T[], one: T): void {
    kept[kept.length < IDS_KEPT ? kept.length : random.whole(IDS_KEPT)] = one;
  }
}

const isSettings = ({ method, path }: Route) => method === "PATCH" && path === "/api/admin/waiting-room";

function isRight({ request }: Route, body: string): boolean {
  const value = parseJson(body);
  if (request) dropNulls(value, request);
  return request?.safeParse(value).success ?? false;
}

/** As a query carries it; half a surrogate pair cannot be encoded. */
const asText = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value)).toWellFormed();
