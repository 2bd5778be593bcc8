/** The part of game sessions in the OpenAPI document. */
import { z } from "zod";
import type { Errors, Part } from "../../http/openapi/part.ts";
import { combatPart } from "./combat/description.ts";
import { cooldown } from "./combat-contract.ts";
import { createRequest, GAME_BYTES_MAX, gameSession, healthReply, unhealthyReply } from "./contract.ts";
import * as example from "./description-examples.ts";
import { IDEMPOTENCY_KEY, OF_SESSION, route, SESSION, TOKEN } from "./description-parts.ts";

const version = z.int().min(1).max(2_147_483_647);

/** Those that other kinds have too, and that mean something of their own here, are in errors.ts. */
export const gameErrors = {
  version_conflict: {
    when: "the session has been changed since it had the `version` of the body. Nothing has happened.",
    message: "The session has been changed since",
    data: { schema: z.object({ version }), example: { version: 3 } },
  },
  precondition_failed: {
    when: "the session has been changed since it had the ETag of `If-Match`. Nothing has happened.",
    message: "The session has been changed since",
    data: { schema: z.object({ version }), example: { version: 3 } },
  },
  unknown_target: {
    when: "the target does not take part in the match.",
    message: "The target takes no part in this match",
  },
  not_participant: {
    when: "the player does not take part in the match.",
    message: "The player takes no part in this match",
  },
  action_conflict: {
    when: "another action of the match has this `action_id`.",
    message: "This action_id belongs to another action",
  },
  cooldown: {
    when: "the match has not begun, or the player's last action of this type was too short ago.",
    message: "This action is not ready yet",
    data: { schema: cooldown, example: { ready_in: 0.75 } },
  },
  paused: { when: "the session is paused.", message: "The session is paused" },
  full: {
    when: "the match has not as many places left as would join; then none of them does.",
    message: "The match has no place left",
    data: { schema: z.object({ places_left: z.int().min(0).max(100) }), example: { places_left: 0 } },
  },
  not_open: {
    when: "players do not join and leave this match by themselves.",
    message: "This match is not open",
  },
} satisfies Errors;

export const gamePart: Part = {
  tag: {
    name: "Game sessions",
    description:
      "Matches and other sessions of players: durable, ended by themselves, in one order. A bearer token says in `sub` which player asks; one whose `role`, `roles` or `scope` has `service` may do everything for everybody. Errors have a shape of their own.",
  },
  access: {
    player: {
      schemes: {
        playerToken: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: "Signed with `JWT_SECRET`, or a key of `JWKS_URL`; `sub` is the player, a UUID.",
        },
      },
    },
  },
  schemas: {
    GameSession: gameSession,
    GameCreateRequest: createRequest,
    GameHealth: healthReply,
    GameUnhealthy: unhealthyReply,
    ...combatPart.schemas,
  },
  routes: [
    route(
      "get",
      "/health",
      {
        operationId: "readGameHealth",
        summary: "Whether matches can be played: asks the database",
        answers: [
          {
            status: 200,
            description: "They can; `degraded`: slowly.",
            content: [{ schema: healthReply, examples: { healthy: example.healthy } }],
            headers: ["Cache-Control"],
          },
          {
            status: 503,
            description: "The database does not answer.",
            content: [{ schema: unhealthyReply, examples: { unhealthy: example.unhealthy } }],
          },
        ],
        errors: ["not_found"],
      },
      "anybody",
    ),
    route("post", "/sessions", {
      operationId: "createGameSession",
      summary: "Make a session",
      description:
        "It is active until somebody ends it, or nobody has called for it for `GAME_SILENCE_SECONDS`. A player makes its own, a service anybody's. One of type `combat` has no match: that is made at `/combat/sessions`.",
      parameters: [IDEMPOTENCY_KEY],
      body: { bytesMax: GAME_BYTES_MAX, content: [{ schema: createRequest, examples: { player: example.create } }] },
      answers: [
        {
          status: 201,
          description: "The session.",
          content: [{ schema: gameSession, examples: { active: example.active } }],
          headers: ["ETag", "Cache-Control"],
        },
      ],
      errors: [...TOKEN, "idempotency_conflict"],
    }),
    route("get", "/sessions/{session_id}", {
      operationId: "readGameSession",
      summary: "A session as it is now",
      description:
        "For who made it, who takes part, and a service; an open match for every player. To ask is a call for it.",
      parameters: [SESSION],
      answers: [
        {
          status: 200,
          description: "The session.",
          content: [{ schema: gameSession, examples: { active: example.active, ended: example.ended } }],
          headers: ["ETag", "Cache-Control"],
        },
      ],
      errors: OF_SESSION,
    }),
    ...combatPart.routes,
  ],
};
