/** The one mapping from an error to an answer: code -> status, and no internals for errors of ours. */
import type { ErrorHandler } from "hono";
import { AppError, type ErrorCode, STATUS } from "../errors.ts";
import type { Logger } from "../log.ts";
import { type Answer, type ErrorBody, errorBody } from "./answer.ts";
import { writtenPath } from "./as-written.ts";
import type { HttpEnv } from "./request-id.ts";

interface ErrorAnswer extends Answer {
  status: (typeof STATUS)[ErrorCode];
  body: ErrorBody;
}

export function answerError(thrown: unknown, requestId: string, log: Logger): ErrorAnswer {
  const known = thrown instanceof AppError;
  const error = known ? thrown : new AppError("internal_error", "Something went wrong on our side");
  if (!known) log.error({ err: thrown, request_id: requestId }, "unexpected error");
  else if (error.code === "unavailable") log.warn({ err: error.cause, request_id: requestId }, "unavailable");

  const headers: Record<string, string> = { "Cache-Control": "no-store" }; // otherwise caches would keep a 404 to a GET
  const wait = SOON.has(error.code) ? retryAfterSeconds() : error.retryAfterSeconds;
  if (wait !== undefined) headers["Retry-After"] = String(wait);
  // The rest of an unread body must not be taken for the next request.
  if (error.code === "payload_too_large") headers.Connection = "close";
  return { status: STATUS[error.code], requestId, body: errorBody(error, requestId), headers };
}

/** Errors that may well be gone in a moment. */
const SOON: ReadonlySet<ErrorCode> = new Set(["unavailable", "too_many_requests", "queue_full"]);

/** Where clients of another API ask: the same errors, in the shape that they know. */
export interface ErrorShape {
  /** Of the paths. */
  prefix: string;
  /** Of codes that have another one there. */
  statuses?: Partial<Record<ErrorCode, (typeof STATUS)[ErrorCode]>>;
  write(body: ErrorBody, status: number): object;
}

export function errorReply(log: Logger, shapes: ErrorShape[] = []): ErrorHandler<HttpEnv> {
  return (thrown, c) => {
    const { status, body, headers } = answerError(thrown, c.get("requestId"), log);
    const path = writtenPath(c);
    const shape = shapes.find(({ prefix }) => `${path}/`.startsWith(prefix));
    const there = shape?.statuses?.[body.code] ?? status;
    return c.json(shape?.write(body, there) ?? body, there, headers);
  };
}

/** 1 to 3 s, so that callers turned away together do not return together. */
export function retryAfterSeconds(): number {
  return 1 + Math.floor(Math.random() * 3);
}
