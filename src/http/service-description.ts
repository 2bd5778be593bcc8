/** The part of the service itself in the OpenAPI document, and the errors that any route can answer. */
import { z } from "zod";
import { IF_NONE_MATCH, NOT_CHANGED, textContent } from "./assets-description.ts";
import { healthReply, healthUnavailable, invalidRequest, liveReply } from "./contract.ts";
import type { Errors, Part, RouteDescription } from "./openapi/part.ts";

export const serviceErrors = {
  invalid_request: {
    when: "the body is no JSON or has a wrong shape (`issues` says where), or this is no valid HTTP. Nothing has happened.",
    message: "Invalid request: session_id: must be 16 to 128 characters of A-Z a-z 0-9 _ -",
    data: {
      schema: invalidRequest,
      example: { issues: [{ path: "session_id", message: "must be 16 to 128 characters of A-Z a-z 0-9 _ -" }] },
    },
  },
  unauthorized: {
    when: "the token is missing or wrong.",
    message: "The admin token is missing or wrong",
  },
  forbidden: {
    when: "the token's `sub` is another user; or the service is called by a name that is not in `ALLOWED_HOSTS`.",
    message: "This token belongs to another user",
  },
  not_found: {
    when: "there is nothing at this address; under `/api/admin` also where no admin token is configured.",
    message: "There is nothing at this address",
  },
  method_not_allowed: {
    when: "the address takes other methods; `Allow` lists them.",
    message: "This address takes POST",
  },
  request_timeout: {
    when: "the request did not arrive whole within 10 seconds. The connection is closed.",
    message: "The request did not arrive in time",
  },
  payload_too_large: {
    when: "the body is over the limit, 16 KiB unless the route says otherwise.",
    message: "The body may have at most 16384 bytes",
  },
  unsupported_media_type: {
    when: "the content type is another than those listed.",
    message: "Please send JSON, with Content-Type: application/json",
  },
  rate_limited: {
    when: "too many wrong tokens, unknown keys or new places came from this address within a minute, or the key is started again and again. Nothing has happened: `Retry-After` says when to ask again.",
    message: "This access key is being started again and again, please try again in a moment",
  },
  headers_too_large: { when: "the headers are over 16 KiB together.", message: "The headers are too large" },
  internal_error: {
    when: "a fault of ours; the log has its cause under this request id.",
    message: "Something went wrong on our side",
  },
  unavailable: {
    when: "the database is away, the service is overloaded or restarting. Whether anything happened is unknown: ask again, it is safe.",
    message: "The service is temporarily unavailable, please try again",
  },
} satisfies Errors;

const document = z.looseObject({ openapi: z.string() });

function documentRoute(path: string, operationId: string, version: string): RouteDescription {
  return {
    method: "get",
    path,
    operationId,
    access: "anybody",
    summary: `This document, as OpenAPI ${version}`,
    parameters: [IF_NONE_MATCH],
    answers: [
      {
        status: 200,
        description: "The document.",
        content: [{ schema: document, examples: { document: { openapi: version } } }],
        headers: ["ETag", "Cache-Control"],
      },
      NOT_CHANGED,
    ],
  };
}

export const servicePart: Part = {
  tag: { name: "Service", description: "Is it up, and what does it offer?" },
  schemas: { Health: healthReply, HealthUnavailable: healthUnavailable, Live: liveReply },
  routes: [
    {
      method: "get",
      path: "/health",
      operationId: "readHealth",
      access: "anybody",
      summary: "Whether the service can answer: asks the database",
      answers: [
        {
          status: 200,
          description: "It can.",
          content: [{ schema: healthReply, examples: { ok: { status: "ok", database: "ok", version: "0.1.0" } } }],
          headers: ["Cache-Control"],
        },
        {
          status: 503,
          description:
            "The database does not answer, or the process is about to stop (`draining`): for a moment it answers all the same, " +
            "each connection for the last time.",
          content: [
            {
              schema: healthUnavailable,
              examples: {
                down: { status: "unavailable", database: "unavailable", version: "0.1.0" },
                draining: { status: "draining", database: "ok", version: "0.1.0" },
              },
            },
          ],
        },
      ],
    },
    {
      method: "get",
      path: "/health/live",
      operationId: "readLiveness",
      access: "anybody",
      summary: "Whether the process runs: asks nobody",
      answers: [
        { status: 200, description: "It does.", content: [{ schema: liveReply, examples: { ok: { status: "ok" } } }] },
      ],
    },
    {
      method: "get",
      path: "/metrics",
      operationId: "readMetrics",
      access: "anybody",
      summary: "Metrics of the whole service, for Prometheus",
      answers: [
        {
          status: 200,
          description: "Prometheus' text format, all workers added up.",
          content: [textContent("text/plain", "# TYPE keybeat_live_sessions gauge\nkeybeat_live_sessions 812\n")],
          headers: ["Cache-Control"],
        },
      ],
    },
    documentRoute("/openapi.json", "readOpenApi", "3.1.1"),
    documentRoute("/openapi-3.0.json", "readOpenApi30", "3.0.3"),
    {
      method: "get",
      path: "/docs",
      operationId: "readDocs",
      access: "anybody",
      summary: "A page to read this document and try it",
      description: "Loads nothing from any other host.",
      parameters: [IF_NONE_MATCH],
      answers: [
        {
          status: 200,
          description: "The page.",
          content: [textContent("text/html", "<!doctype html>")],
          headers: ["ETag", "Cache-Control", "Content-Security-Policy"],
        },
        NOT_CHANGED,
      ],
    },
    {
      method: "get",
      path: "/docs/{file}",
      operationId: "readDocsFile",
      access: "anybody",
      summary: "What that page is made of",
      parameters: [
        {
          name: "file",
          in: "path",
          description: "The file's name.",
          example: "start.js",
          schema: z.enum(["start.js", "page.css", "favicon-32x32.png", "swagger-ui-bundle.js", "swagger-ui.css"]),
        },
        IF_NONE_MATCH,
      ],
      answers: [
        {
          status: 200,
          description: "The file.",
          content: [
            textContent("text/javascript", "SwaggerUIBundle({ url: '/openapi.json' })"),
            textContent("text/css", "body { margin: 0 }"),
            { type: "image/png", schema: z.string().meta({ format: "binary" }), examples: { icon: "…" } },
          ],
          headers: ["ETag", "Cache-Control"],
        },
        NOT_CHANGED,
      ],
      errors: ["not_found"],
    },
  ],
};
