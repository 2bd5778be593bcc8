import { z } from "zod";
import type { ParameterDescription } from "./part.ts";

/** Of a stream with replay (see http/event-replay.ts). */
export const LAST_EVENT_ID: ParameterDescription = {
  name: "Last-Event-ID",
  in: "header",
  description:
    "The id of the last event that the reader has: what was missed comes first, `0` brings all. One that is not kept any more, or never was, brings `reset`.",
  schema: z.string(),
};
