/** The same request under the same Idempotency-Key makes one session. */
import { createHash } from "node:crypto";
import { AppError } from "../errors.ts";
import type { Idempotency } from "./contract.ts";

/** `key` undefined: the request has none, and makes a session each time. */
export function identify(key: string | undefined, request: unknown): Idempotency | undefined {
  return key === undefined ? undefined : { key, hash: hashRequest(request) };
}

export const hashRequest = (request: unknown): Buffer => createHash("sha256").update(JSON.stringify(request)).digest();

export const idempotencyConflict = () =>
  new AppError("idempotency_conflict", "This Idempotency-Key belongs to another request");
