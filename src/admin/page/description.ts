/** The operator's page in the OpenAPI document. */
import { z } from "zod";
import { IF_NONE_MATCH, NOT_CHANGED, textContent } from "../../http/assets-description.ts";
import type { RouteDescription } from "../../http/openapi/part.ts";

export const pageRoutes: RouteDescription[] = [
  {
    ...{ method: "get", path: "/admin", operationId: "readAdminPage", access: "anybody" },
    summary: "The operator's page",
    description: "Nothing of it is secret: what it shows comes from the admin API, after signing in.",
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
    errors: ["not_found"],
  },
  {
    ...{ method: "get", path: "/admin/{file}", operationId: "readAdminPageFile", access: "anybody" },
    summary: "What that page is made of",
    parameters: [
      { ...{ name: "file", in: "path", description: "The file's name.", example: "page.css" }, schema: z.string() },
      IF_NONE_MATCH,
    ],
    answers: [
      {
        status: 200,
        description: "The file.",
        content: [
          textContent("text/javascript", "start();"),
          textContent("text/css", "body { margin: 0 }"),
          textContent("image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg"/>'),
        ],
        headers: ["ETag", "Cache-Control"],
      },
      NOT_CHANGED,
      { status: 308, description: "Without a name: the page is at `/admin`.", headers: ["Location"] },
    ],
    errors: ["not_found"],
  },
];
