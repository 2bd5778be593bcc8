/** What the service says about itself, as zod schemas. */
import { z } from "zod";

/** What 400 invalid_request has beyond the common. */
export const invalidRequest = z.object({
  issues: z.array(z.object({ path: z.string(), message: z.string() })),
});

export const healthReply = z.object({ status: z.literal("ok"), database: z.literal("ok"), version: z.string() });

export const healthUnavailable = z.object({
  status: z.enum(["unavailable", "draining"]),
  database: z.enum(["ok", "unavailable"]),
  version: z.string(),
});

export const liveReply = z.object({ status: z.literal("ok") });
