/** GET /api/admin/events in the OpenAPI document. */
import { z } from "zod";
import type { RouteDescription } from "../../http/openapi/part.ts";
import { emptyEvent, endedEvent, leftOutEvent, numbersEvent, startedEvent, takeoverEvent } from "./contract.ts";
import { KEY, LAPTOP, OFFICE_PC } from "./description-examples.ts";

const event = (name: string, data: object) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const at = "2026-03-02T09:15:31.007Z";
const stream = [
  event("numbers", { live: 812, at }),
  event("takeover", { ...KEY, at, from_device: LAPTOP, to_device: OFFICE_PC }),
  event("ended", { ...KEY, at, reason: "expired", device: OFFICE_PC }),
  event("left_out", { count: 3 }),
].join("");

export const eventDescription: RouteDescription = {
  method: "get",
  path: "/api/admin/events",
  operationId: "watchAll",
  access: "operator",
  summary: "Be told what happens, live",
  description:
    "Server-sent events for the page: at most 20 of what happened a second, takeovers first, and how many were left out. After 15 minutes comes `again` and the stream ends; a browser comes back by itself. A process takes 20 of these at once, one more is 503.",
  answers: [
    {
      status: 200,
      description: "The stream. `x-events` names the schema of each event's data.",
      content: [
        {
          type: "text/event-stream",
          schema: z.string().meta({ description: "Server-sent events; the data of each is one line of JSON." }),
          examples: { stream },
        },
      ],
      events: {
        numbers: numbersEvent,
        started: startedEvent,
        ended: endedEvent,
        takeover: takeoverEvent,
        left_out: leftOutEvent,
        unavailable: emptyEvent,
        again: emptyEvent,
      },
      headers: ["Cache-Control"],
    },
  ],
};
