/** One way from an error to an answer: code -> status, and nothing about the inside for what is ours. */
import type { ErrorHandler } from "hono";
import { AppError, type ErrorCode, STATUS } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { HttpEnv } from "./request-id.ts";

export interface ErrorAnswer {
  status: (typeof STATUS)[ErrorCode];
  body: { error: string; code: ErrorCode; request_id: string };
  headers: Record<string, string>;
}

export function answerError(thrown: unknown, request_id: string, log: Logger): ErrorAnswer {
  const known = thrown instanceof AppError;
  const error = known ? thrown : new AppError("internal_error", "Something went wrong on our side");
  if (!known) log.error({ err: thrown, request_id }, "unexpected error");
  else if (error.code === "unavailable") log.warn({ err: error.cause, request_id }, "unavailable");

  const headers: Record<string, string> = { "Cache-Control": "no-store" }; // or a 404 to a GET would be kept
  const wait = SOON.has(error.code) ? retryAfterSeconds() : error.retryAfterSeconds;
  if (wait !== undefined) headers["Retry-After"] = String(wait);
  // What is left of a body that was not read must not be taken for the next request.
  if (error.code === "payload_too_large") headers.Connection = "close";
  const body = { error: error.message, code: error.code, request_id, ...error.data };
  return { status: STATUS[error.code], body, headers };
}

/** What may well go better in a moment. */
const SOON: ReadonlySet<ErrorCode> = new Set(["unavailable", "too_many_requests", "queue_full"]);

export function errorReply(log: Logger): ErrorHandler<HttpEnv> {
  return (thrown, c) => {
    const { status, body, headers } = answerError(thrown, c.get("requestId"), log);
    return c.json(body, status, headers);
  };
}

/** 1 to 3 s, so that those turned away together do not come back together. */
export function retryAfterSeconds(): number {
  return 1 + Math.floor(Math.random() * 3);
}
