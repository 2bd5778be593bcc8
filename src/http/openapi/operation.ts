/** One route as an OpenAPI operation: its input, and every status with every code and an example. */
import { z } from "zod";
import { type ErrorCode, STATUS } from "../../errors.ts";
import type {
  AnswerDescription,
  Content,
  ErrorDescription,
  HeaderName,
  ParameterDescription,
  Part,
  RouteDescription,
} from "./part.ts";
import { type Json, refTo, type Schemas } from "./schemas.ts";

export interface Writer {
  schemas: Schemas;
  errors: Record<ErrorCode, ErrorDescription>;
  /** Answers that are the same everywhere, by the name of their only error. */
  shared: Json;
}

/** What any request may encounter. */
const ALWAYS: ErrorCode[] = [
  ...(["invalid_request", "forbidden", "method_not_allowed", "request_timeout", "headers_too_large"] as const),
  ...(["internal_error", "unavailable"] as const),
];
const WITH_BODY: ErrorCode[] = ["payload_too_large", "unsupported_media_type"];
const OPERATOR: ErrorCode[] = ["unauthorized", "not_found", "rate_limited"];

/** A change by a browser with the page's cookie must prove that the page wants it. */
const BY_PAGE: ErrorCode[] = ["csrf_failed"];
/** What a page of another site could do without a token, if it were allowed to. */
const BY_ANOTHER_SITE: ErrorCode[] = ["csrf_failed"];
const isForOwnPages = (route: RouteDescription) => route.method !== "get" && route.path.startsWith("/api/v1/");
/** Whether its answers are signed, where the service has a key and the request a nonce. */
const isSigned = (route: RouteDescription) => route.path.startsWith("/api/session/");
const isByPage = (route: RouteDescription) => route.access === "operator" && route.method !== "get";

const REQUEST_ID = "5b1f0c7e-3a52-4a4e-9c1d-0f6d2f6f8a11";

export function codesOf(route: RouteDescription): ErrorCode[] {
  const body = route.body ? WITH_BODY : [];
  const operator = route.access === "operator" ? [...OPERATOR, ...(isByPage(route) ? BY_PAGE : [])] : [];
  const site = isForOwnPages(route) ? BY_ANOTHER_SITE : [];
  return [...new Set([...ALWAYS, ...body, ...operator, ...site, ...(route.errors ?? [])])];
}

export function describeOperation(route: RouteDescription, part: Part, write: Writer): Json {
  const { operationId, summary, description, body } = route;
  const parameters = [
    REQUEST_ID_PARAMETER,
    ...(isByPage(route) ? [CSRF_PARAMETER] : []),
    ...(isSigned(route) ? [NONCE_PARAMETER, TRUSTS_PARAMETER] : []),
    ...(route.parameters ?? []),
  ];
  return {
    operationId,
    summary,
    ...(description && { description }),
    tags: [part.tag.name],
    security: describeAccess(route, part),
    parameters: parameters.map((parameter) => describeParameter(parameter, write)),
    ...(body && {
      requestBody: {
        ...(body.description && { description: body.description }),
        required: body.required ?? true,
        content: Object.assign({}, ...body.content.map((content) => describeContent([content], write))),
      },
    }),
    responses: responses(route, write),
  };
}

function describeAccess({ access, operationId }: RouteDescription, part: Part): Json[] {
  if (access === "anybody") return [];
  const described = part.access?.[access];
  if (described === undefined)
    throw new Error(`${part.tag.name} does not say who ${access} is, who may ${operationId}`);
  return [...(described.optional ? [{}] : []), ...Object.keys(described.schemes).map((name) => ({ [name]: [] }))];
}

const REQUEST_ID_PARAMETER: ParameterDescription = {
  name: "X-Request-Id",
  in: "header",
  description: "A name for this request, taken over into the answer where it is sane; else one is made.",
  schema: z.string().regex(/^[\w.:=+/@-]{1,128}$/),
};

const CSRF_PARAMETER: ParameterDescription = {
  name: "X-CSRF-Token",
  in: "header",
  description: "Only beside the page's cookie: the `csrf_token` of its sign-in.",
  schema: z.string(),
};

const NONCE_PARAMETER: ParameterDescription = {
  name: "Keybeat-Nonce",
  in: "header",
  description:
    "Random, a fresh one for each request: where the service has a `SIGNING_KEY`, the answer then has a `Keybeat-Signature` over it, the request and the answer. An event of a stream has it in a line `signature`.",
  schema: z.string().regex(/^[A-Za-z0-9_-]{16,128}$/),
};

const TRUSTS_PARAMETER: ParameterDescription = {
  name: "Keybeat-Trusts",
  in: "header",
  description:
    "Beside a nonce: the ids of the public keys that the client trusts, with commas between. The first key of the service that is among them signs; where none is, the answer is unsigned. Without this header the newest signs.",
  schema: z.string(),
};

function describeParameter({ schema, required, ...rest }: ParameterDescription, write: Writer): Json {
  return { ...rest, required: rest.in === "path" || (required ?? false), schema: write.schemas.use(schema) };
}

/** By status: the route's own answers first, then the errors with that status. */
function responses(route: RouteDescription, write: Writer): Json {
  const codes = codesOf(route);
  const { errorShape } = route;
  const statuses = new Set([
    ...route.answers.map((answer) => answer.status),
    ...codes.map((code) => statusOf(code, route)),
  ]);
  const answer = (status: number) => ({
    errorShape,
    signed: isSigned(route),
    own: route.answers.filter((candidate) => candidate.status === status),
    codes: codes.filter((code) => statusOf(code, route) === status),
  });
  const ordered = [...statuses].sort((a, b) => a - b);
  return Object.fromEntries(ordered.map((status) => [String(status), response(status, answer(status), write)]));
}

