/** Errors as clients of the published API know them: `{error, message, code, details, request_id}`. */
import { z } from "zod";
import type { DescribedErrorShape } from "../../../http/openapi/part.ts";

export const parallelErrors: DescribedErrorShape = {
  prefix: "/api/v1/parallel/",
  name: "Parallel",
  write({ error, code, request_id, ...details }) {
    return { error, message: error, code, details, request_id };
  },
  schema: (code, data) =>
    z.object({
      error: z.string().meta({ description: "A sentence for a person." }),
      message: z.string().meta({ description: "The same sentence." }),
      code: z.literal(code),
      details: data ?? z.object({}),
      request_id: z.string(),
    }),
};
