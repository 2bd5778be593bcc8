/** GET /api/admin/numbers in the OpenAPI document. */
import { z } from "zod";
import { queryOf, type RouteDescription } from "../../http/openapi/part.ts";
import { answerOk } from "../description-shared.ts";
import { numbersQuery, numbersReply } from "./contract.ts";
import { KEY, LAPTOP, OFFICE_PC } from "./description-examples.ts";

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
      copies: 0,
      live_peak: 830,
    },
  ],
  takeovers_between_devices: [{ ...KEY, takeovers: 14, devices: 3 }],
  newest_takeovers: [{ ...KEY, at: "2026-03-02T09:15:31.007Z", from_device: LAPTOP, to_device: OFFICE_PC }],
  unclean_share: 0.04,
  limits: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((limit) => ({ limit, keys_served: 900 + limit })),
};

export const numbersDescription: RouteDescription = {
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
  answers: answerOk("Hours in UTC, oldest first.", numbersReply, { numbers }),
};
