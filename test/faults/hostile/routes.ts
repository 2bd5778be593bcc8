/** Every route of the application, as whoever attacks it must know it: from its description, so that none is left out. */
import type { z } from "zod";
import { PARTS } from "../../../src/openapi.ts";

export interface Route {
  method: string;
  /** `{name}` for a part that varies. */
  path: string;
  /** Whose token it wants, if any. */
  wants: "session" | "operator" | undefined;
  /** The JSON that it reads; without one it reads none. */
  request: z.ZodType | undefined;
  query: Array<{ name: string; schema: z.ZodType }>;
}

export const ROUTES: Route[] = PARTS.flatMap((part) => part.routes).map((route) => {
  const json = route.body?.content.find(({ type = "application/json" }) => type === "application/json");
  return {
    method: route.method.toUpperCase(),
    path: route.path,
    request: json?.schema,
    wants: route.access === "session" || route.access === "operator" ? route.access : undefined,
    query: (route.parameters ?? []).filter((parameter) => parameter.in === "query"),
  };
});
