/** Every route of the application for attacks, from its description, so that none is left out. */
import type { z } from "zod";
import { ROUTES as DESCRIBED, jsonOf } from "../../support/routes.ts";

const ACCESSES = ["session", "operator", "user", "player"] as const;
export type Access = (typeof ACCESSES)[number];

export interface Route {
  method: string;
  /** `{name}` for a part that varies. */
  path: string;
  /** Whose token it wants, if any. */
  wants: Access | undefined;
  /** The JSON that it reads; without one it reads none. */
  request: z.ZodType | undefined;
  query: Array<{ name: string; schema: z.ZodType }>;
}

export const ROUTES: Route[] = DESCRIBED.map((route) => ({
  method: route.method.toUpperCase(),
  path: route.path,
  request: jsonOf(route)?.schema,
  wants: ACCESSES.find((access) => access === route.access),
  query: (route.parameters ?? []).filter((parameter) => parameter.in === "query"),
}));
