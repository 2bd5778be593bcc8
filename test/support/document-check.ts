/**
 * Holds an answer against the OpenAPI document: its status, headers, media type and shape must be described, and it may
 * have no property that is not.
 */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import committed from "../../src/http/openapi/openapi.json" with { type: "json" };
import type { Answer } from "./recorder.ts";

// biome-ignore lint/suspicious/noExplicitAny: the document is JSON of many shapes
type Json = any;

const ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false });
(addFormats as unknown as (to: Ajv2020) => void)(ajv);
const compiled = new Map<string, ValidateFunction>();
let document: Json;
holdAgainst(committed);

/** From now on answers are held against this document; the committed one until then. */
export function holdAgainst(another: Json): void {
  document = another;
  compiled.clear();
  ajv.removeSchema("document");
  ajv.addSchema({ $id: "document", ...(closeObjects(document) as object) });
}

/** What an address or a method that is not described may answer, by status. */
const STRAY: Record<number, string> = {
  400: "InvalidRequestError",
  401: "UnauthorizedError",
  403: "CsrfFailedError",
  404: "NotFoundError",
  405: "MethodNotAllowedError",
  500: "InternalError",
  503: "UnavailableError",
};

/** Before the names of the errors under these addresses. */
const SHAPES = { "/api/v1/parallel/": "Parallel", "/api/v1/game/": "Game" };

