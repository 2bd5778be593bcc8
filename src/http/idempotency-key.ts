import type { Context } from "hono";
import { AppError } from "../errors.ts";
import { idempotencyKey } from "../sessions/contract.ts";

/** The caller's own name for the request; undefined: it has none. Throws invalid_request. */
export function readIdempotencyKey(c: Context): string | undefined {
  const sent = c.req.header("idempotency-key");
  if (sent === undefined) return undefined;
  const key = idempotencyKey.safeParse(sent);
  if (key.success) return key.data;
  const message = key.error.issues[0]?.message as string;
  throw new AppError("invalid_request", `Invalid request: Idempotency-Key: ${message}`, {
    issues: [{ path: "Idempotency-Key", message }],
  });
}
