/** What the lists and answers of the operator's side have in common. */
import { z } from "zod";
import type { AnswerDescription } from "../http/openapi/part.ts";

export const aboutPage = {
  limit: {
    description: "How many at most.",
    schema: z.int().min(1).max(500).default(50),
  },
  cursor: {
    description:
      "`next_cursor` of the page before. Rows that come, go or change in the meantime neither repeat nor hide others.",
  },
};

export const answerOk = (
  description: string,
  schema: z.ZodType,
  examples: Record<string, unknown>,
): AnswerDescription[] => [{ status: 200, description, content: [{ schema, examples }], headers: ["Cache-Control"] }];
