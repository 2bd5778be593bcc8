/** What the routes of files for browsers have in common in the OpenAPI document. */
import { z } from "zod";
import type { AnswerDescription, Content, ParameterDescription, RouteDescription } from "./openapi/part.ts";

export const IF_NONE_MATCH: ParameterDescription = {
  name: "If-None-Match",
  in: "header",
  description: "The `ETag` of the version that the caller has.",
  schema: z.string(),
};

export const NOT_CHANGED: AnswerDescription = {
  status: 304,
  description: "Not changed since the version in `If-None-Match`.",
  headers: ["ETag"],
};

export const textContent = (type: string, example: string): Content => ({
  type,
  schema: z.string(),
  examples: { example },
});

/** A page and the files that it is made of, which lie below its address. */
export function describePage(page: {
  path: string;
  operationId: string;
  summary: string;
  description: string;
  files: { schema: z.ZodType; example: string; content: Content[]; answers?: AnswerDescription[] };
}): RouteDescription[] {
  const { path, operationId, summary, description, files } = page;
  const file = { name: "file", in: "path", description: "The file's name." } as const;
  return [
    {
      method: "get",
      path,
      operationId,
      access: "anybody",
      summary,
      description,
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
      method: "get",
      path: `${path}/{file}`,
      operationId: `${operationId}File`,
      access: "anybody",
      summary: "What that page is made of",
      parameters: [{ ...file, example: files.example, schema: files.schema }, IF_NONE_MATCH],
      answers: [
        { status: 200, description: "The file.", content: files.content, headers: ["ETag", "Cache-Control"] },
        NOT_CHANGED,
        ...(files.answers ?? []),
      ],
      errors: ["not_found"],
    },
  ];
}
