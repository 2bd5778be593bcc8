/** Every described route that reads something gets the same hostile questions, from its own description. */
import { beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import type { AppError } from "../../src/errors.ts";
import { parseShape } from "../../src/http/json-body.ts";
import type { RouteDescription } from "../../src/http/openapi/part.ts";
import { ADMIN_TOKEN, postInit, type Reply, readReply, useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { codeOf, sentenceOf } from "../support/error-words.ts";
import { serviceToken } from "../support/player-token.ts";
import { addressOf, fieldsOf, jsonOf, nameOf, ROUTES } from "../support/routes.ts";
import { newAccessKey, newSessionId } from "../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);

/** The id of an existing key. */
let id: number;
beforeAll(async () => {
  id = (await db.makeKey()).id;
});

const SESSION_ID = newSessionId();
const KEY = newAccessKey();

type Body = Record<string, unknown>;
type Json = NonNullable<ReturnType<typeof jsonOf>>;

const sessionIds = [
  "",
  "short",
  "x".repeat(129),
  "has space in it 12",
  "ünïcodeünïcode12",
  `${SESSION_ID}\0`,
  1,
  {},
  [],
  true,
];
const accessKeys = [
  "",
  " \ufeff\u200b\u00a0\n",
  "k".repeat(513),
  "\0".repeat(40),
  "a key with a \0 in it",
  "\ud800 and a half",
  1,
  {},
  [],
  null,
  true,
];
const devices = ["a name", 1, [], { name: 1 }, { name: "\0" }, { name: `${"n".repeat(99)}\0` }, { app_version: {} }];

/** What the contract refuses beyond what every field is asked: route -> field -> values. */
const WRONG: Record<string, Record<string, unknown[]>> = {
  "POST /api/session/start": {
    access_key: accessKeys,
    session_id: sessionIds,
    device: devices,
    on_conflict: ["", "kill", 1, {}],
    expected_generation: [-1, 1.5, "7", {}, 2 ** 53],
  },
  "POST /api/session/heartbeat": { session_id: [...sessionIds, null] },
  "POST /api/session/end": { session_id: [...sessionIds, null] },
  "POST /api/session/status": { access_key: accessKeys, session_id: sessionIds },
  "POST /api/session/lease": { session_id: [...sessionIds, null], hours: [0, -1, 0.009, 100_001, "1", {}, null] },
  "POST /api/session/lease/return": { lease: ["x".repeat(4097), 1, {}, null] },
  "POST /api/session/history": { access_key: accessKeys },
  "POST /api/session/sign-out": { access_key: accessKeys, expected_generation: [-1, 1.5, "7", {}, 2 ** 53, null] },
};

/** Of these each field is asked those that its schema does not take. */
const HOSTILE = [
  ...["", "x", "short", "has space in it", "\0".repeat(40), "\ud800", "x".repeat(5_000), "1", "true", "2026-02-30"],
  ...[0, 1, -1, 1.5, 2 ** 53, 1e308, {}, [], [[]], { a: 1 }, true, false, null],
];
const HOSTILE_TEXTS = [
  "",
  "x",
  "-1",
  "1.5",
  "1e9",
  "0x10",
  " 1",
  "9".repeat(30),
  "true ",
  "\0",
  "\ufffe",
  "x".repeat(5_000),
];

/** The fields that the schema rejects, "" for the whole body; empty if it accepts. */
function faultsOf(schema: z.ZodType, value: unknown): string[] {
  try {
    parseShape(structuredClone(value), schema);
    return [];
  } catch (error) {
    return namedIn((error as AppError).data);
  }
}
const namedIn = (body: Body) => issuesOf(body).map(({ path }) => path.split(".")[0] as string);
/** Errors of another shape have what belongs to the code apart. */
const issuesOf = (body: Body) => ((body.details as Body) ?? body).issues as Array<{ path: string }>;

/** A body that passes the checks: the example of its description. */
function validBody({ examples: [example = {}] }: Json): Body {
  const own = { session_id: SESSION_ID, access_key: KEY };
  return Object.fromEntries(Object.entries(example).map(([name, value]) => [name, own[name as "session_id"] ?? value]));
}

const without = (body: Body, field: string): Body =>
  Object.fromEntries(Object.entries(body).filter(([name]) => name !== field));

/** Of whoever may do everything there. */
const tokenFor = ({ access }: RouteDescription) =>
  access === "operator" ? ADMIN_TOKEN : access === "player" ? serviceToken() : undefined;

async function ask(
  route: RouteDescription,
  body?: unknown,
  more: { query?: Body; headers?: Body } = {},
): Promise<Reply> {
  const query = new URLSearchParams(more.query as Record<string, string>);
  const init = body === undefined ? {} : postInit(body);
  const headers = { ...init.headers, ...more.headers } as Record<string, string>;
  const token = tokenFor(route);
  if (token !== undefined) headers.Authorization = `Bearer ${token}`;
  const url = `http://test${addressOf(route, { id })}${more.query ? `?${query}` : ""}`;
  const method = route.method.toUpperCase();
  return readReply(await app.fetch(new Request(url, { ...init, method, headers })));
}

/** All rows of all tables, but of those that the service writes by itself. */
async function state(): Promise<string> {
  const tables = await db.sql`
    SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace
      AND relname NOT IN ('service_state', 'service_state_stand_ins', 'refusal_counts', 'live_peaks', 'limit_counts', 'game_performance')`;
  expect(tables.length).toBeGreaterThan(8);
  const rows = tables.map(({ relname }) => `SELECT '${relname} ' || t::text AS line FROM ${relname} t`);
  const [all] = await db.sql.unsafe(
    `SELECT md5(string_agg(line, ',' ORDER BY line)) AS digest FROM (${rows.join(" UNION ALL ")})`,
  );
  return all?.digest;
}

async function expectRefused(route: RouteDescription, faults: string[], sent: unknown, reply: Reply) {
  const { status, body, headers } = reply;
  expect({ route: nameOf(route), sent, status, code: codeOf(body) }).toEqual({
    route: nameOf(route),
    sent,
    status: 400,
    code: "invalid_request",
  });
  expect(namedIn(body)).toEqual(expect.arrayContaining(faults));
  expect(sentenceOf(body)).toBeTypeOf("string");
  expect(body.request_id).toBe(headers.get("x-request-id"));
}

const READING_JSON = ROUTES.flatMap((route) => {
  const json = jsonOf(route);
  return json ? [{ name: nameOf(route), route, json, optional: route.body?.required === false }] : [];
});

it("no row above is of a route or field that is not described", () => {
  for (const [name, fields] of Object.entries(WRONG)) {
    const json = READING_JSON.find((one) => one.name === name)?.json as Json;
    expect(fieldsOf(json.schema).map(([field]) => field)).toEqual(expect.arrayContaining(Object.keys(fields)));
  }
});

describe.each(READING_JSON)("$name", ({ name, route, json, optional }) => {
  const { schema } = json;
  const valid = validBody(json);

  it("takes its valid body past the checks, with unknown fields in it", async () => {
    const { status } = await ask(route, { ...valid, unknown: { deeply: ["ignored"] }, __proto__: { a: 1 } });
    expect([400, 413, 415]).not.toContain(status);
    expect(status).toBeLessThan(500);
  });

  it("refuses missing and wrong fields with 400, names them, and changes nothing", async () => {
    const before = await state();
    for (const [field, own] of fieldsOf(schema)) {
      const bodies = HOSTILE.map((value): Body => ({ ...valid, [field]: value }));
      bodies.push(without(valid, field));
      const refused = bodies.filter((body) => faultsOf(schema, body).length > 0);
      expect([field, refused.length > 0]).toEqual([field, true]);
      for (const body of refused) await expectRefused(route, faultsOf(schema, body), body, await ask(route, body));
      if (faultsOf(own, undefined).length > 0) expect(faultsOf(schema, without(valid, field))).toEqual([field]);
      for (const value of WRONG[name]?.[field] ?? []) {
        const body = { ...valid, [field]: value };
        await expectRefused(route, [field], body, await ask(route, body));
      }
    }
    for (const body of ["text", 1, [], true, ...(optional ? [] : [null])]) {
      await expectRefused(route, [""], body, await ask(route, JSON.stringify(body)));
    }
    expect(await state()).toBe(before);
  });

  it("refuses broken JSON with 400", async () => {
    for (const text of ["{", '{"a":}', "\0", "{'a':1}", '{"a":1}x', "[".repeat(8000), ...(optional ? [] : [""])]) {
      const { status, body } = await ask(route, text);
      expect([text.slice(0, 9), status, codeOf(body), issuesOf(body).length]).toEqual([
        text.slice(0, 9),
        400,
        "invalid_request",
        1,
      ]);
    }
  });

  it("takes 16 KiB, or as said, and refuses a byte more with 413, also in chunks without a length", async () => {
    const { bytesMax = 16_384 } = route.body ?? {};
    const padded = (bytes: number) => {
      const bare = JSON.stringify({ ...valid, pad: "" });
      return JSON.stringify({ ...valid, pad: "x".repeat(bytes - Buffer.byteLength(bare)) });
    };
    expect((await ask(route, padded(bytesMax))).status).not.toBe(413);
    const over = padded(bytesMax + 1);
    const declared = await ask(route, over, { headers: { "Content-Length": String(Buffer.byteLength(over)) } });
    expect([declared.status, codeOf(declared.body)]).toEqual([413, "payload_too_large"]);
    const chunked = await app.fetch(
      new Request(`http://test${addressOf(route, { id })}`, {
        method: route.method.toUpperCase(),
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${tokenFor(route) ?? ADMIN_TOKEN}` },
        body: new Blob([over]).stream(),
        duplex: "half",
      } as RequestInit),
    );
    expect(chunked.status).toBe(413);
  });
});

const TYPES = [
  "text/plain",
  "text/csv",
  "application/x-www-form-urlencoded",
  "application/jsonp",
  "multipart/form-data",
  "",
];

describe.each(ROUTES.filter(({ body }) => body).map((route) => ({ name: nameOf(route), route })))(
  "$name",
  ({ route }) => {
    it("refuses any other content type than its own with 415", async () => {
      const own = route.body?.content.map(({ type = "application/json" }) => type) ?? [];
      for (const type of [...TYPES, "application/json"].filter((one) => !own.includes(one))) {
        const { status, body } = await ask(route, "{}", { headers: { "Content-Type": type } });
        expect([type, status, codeOf(body)]).toEqual([type, 415, "unsupported_media_type"]);
      }
      for (const type of own.flatMap((one) => [`${one}; charset=utf-8`, one.toUpperCase(), `${one} ;x=y`])) {
        expect([type, (await ask(route, "{}", { headers: { "Content-Type": type } })).status]).not.toEqual([type, 415]);
      }
    });
  },
);

const QUERIED = ROUTES.filter(({ parameters }) => parameters?.some((one) => one.in === "query"));

describe.each(QUERIED.map((route) => ({ name: nameOf(route), route })))("$name", ({ route }) => {
  it("refuses wrong values of its query with 400, names them, and changes nothing", async () => {
    const before = await state();
    for (const { name: field, schema } of route.parameters?.filter((one) => one.in === "query") ?? []) {
      const values = HOSTILE_TEXTS.filter((value) => faultsOf(schema, value).length > 0);
      expect([field, values.length > 0]).toEqual([field, true]);
      for (const value of values)
        await expectRefused(route, [field], value, await ask(route, undefined, { query: { [field]: value } }));
    }
    expect(await state()).toBe(before);
  });
});

/** A page's files each have their own address. */
const ADDRESSES = [...new Set(ROUTES.map(({ path }) => path))].filter((path) => !path.endsWith("/{file}"));

it.each(ADDRESSES)("%s answers other methods with 405 and what it allows", async (path) => {
  const here = ROUTES.filter((route) => route.path === path) as [RouteDescription, ...RouteDescription[]];
  const allowed = here.flatMap(({ method }) => (method === "get" ? ["GET", "HEAD"] : [method.toUpperCase()]));
  for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"].filter((one) => !allowed.includes(one))) {
    const headers = { Authorization: `Bearer ${ADMIN_TOKEN}` };
    const reply = await app.fetch(new Request(`http://test${addressOf(here[0], { id })}`, { method, headers }));
    expect([method, reply.status, reply.headers.get("allow")?.split(", ").sort()]).toEqual([
      method,
      405,
      allowed.sort(),
    ]);
    expect(codeOf(await reply.json())).toBe("method_not_allowed");
  }
});
