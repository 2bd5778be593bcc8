/**
 * Assembles the OpenAPI document from the modules' parts: 3.1, and 3.0.3 for tools that know no other. It only
 * describes; no request is checked against it.
 */
import type { z } from "zod";
import type { ErrorCode } from "../../errors.ts";
import { HEADERS } from "./headers.ts";
import { codesOf, describeOperation, errorName, errorSchema, type Writer } from "./operation.ts";
import type { ErrorDescription, Part } from "./part.ts";
import { createSchemas, type Json, type Version } from "./schemas.ts";

export interface DocumentSource {
  parts: Part[];
  errors: Record<ErrorCode, ErrorDescription>;
  info: Json;
  version: Version;
}

export function createDocument({ parts, errors, info, version }: DocumentSource): Json {
  const named = Object.assign({}, ...parts.map((part) => part.schemas)) as Record<string, z.ZodType>;
  for (const route of parts.flatMap((part) => part.routes)) {
    for (const code of codesOf(route)) named[errorName(code, route)] ??= errorSchema(code, errors, route);
  }
  const schemas = createSchemas(named, version);
  const write: Writer = { schemas, errors, shared: {} };

  const paths: Record<string, Json> = {};
  for (const part of parts) {
    for (const route of part.routes) {
      paths[route.path] = { ...paths[route.path], [route.method]: describeOperation(route, part, write) };
    }
  }
  const components = {
    securitySchemes: Object.assign(
      {},
      ...parts.flatMap(({ access = {} }) => Object.values(access).map(({ schemes }) => schemes)),
    ),
    headers: HEADERS,
    responses: write.shared,
    schemas: schemas.components,
  };
  const tags = parts.map((part) => part.tag);
  const head = { openapi: version === "3.1" ? "3.1.1" : "3.0.3", info, servers: SERVERS, tags };
  return { ...head, paths, components: dropUnused(components, paths) };
}

const SERVERS = [{ url: "/", description: "The service that gives this document." }];

/** 3.0.3 may repeat a schema in place of a reference, and not every header is in use. */
function dropUnused(components: Json & { headers: Json; schemas: Json }, paths: Json): Json {
  const text = JSON.stringify({ ...components, paths });
  const keepUsed = (kind: "headers" | "schemas") =>
    Object.fromEntries(
      Object.entries(components[kind]).filter(([name]) => text.includes(`"#/components/${kind}/${name}"`)),
    );
  return { ...components, headers: keepUsed("headers"), schemas: keepUsed("schemas") };
}
