/** Errors as the published API of games has them: `{code, message, details, request_id}`, the code being the status. */
import { z } from "zod";
import { type ErrorCode, STATUS } from "../../errors.ts";
import type { DescribedErrorShape } from "../../http/openapi/part.ts";
import { cutText } from "../../text.ts";
import { gameEnding } from "./contract.ts";

const MESSAGE_LENGTH_MAX = 1_000;

const statuses = { not_active: 409 } as const;

const statusOf = (code: ErrorCode) => ({ ...STATUS, ...statuses })[code];

export const gameErrorShape: DescribedErrorShape = {
  prefix: "/api/v1/game/",
  name: "Game",
  codeIsNested: true,
  statuses,
  errors: {
    forbidden: {
      when: "the call is in the name of another player, or a change by somebody else than who made the session; or the service is called by a name that is not in `ALLOWED_HOSTS`.",
      message: "This token belongs to another player",
    },
    not_found: {
      when: "there is nothing at this address; under `/api/v1/game` also where neither `JWT_SECRET` nor `JWKS_URL` is set.",
      message: "There is nothing at this address",
    },
    session_not_found: {
      when: "there is no such session, or it is another player's.",
      message: "There is no such session",
    },
    rate_limited: {
      when: "a gateway in front has had too many calls; this service counts none.",
      message: "Too many calls, please wait",
    },
    session_over: {
      when: "the session has ended, by whatever; an ending is final.",
      message: "The session is over: completed",
      data: {
        schema: gameEnding,
        example: { status: "completed", ended_reason: "decided", ended_at: "2026-03-02T09:20:31.007Z" },
      },
    },
    not_active: {
      when: "the player takes part, but is eliminated or disconnected.",
      message: "The player is eliminated",
    },
  },
  write({ error, code, request_id, ...data }, status) {
    return { code: status, message: cutText(error, MESSAGE_LENGTH_MAX), details: { code, ...data }, request_id };
  },
  schema: (code, data) =>
    z.object({
      code: z.int().min(statusOf(code)).max(statusOf(code)).meta({ description: "The HTTP status." }),
      message: z.string().max(MESSAGE_LENGTH_MAX).meta({ description: "A sentence for a person." }),
      details: z.object({ code: z.literal(code), ...data?.shape }),
      request_id: z.string(),
    }),
};
