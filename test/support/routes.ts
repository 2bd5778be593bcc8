/** Every route as it is described, for tests that ask all of them: none is left out that test/http/openapi finds mounted. */
import type { z } from "zod";
import type { RouteDescription } from "../../src/http/openapi/part.ts";
import { PARTS } from "../../src/openapi.ts";

export const ROUTES: RouteDescription[] = PARTS.flatMap((part) => part.routes);

export const nameOf = ({ method, path }: { method: string; path: string }) => `${method.toUpperCase()} ${path}`;

/** As an address; what varies in it is as given, or else as in the example. */
export function addressOf({ path, parameters = [] }: RouteDescription, given: Record<string, unknown> = {}): string {
  const exampleOf = (name: string) => parameters.find((parameter) => parameter.name === name)?.example;
  return path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(String(given[name] ?? exampleOf(name) ?? 1)));
}

/** The JSON that it reads; undefined for a route that reads none. */
export function jsonOf(route: RouteDescription) {
  const json = route.body?.content.find(({ type = "application/json" }) => type === "application/json");
  return json && { schema: json.schema, examples: Object.values(json.examples) as Array<Record<string, unknown>> };
}

/** The fields of a schema that is an object. */
export const fieldsOf = (schema: z.ZodType) =>
  Object.entries((schema as z.ZodObject).shape) as Array<[string, z.ZodType]>;