interface From extends Pick<RouteDescription, "errorShape"> {
  signed: boolean;
  own: AnswerDescription[];
  codes: ErrorCode[];
}

function response(status: number, from: From, write: Writer): Json {
  const { own, codes } = from;
  const [code, ...more] = codes;
  if (code !== undefined && more.length === 0 && own.length === 0) {
    const name = `${from.signed ? "Signed" : ""}${errorName(code, from)}`;
    write.shared[name] ??= describeResponse(status, from, write);
    return { $ref: `#/components/responses/${name}` };
  }
  return describeResponse(status, from, write);
}

function describeResponse(status: number, from: From, write: Writer): Json {
  const { own, codes } = from;
  const events = Object.assign({}, ...own.map((answer) => answer.events ?? {})) as NonNullable<
    AnswerDescription["events"]
  >;
  const contents = [
    ...own.flatMap((answer) => answer.content ?? []),
    ...codes.map((code) => errorContent(code, from, write)),
  ];
  return {
    description: [
      ...own.map((answer) => answer.description),
      ...codes.map((code) => `\`${code}\`: ${describedAs(code, from, write.errors).when}`),
    ].join("\n\n"),
    headers: describeHeaders([
      ...(from.signed ? (["Keybeat-Signature"] as const) : []),
      ...own.flatMap((answer) => answer.headers ?? []),
      ...headersOf(status, codes),
    ]),
    ...(contents.length > 0 && { content: describeContent(contents, write) }),
    ...(Object.keys(events).length > 0 && { "x-events": describeEvents(events, write) }),
  };
}

/** Several schemas of one media type are alternatives, discriminated by code if all are errors. */
function describeContent(contents: Array<Content | ErrorContent>, write: Writer): Json {
  const types = [...new Set(contents.map((content) => content.type ?? "application/json"))];
  return Object.fromEntries(
    types.map((type) => {
      const ofType = contents.filter((content) => (content.type ?? "application/json") === type);
      const examples = Object.assign({}, ...ofType.map((content) => content.examples)) as Json;
      return [type, { schema: oneOf(ofType, write), examples: mapExamples(examples) }];
    }),
  );
}

function oneOf(contents: Array<Content | ErrorContent>, write: Writer): Json {
  const schemas = contents.map((content) =>
    "code" in content ? refTo(errorName(content.code, content)) : write.schemas.use(content.schema),
  );
  if (schemas.length === 1) return schemas[0] as Json;
  const codes = contents.flatMap((content) => ("code" in content && !content.errorShape ? [content.code] : []));
  if (contents.some((content) => "code" in content && content.errorShape?.codeIsNested)) return { anyOf: schemas };
  if (codes.length < contents.length) return { oneOf: schemas };
  const mapping = Object.fromEntries(codes.map((code) => [code, refTo(errorName(code)).$ref]));
  return { oneOf: schemas, discriminator: { propertyName: "code", mapping } };
}

const mapExamples = (examples: Json) =>
  Object.fromEntries(Object.entries(examples).map(([name, value]) => [name, { value }]));

interface ErrorContent extends Pick<RouteDescription, "errorShape"> {
  code: ErrorCode;
  type?: undefined;
  examples: Json;
}

type Shaped = Pick<RouteDescription, "errorShape">;

function errorContent(code: ErrorCode, { errorShape }: Shaped, write: Writer): ErrorContent {
  const { message, data } = describedAs(code, { errorShape }, write.errors);
  const body = { error: message, code, request_id: REQUEST_ID, ...data?.example };
  return { code, errorShape, examples: { [code]: errorShape?.write(body, statusOf(code, { errorShape })) ?? body } };
}

const statusOf = (code: ErrorCode, { errorShape }: Shaped): number => errorShape?.statuses?.[code] ?? STATUS[code];

const describedAs = (code: ErrorCode, { errorShape }: Shaped, errors: Writer["errors"]): ErrorDescription =>
  errorShape?.errors?.[code] ?? errors[code];

export function errorSchema(code: ErrorCode, errors: Writer["errors"], { errorShape }: Shaped = {}): z.ZodType {
  const { data } = describedAs(code, { errorShape }, errors);
  if (errorShape) return errorShape.schema(code, data?.schema);
  return z.object({
    error: z.string().meta({ description: "A sentence for a person." }),
    code: z.literal(code),
    request_id: z.string(),
    ...data?.schema.shape,
  });
}

/** session_replaced -> SessionReplacedError */
export function errorName(code: ErrorCode, { errorShape }: Shaped = {}): string {
  if (errorShape) return `${errorShape.name}${errorName(code)}`;
  const name = code.replace(/(^|_)([a-z])/g, (_, __, letter: string) => letter.toUpperCase());
  return name.endsWith("Error") ? name : `${name}Error`;
}

function describeEvents(events: Record<string, z.ZodType | ErrorCode>, write: Writer): Json {
  return Object.fromEntries(
    Object.entries(events).map(([name, data]) => [
      name,
      typeof data === "string" ? refTo(errorName(data)) : write.schemas.use(data),
    ]),
  );
}

function headersOf(status: number, codes: ErrorCode[]): HeaderName[] {
  return [
    ...(status === 405 ? (["Allow"] as const) : []),
    ...(status === 429 || status === 503 ? (["Retry-After"] as const) : []),
    ...(codes.includes("unauthorized") ? (["WWW-Authenticate"] as const) : []),
  ];
}

function describeHeaders(names: HeaderName[]): Json {
  const all = ["X-Request-Id", ...new Set(names)];
  return Object.fromEntries(all.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
