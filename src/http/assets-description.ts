/** What the routes of files for browsers have in common in the OpenAPI document. */
import { z } from "zod";
import type { AnswerDescription, Content, ParameterDescription } from "./openapi/part.ts";

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
  ...{ type, schema: z.string(), examples: { example } },
});
