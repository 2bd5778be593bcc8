/**
 * How a room describes its routes, beside its contract: a part has the schemas by name, the errors by code and the
 * routes. What every route has in common (broken requests, our own trouble, headers) is added when the document is put
 * together, so that a part says only what is special.
 */
import type { z } from "zod";
import type { ErrorCode } from "../../errors.ts";
import type { ErrorShape } from "../error-reply.ts";

export interface Part {
  tag: { name: string; description: string };
  /** Every schema that has a name in the document. A schema inside another is referred to by its name. */
  schemas: Record<string, z.ZodType>;
  routes: RouteDescription[];
  /** Who may call them, beyond `anybody`, by the word that its routes say. */
  access?: Record<string, AccessDescription>;
}

/** What a kind of session adds to the operator's part. */
export type AdminPart = Pick<Part, "schemas" | "routes">;

/** By which of these security schemes, as the document has them. */
export interface AccessDescription {
  schemes: Record<string, object>;
  /** Whether also by none, as the settings may ask for none. */
  optional?: boolean;
}

export type Errors = Partial<Record<ErrorCode, ErrorDescription>>;

export interface ErrorDescription {
  /** When it comes, as a sentence. */
  when: string;
  /** What `error` says. */
  message: string;
  /** What the body has beyond error, code and request_id; with an example of it. */
  data?: { schema: z.ZodObject; example: Record<string, unknown> };
}

export interface RouteDescription {
  method: "get" | "post" | "patch" | "put" | "delete";
  /** `{name}` for a part that varies, each among the parameters. */
  path: string;
  operationId: string;
  summary: string;
  description?: string;
  /** Who may: `anybody`, the `operator`, or a word of the part's own. */
  access: string;
  parameters?: ParameterDescription[];
  body?: BodyDescription;
  /** What it answers when it goes well, and what else is no error of the usual shape. */
  answers: AnswerDescription[];
  /** Codes of its own, beyond what every route can answer. */
  errors?: ErrorCode[];
  /** Undefined: that of the service. */
  errorShape?: DescribedErrorShape;
}

/** Errors as they look to clients of another API. */
export interface DescribedErrorShape extends ErrorShape {
  /** Before the names of their schemas. */
  name: string;
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
  content: Content[];
}

/** One media type; the examples by their name. */
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
  /** Of server-sent events: what the data of each is, as JSON. */
  events?: Record<string, z.ZodType | ErrorCode>;
  /** Beyond X-Request-Id. */
  headers?: HeaderName[];
}

export type HeaderName =
  | "Allow"
  | "Cache-Control"
  | "Content-Security-Policy"
  | "ETag"
  | "Location"
  | "Retry-After"
  | "Set-Cookie"
  | "WWW-Authenticate";

type QueryDescription = Pick<ParameterDescription, "description" | "example"> & { schema?: z.ZodType };

/** The parameters of a query from its schema: each has to be described, so that none is forgotten. */
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