/** What is wrong with an answer, in a line each. */
export function checkAnswer(answer: Answer): string[] {
  // As it was written: an address that has to be tidied first is nowhere.
  const path = answer.url.replace(/^https?:\/\/[^/?#]*/i, "").split(/[?#]/)[0] as string;
  if (/^\/admin(\/|$)/.test(path)) return []; // the page's files, no part of the API
  if (answer.method === "OPTIONS" && answer.status === 204) return []; // a preflight, which browsers describe
  const template = findTemplate(path);
  const item = template === undefined ? undefined : (document.paths as Json)[template];
  const operation = item?.[answer.method === "HEAD" ? "get" : answer.method.toLowerCase()];
  const where = `${answer.method} ${template ?? path} ${answer.status}`;
  const faults = operation === undefined ? checkStray(answer, path, template) : checkOperation(answer, operation);
  return faults.map((fault) => `${where}: ${fault}`);
}

function findTemplate(path: string): string | undefined {
  const paths = Object.keys(document.paths);
  if (paths.includes(path)) return path;
  const given = path.split("/");
  return paths.find((template) => {
    const parts = template.split("/");
    return parts.length === given.length && parts.every((part, at) => part.startsWith("{") || part === given[at]);
  });
}

function checkStray(answer: Answer, path: string, template: string | undefined): string[] {
  const item = template === undefined ? undefined : (document.paths as Json)[template];
  const guarded = path.startsWith("/api/admin/");
  const anotherSite = path.startsWith("/api/v1/") && answer.method !== "GET"; // whoever changes something is asked first
  const maybeNone = guarded || template?.includes("{"); // no such file, or no operator's side at all
  const expected = [
    ...(item === undefined ? [400, 404] : [405]),
    500,
    503,
    ...(guarded ? [401] : []),
    ...(anotherSite ? [403] : []),
    ...(maybeNone ? [404] : []),
  ];
  if (!expected.includes(answer.status)) return ["not described in the document"];
  const faults = checkHeaders(answer, ["X-Request-Id", ...headersOfStatus(answer.status)]);
  if (answer.status === 405) faults.push(...checkAllow(answer, item));
  if (answer.method === "HEAD") return faults;
  return [...faults, ...checkJson(answer.body, strayBody(path, STRAY[answer.status] as string))];
}

/** Under an API whose errors have another shape, in that. */
function strayBody(path: string, error: string): string | Json {
  const [, shape = ""] = Object.entries(SHAPES).find(([prefix]) => `${path}/`.startsWith(prefix)) ?? [];
  const { schemas } = document.components;
  if (schemas[`${shape}${error}`]) return `#/components/schemas/${shape}${error}`;
  // No route of it answers so; but for the code, wherever it has it, it is as the others.
  const { properties, ...like } = schemas[`${shape}MethodNotAllowedError`];
  const { details } = properties;
  const anyCode = details.properties.code && { ...details, properties: { ...details.properties, code: {} } };
  return { ...like, properties: { ...properties, code: {}, ...(anyCode && { details: anyCode }) } };
}

const headersOfStatus = (status: number) => (status === 405 ? ["Allow"] : status === 503 ? ["Retry-After"] : []);

function checkAllow(answer: Answer, item: Json): string[] {
  const described = Object.keys(item).flatMap((method) =>
    method === "get" ? ["GET", "HEAD"] : [method.toUpperCase()],
  );
  const allowed = (answer.headers.allow ?? "").split(", ");
  if (allowed.sort().join() === described.sort().join()) return [];
  return [`Allow says ${allowed}, the document ${described}`];
}

function checkOperation(answer: Answer, operation: Json): string[] {
  const response = resolve(operation.responses[answer.status]);
  if (response === undefined) return ["the status is not described"];
  const required = Object.entries(response.headers ?? {}).filter(([, header]) => resolve(header).required);
  const faults = checkHeaders(
    answer,
    required.map(([name]) => name),
  );
  if (answer.method === "HEAD" || response.content === undefined) {
    return answer.body === "" ? faults : [...faults, "a body where none is described"];
  }
  const type = answer.headers["content-type"]?.split(";")[0] ?? "none";
  const content = response.content[type];
  if (content === undefined) return [...faults, `the content type ${type} is not described`];
  if (answer.headers["content-encoding"] !== undefined) return faults; // bytes, the same as without
  if (type === "text/event-stream") return [...faults, ...checkEvents(answer.body, response["x-events"])];
  if (type !== "application/json") return faults;
  return [...faults, ...checkJson(answer.body, pointerTo(content.schema))];
}

/** Some schemas have a name, others only a place: they are added under their own text. */
function pointerTo(schema: Json): string | Json {
  return typeof schema.$ref === "string" ? schema.$ref : schema;
}

function resolve(node: Json): Json {
  if (typeof node?.$ref !== "string") return node;
  return node.$ref
    .slice(2)
    .split("/")
    .reduce((at: Json, part: string) => at[part], document);
}

function checkHeaders(answer: Answer, names: string[]): string[] {
  return names.flatMap((name) => {
    const value = answer.headers[name.toLowerCase()];
    if (value === undefined) return [`${name} is missing`];
    if (name === "Retry-After" && !/^[1-9]\d*$/.test(value)) return [`Retry-After: ${value}`];
    return [];
  });
}

function checkEvents(text: string, events: Json): string[] {
  const blocks = text.split("\n\n").slice(0, -1); // what follows the last empty line was cut off
  return blocks.flatMap((block) => {
    if (block.startsWith(":")) return [];
    const name = /^event: (.*)$/m.exec(block)?.[1] ?? "message";
    const data = /(?:^|\n)data: ([^\n]*)/.exec(block)?.[1] ?? "";
    if (events?.[name] === undefined) return [`the event ${name} is not described`];
    return checkJson(data, pointerTo(events[name])).map((fault) => `event ${name}: ${fault}`);
  });
}

function checkJson(text: string, schema: string | Json): string[] {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return ["the body is no JSON"];
  }
  const validate = compile(narrow(schema, body));
  if (validate(body)) return [];
  return [
    ...new Set(validate.errors?.map(({ instancePath, message, params }) => describe(instancePath, message, params))),
  ];
}

const describe = (path: string, message: string | undefined, params: Json) =>
  `${path || "the body"} ${message}${params.additionalProperty ? `: ${params.additionalProperty}` : ""}`;

/** Of several errors, the one whose code it has: then what is said is about that one. */
function narrow(schema: string | Json, body: unknown): string | Json {
  const code = (body as { code?: unknown } | null)?.code;
  const named = typeof schema !== "string" && typeof code === "string" && schema.discriminator?.mapping?.[code];
  return named || schema;
}

function compile(schema: string | Json): ValidateFunction {
  const key = typeof schema === "string" ? schema : JSON.stringify(schema);
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const { discriminator: _hint, ...inline } = typeof schema === "string" ? { $ref: schema } : closeObjects(schema);
  const validate = ajv.compile(rebase(inline));
  compiled.set(key, validate);
  return validate;
}

/** `#/components/…` means the document, wherever it stands. */
function rebase(node: Json): Json {
  if (Array.isArray(node)) return node.map(rebase);
  if (typeof node !== "object" || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([name, value]) => [
      name,
      name === "$ref" ? `document${value as string}` : rebase(value as Json),
    ]),
  );
}

/** For readers the objects are open; for us what is not described is a fault. */
function closeObjects(node: Json): Json {
  if (Array.isArray(node)) return node.map(closeObjects);
  if (typeof node !== "object" || node === null) return node;
  const closed = Object.fromEntries(Object.entries(node).map(([name, value]) => [name, closeObjects(value)]));
  const open = closed.type === "object" && closed.properties !== undefined && closed.additionalProperties === undefined;
  return open ? { ...closed, additionalProperties: false } : closed;
}
