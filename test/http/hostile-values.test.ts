/**
 * Every described route, and each of its values: what no database keeps is a 4xx and no fault of ours, null is absent
 * where a field is optional, and what is made can be reached at the address that names it.
 */
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { RouteDescription } from "../../src/http/openapi/part.ts";
import { ADMIN_TOKEN, useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { codeOf } from "../support/error-words.ts";
import { serviceToken } from "../support/player-token.ts";
import { ROUTES as DESCRIBED, fieldsOf, jsonOf } from "../support/routes.ts";
import { newAccessKey, newSessionId } from "../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);

const ROUTES = DESCRIBED.filter((route) => !route.answers.some((answer) => answer.events));

const NUMBERS = [2 ** 31, 2 ** 53 - 1, 2 ** 53, 1e16, 1e308, -1, -(2 ** 63), 5e-324, 0.5, Number.NaN];
const TEXTS = [
  ...["0000-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00+14:00"],
  ...["0000-12-31", "9999-12-31", "-infinity", "infinity", "epoch", "2026-02-30", "2026-01-01T24:00:00Z"],
  ...["\0", "a\0b", "\ud800", "a\udc00", "9".repeat(15), "9".repeat(16), "9".repeat(30), "1e400", "-1", "0x10", "１２"],
  ...["%", "_", "\\", "'", "\u202e", ".", "..", " ", "\x01", "\x7f", "\ufffe", "a/b", "a%2fb", "?", "#"],
];

async function ask(route: RouteDescription, { path = route.path, body }: { path?: string; body?: unknown } = {}) {
  const names = path.replace(/\{id\}/g, "1").replace(/\{\w+\}/g, "jun");
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (route.access === "operator") headers.Authorization = `Bearer ${ADMIN_TOKEN}`;
  if (route.access === "player") headers.Authorization = `Bearer ${serviceToken()}`;
  const text = body === undefined ? null : JSON.stringify(body);
  const init = { method: route.method.toUpperCase(), headers, ...(text !== null && { body: text }) };
  const response = await app.fetch(new Request(`http://localhost${names}`, init));
  const said = await response.text();
  return { status: response.status, body: said.startsWith("{") ? JSON.parse(said) : said };
}

const ASKING = ROUTES.filter((route) => route.body || route.parameters?.some((one) => one.in !== "header"));

describe.each(ASKING.map((route) => [`${route.method.toUpperCase()} ${route.path}`, route] as const))(
  "%s",
  (name, route) => {
    const body = jsonOf(route); // the keys and ids of its examples mean nothing here
    const parameters = route.parameters ?? [];

    if (body)
      it("has no fault at any value of a field of its body", { timeout: 60_000 }, async () => {
        const [example = {}] = body?.examples ?? [];
        for (const [field] of fieldsOf(body?.schema as z.ZodType)) {
          for (const value of [...NUMBERS, ...TEXTS, { name: "\0" }, [[]]]) {
            const { status } = await ask(route, { body: { ...example, [field]: value } });
            expect([name, field, value, status < 500 || status === 503]).toEqual([name, field, value, true]);
          }
        }
      });

    if (route.body?.required === false)
      it("takes a body that is null, or has a type and nothing else, as an empty one", async () => {
        const empty = shapeOf(await ask(route, { body: {} }));
        expect([shapeOf(await ask(route, { body: null })), shapeOf(await ask(route))]).toEqual([empty, empty]);
        expect(empty.code).not.toBe("invalid_request");
      });

    const queried = parameters.filter((parameter) => parameter.in === "query");
    if (queried.length > 0)
      it("has no fault at any value of its query", { timeout: 60_000 }, async () => {
        for (const { name: field } of queried) {
          for (const value of [
            ...NUMBERS.map(String),
            ...TEXTS,
            ...TEXTS.map((text) => text.replaceAll("\ud800", "%ff")),
          ]) {
            const path = `${route.path}?${new URLSearchParams({ [field]: value })}`;
            const { status } = await ask(route, { path });
            expect([name, field, value, status < 500]).toEqual([name, field, value, true]);
          }
        }
      });

    if (parameters.some((parameter) => parameter.in === "path"))
      it("has no fault at any address", async () => {
        const [example] = body?.examples ?? [];
        const sent = TEXTS.filter((text) => text !== "." && text !== ".."); // no client sends these
        const values = [...sent.map((text) => encodeURIComponent(text.toWellFormed())), "%", "%ff", "%00", "%ed%a0%80"];
        for (const value of values) {
          const path = route.path.replace(/\{\w+\}/, () => value);
          const { status } = await ask(route, { path, body: example });
          expect([name, value, status < 500]).toEqual([name, value, true]);
        }
      });

    if (body)
      it("takes null for an optional field as if it were absent, nested ones too", async () => {
        for (const example of body?.examples ?? []) {
          for (const [bare, nulled] of withNulls(example, body?.schema as z.ZodType)) {
            const [absent, empty] = [await ask(route, { body: anew(bare) }), await ask(route, { body: anew(nulled) })];
            expect([nulled, shapeOf(empty)]).toEqual([nulled, shapeOf(absent)]);
          }
        }
      });
  },
);

/** With a key that has not been made yet. */
const anew = (body: object) => ({
  ...body,
  ...("access_key" in body && body.access_key ? { access_key: newAccessKey() } : {}),
});

/** Null has a meaning of its own here: it removes the value. */
const isCleared = (schema: z.ZodType) => schema.safeParse(null).success && schema.safeParse(undefined).success;

/** The same body twice for each optional field of it: without the field, and with null in its place. */
function withNulls(example: Record<string, unknown>, schema: z.ZodType): Array<[bare: object, nulled: object]> {
  return fieldsOf(schema).flatMap(([field, inner]): Array<[object, object]> => {
    const { [field]: value, ...bare } = example;
    const own: Array<[object, object]> =
      inner.safeParse(undefined).success && !isCleared(inner) ? [[bare, { ...bare, [field]: null }]] : [];
    const object = inner instanceof z.ZodOptional ? inner.unwrap() : inner;
    if (!(object instanceof z.ZodObject)) return own;
    const nested = withNulls((value as Record<string, unknown>) ?? {}, object);
    return [
      ...own,
      ...nested.map(([a, b]): [object, object] => [
        { ...bare, [field]: a },
        { ...bare, [field]: b },
      ]),
    ];
  });
}

/** All but what differs from one call to the next. */
function shapeOf({ status, body }: { status: number; body: unknown }) {
  const keys = typeof body === "object" && body !== null ? Object.keys(body).sort() : [];
  const { issues, details } = (body ?? {}) as { issues?: unknown; details?: { issues?: unknown } };
  return { status, keys, code: codeOf(body), issues: issues ?? details?.issues };
}

describe("what is made under a name", () => {
  const NAMES = [
    "jun",
    "a/b",
    "a%2fb",
    "100%",
    "?x=1",
    "#x",
    " x ",
    "é",
    "🚀",
    "a\tb",
    "a\nb",
    "a\\b",
    "a;b",
    "+",
    "...",
  ];
  const UNREACHABLE = [".", "..", " ", "\u00a0", "\t"];

  it.each(NAMES)("is found at that name: %j", async (user_id) => {
    const made = await app.post("/api/v1/session/create", { user_id, session_id: newSessionId() });
    expect(made.status).toBe(200);
    const found = await app.get(`/api/v1/session/position/${encodeURIComponent(user_id)}`);
    expect([found.status, found.body.user_id]).toEqual([200, user_id]);
    const listed = await ask({ method: "get", path: "", access: "operator" } as unknown as RouteDescription, {
      path: `/api/admin/waiting-room/places/${encodeURIComponent(user_id)}`,
    });
    expect([listed.status, listed.body.user_id]).toEqual([200, user_id]);
    const closed = await app.post(`/api/v1/session/close/${encodeURIComponent(user_id)}`, undefined);
    expect([closed.status, closed.body.user_id]).toEqual([200, user_id]);
  });

  it.each(NAMES)("is found at that name, a node's: %j", async (node_id) => {
    const { body: made } = await app.post("/api/v1/batch/sessions", { canvas_path: "a.canvas", node_count: 1 });
    const session = `/api/v1/batch/sessions/${made.session_id}`;
    const put = { method: "PUT", body: '{"status":"success"}', headers: { "Content-Type": "application/json" } };
    const address = `http://localhost${session}/nodes/${encodeURIComponent(node_id)}`;
    expect((await app.fetch(new Request(address, put))).status).toBe(200);
    expect(Object.keys((await app.get(session)).body.node_results)).toEqual([node_id]);
  });

  it.each(UNREACHABLE)("is not made where no address can name it: %j", async (user_id) => {
    const { status, body } = await app.post("/api/v1/session/create", { user_id, session_id: newSessionId() });
    expect([status, body.code, body.issues?.[0]?.path]).toEqual([400, "invalid_request", "user_id"]);
  });

  it("is asked for by the routes with a name in their path, which are these", () => {
    const named = ROUTES.flatMap(({ path }) => path.match(/\{\w+\}/g) ?? []);
    const ours = ["{id}", "{file}", "{permit_id}", "{player_id}", "{session_id}", "{task_id}"];
    expect(new Set(named.filter((name) => !ours.includes(name)))).toEqual(new Set(["{user_id}", "{node_id}"]));
  });
});
