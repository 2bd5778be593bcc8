import type { Context } from "hono";
import type { z } from "zod";
import { AppError } from "../errors.ts";
import { idempotencyKey } from "../sessions/contract.ts";

/** The caller's own name for the request; undefined: it has none. Throws invalid_request. */
export function readIdempotencyKey(c: Context): string | undefined {
  const sent = c.req.header("idempotency-key");
  if (sent === undefined) return undefined;
  const key = idempotencyKey.safeParse(sent);
  if (key.success) return key.data;
  throw refuseHeader("Idempotency-Key", key.error);
}

export function refuseHeader(name: string, { issues }: z.ZodError): AppError {
  const message = issues[0]?.message as string;
  return new AppError("invalid_request", `Invalid request: ${name}: ${message}`, { issues: [{ path: name, message }] });
}
