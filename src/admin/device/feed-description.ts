/** What happens and how it adds up, in the OpenAPI document: /api/admin/events and /api/admin/numbers. */
import { z } from "zod";
import { type Part, queryOf } from "../../http/openapi/part.ts";
import { numbersQuery, numbersReply } from "../contract.ts";
import { emptyEvent, endedEvent, leftOutEvent, numbersEvent, startedEvent, takeoverEvent } from "./event-contract.ts";

const KEY = { key_id: 41, access_key: "kb_7Jx2m…", label: "ACME, order 1187" };
const LAPTOP = { name: "Laptop", platform: "macos" };
const OFFICE_PC = { name: "Office PC", platform: "windows" };

const numbers = {
  live: 812,
  peak: { live: 1024, at: "2026-03-02T08:30:15.000Z" },
  hours: [
    {
      hour: "2026-03-02T09:00:00.000Z",
      starts: 120,
      takeovers: 7,
      refusals: 3,
      expiries: 4,
      ends: 96,
      revocations: 1,
      live_peak: 830,
    },
  ],
  takeovers_between_devices: [{ ...KEY, takeovers: 14, devices: 3 }],
  newest_takeovers: [{ ...KEY, at: "2026-03-02T09:15:31.007Z", from_device: LAPTOP, to_device: OFFICE_PC }],
  unclean_share: 0.04,
  limits: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((limit) => ({ limit, keys_served: 900 + limit })),
};

const event = (name: string, data: object) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const at = "2026-03-02T09:15:31.007Z";
const stream = [
  event("numbers", { live: 812, at }),
  event("takeover", { ...KEY, at, from_device: LAPTOP, to_device: OFFICE_PC }),
  event("ended", { ...KEY, at, reason: "expired", device: OFFICE_PC }),
  event("left_out", { count: 3 }),
].join("");

export const feedDescription: Pick<Part, "schemas" | "routes"> = {
  schemas: { Numbers: numbersReply },
  routes: [
    {
      method: "get",
      path: "/api/admin/numbers",
      operationId: "readNumbers",
      access: "operator",
      summary: "How much happens, hour by hour, and which keys look shared",
      parameters: queryOf(numbersQuery, {
        hours: {
          description: "How many hours back, the present one included.",
          schema: z.int().min(1).max(744).default(24),
        },
      }),
      answers: [
        {
          status: 200,
          description: "Hours in UTC, oldest first.",
          content: [{ schema: numbersReply, examples: { numbers } }],
          headers: ["Cache-Control"],
        },
      ],
    },
    {
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
    },
  ],
};
