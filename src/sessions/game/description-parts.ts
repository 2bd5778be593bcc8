/** What the descriptions of game routes have in common. */
import { z } from "zod";
import type { ErrorCode } from "../../errors.ts";
import type { ParameterDescription, RouteDescription } from "../../http/openapi/part.ts";
import { idempotencyKey } from "../contract.ts";
import * as example from "./description-examples.ts";
import { gameErrorShape } from "./errors.ts";

export const SESSION: ParameterDescription = {
  name: "session_id",
  in: "path",
  description: "The session's id.",
  schema: z.guid(),
  example: example.active.session_id,
};
export const IDEMPOTENCY_KEY: ParameterDescription = {
  name: "Idempotency-Key",
  in: "header",
  description:
    "The caller's own name for this request. Within 24 hours the same request gets the same answer, and makes nothing more.",
  schema: idempotencyKey,
};
/** Where a token says who asks; without a way to check one there are no routes. */
export const TOKEN: ErrorCode[] = ["unauthorized", "not_found"];
export const OF_SESSION: ErrorCode[] = [...TOKEN, "session_not_found"];

export const route = (
  method: RouteDescription["method"],
  path: string,
  described: Omit<RouteDescription, "method" | "path" | "access" | "errorShape">,
  access = "player",
): RouteDescription => ({
  method,
  path: `/api/v1/game${path}`,
  access,
  ...described,
  errorShape: gameErrorShape,
});
