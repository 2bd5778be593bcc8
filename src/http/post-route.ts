/**
 * A POST that takes JSON and gives JSON, described once: where, what it takes, what it does. Hono serves it
 * (`servePost`), and the one that is called all the time is answered straight from node:http as well (direct.ts); what
 * it means is the same on both ways.
 */
import type { Context } from "hono";
import type { z } from "zod";
import type { ReadAddress } from "./client-address.ts";
import { readJson } from "./json-body.ts";
import type { HttpEnv } from "./request-id.ts";

export interface PostRoute {
  path: string;
  request: z.ZodType;
  /** Gives the body of the 200, or throws an AppError. `from` reads who asks; nobody does where it is not given. */
  run(input: unknown, from?: () => string | null): Promise<object>;
}

export function postRoute<T extends z.ZodType>(
  path: string,
  request: T,
  run: (input: z.infer<T>, from?: () => string | null) => Promise<object>,
): PostRoute {
  return { path, request, run: run as PostRoute["run"] };
}

export function servePost(route: PostRoute, readAddress: ReadAddress) {
  return async (c: Context<HttpEnv>) => {
    const input = await readJson(c, route.request);
    return c.json(await route.run(input, () => readAddress(c)));
  };
}
