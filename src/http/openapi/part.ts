/**
 * How a module describes its routes, beside its contract: a part has named schemas, errors by code, and routes. What
 * all routes have in common (broken requests, our own trouble, headers) is added when the document is assembled, so
 * that a part says only what is special.
 */
import type { z } from "zod";
import type { ErrorCode } from "../../errors.ts";
import type { ErrorShape } from "../error-reply.ts";

export interface Part {
  tag: { name: string; description: string };
  /** Schemas with a name in the document; nested ones are referred to by name. */
  schemas: Record<string, z.ZodType>;
  routes: RouteDescription[];
  /** Who may call besides `anybody`, by the word that its routes use. */
  access?: Record<string, AccessDescription>;
}

/** What a kind of session adds to the operators' part. */
export type AdminPart = Pick<Part, "schemas" | "routes">;

/** The security schemes that identify the caller, as named in the document. */
export interface AccessDescription {
  schemes: Record<string, object>;
  /** Whether no scheme is accepted too, because the settings may require none. */
  optional?: boolean;
}

export type Errors = Partial<Record<ErrorCode, ErrorDescription>>;

export interface ErrorDescription {
  /** When it occurs, as a sentence. */
  when: string;
  /** The text of `error`. */
  message: string;
  /** What the body has beyond error, code and request_id, with an example. */
  data?: { schema: z.ZodObject; example: Record<string, unknown> };
}

export interface RouteDescription {
  method: "get" | "post" | "patch" | "put" | "delete";
  /** `{name}` for a variable part, described among the parameters. */
  path: string;
  operationId: string;
  summary: string;
  description?: string;
  /** Who may call: `anybody`, the `operator`, or a word of the part's own. */
  access: string;
  parameters?: ParameterDescription[];
  body?: BodyDescription;
  /** What it answers on success, and anything else that is no error of the usual shape. */
  answers: AnswerDescription[];
  /** Codes of its own, beyond those of every route. */
  errors?: ErrorCode[];
  /** Undefined: that of the service. */
  errorShape?: DescribedErrorShape;
}

/** Errors as they look to clients of another API. */
export interface DescribedErrorShape extends ErrorShape {
  /** Before the names of their schemas. */
  name: string;
  /** Whether the code lies too deep for linters and generators to tell two errors of one status apart by it. */
  codeIsNested?: true;
  /** Of codes that mean something else there, or carry other data. */
  errors?: Errors;
  schema(code: ErrorCode, data: z.ZodObject | undefined): z.ZodType;
}

export interface ParameterDescription {
  name: string;
  in: "path" | "query" | "header";
  description: string;
  required?: boolean;
  schema: z.ZodType;
  example?: unknown;
}

export interface BodyDescription {
  description?: string;
  /** Default true. */
  required?: boolean;
  /** Default 16 KiB. */
  bytesMax?: number;
  content: Content[];
}

/** One media type; examples by name. */
export interface Content {
  /** Default application/json. */
  type?: string;
  schema: z.ZodType;
  examples: Record<string, unknown>;
}

export interface AnswerDescription {
  status: number;
  description: string;
  content?: Content[];
  /** For server-sent events: the JSON data of each event. */
  events?: Record<string, z.ZodType | ErrorCode>;
  /** Beyond X-Request-Id. */
  headers?: HeaderName[];
}

export type HeaderName =
  | "Allow"
  | "Cache-Control"
  | "Content-Security-Policy"
  | "ETag"
  | "Keybeat-Signature"
  | "Location"
  | "Retry-After"
  | "Set-Cookie"
  | "WWW-Authenticate";

type QueryDescription = Pick<ParameterDescription, "description" | "example"> & { schema?: z.ZodType };

/** Query parameters from a schema: each must be described, so that none is forgotten. */
export function queryOf<Query extends z.ZodObject>(
  query: Query,
  about: { [Name in keyof Query["shape"]]: QueryDescription },
): ParameterDescription[] {
  return Object.entries(about).map(([name, described]) => ({
    name,
    in: "query",
    schema: query.shape[name] as z.ZodType,
    ...(described as QueryDescription),
  }));
}
