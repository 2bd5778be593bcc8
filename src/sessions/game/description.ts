/** The part of game sessions in the OpenAPI document. */
import { z } from "zod";
import { analyticsPart } from "../../analytics/description.ts";
import {
  type AnswerDescription,
  type Errors,
  type ParameterDescription,
  type Part,
  queryOf,
} from "../../http/openapi/part.ts";
import { ifMatch } from "../contract.ts";
import { cooldown } from "./combat/contract.ts";
import { combatPart } from "./combat/description.ts";
import {
  createRequest,
  GAME_BYTES_MAX,
  gameSession,
  healthReply,
  listQuery,
  logEntry,
  logsQuery,
  logsReply,
  sessionDetails,
  sessionQuery,
  sessionStats,
  sessionsReply,
  terminateRequest,
  unhealthyReply,
  updateRequest,
} from "./contract.ts";
import * as example from "./description-examples.ts";
import { IDEMPOTENCY_KEY, OF_SESSION, route, SESSION, TOKEN } from "./description-parts.ts";
import { gameErrorShape } from "./errors.ts";

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

const IF_MATCH: ParameterDescription = {
  name: "If-Match",
  in: "header",
  description: "The `ETag` of the session as it was read: one that has been changed since is left as it is.",
  schema: ifMatch,
  example: '"3"',
};
const analytics = analyticsPart(gameErrorShape);

const ACCEPT_ENCODING: ParameterDescription = {
  name: "Accept-Encoding",
  in: "header",
  description: "Taken, and left to a proxy: the answer is too small to be compressed here.",
  schema: z.enum(["gzip", "deflate", "br"]),
};
const theSession = (examples: Record<string, object>, description = "The session."): AnswerDescription[] => [
  { status: 200, description, content: [{ schema: gameSession, examples }], headers: ["ETag", "Cache-Control"] },
];

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
    GameSessionDetails: sessionDetails,
    GameSessionStats: sessionStats,
    GameLogEntry: logEntry,
    GameSessionsPage: sessionsReply,
    GameLogsPage: logsReply,
    GameCreateRequest: createRequest,
    GameUpdateRequest: updateRequest,
    GameTerminateRequest: terminateRequest,
    GameHealth: healthReply,
    GameUnhealthy: unhealthyReply,
    ...analytics.schemas,
    ...combatPart.schemas,
  },
  routes: [
    route(
      "get",
      "/health",
      {
        operationId: "readGameHealth",
        summary: "Whether matches can be played: asks the database",
        parameters: [ACCEPT_ENCODING],
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
        errors: ["not_found", "rate_limited"],
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
    route("get", "/sessions", {
      operationId: "listGameSessions",
      summary: "The sessions, newest first",
      description: "Of a player those that it made and the matches that it takes part in, of a service all.",
      parameters: queryOf(listQuery, {
        type: { description: "Only those." },
        status: { description: "Only those." },
        player_id: { description: "Only those that this player made." },
        limit: { description: "How many at most.", schema: z.int().min(1).max(100).default(20) },
        cursor: { description: "`next_cursor` of the page before." },
      }),
      answers: [
        {
          status: 200,
          description:
            "A page of sessions. `total_count` is that of the whole list; beyond 10,000 it says no more than that there are so many.",
          content: [{ schema: sessionsReply, examples: { page: example.page } }],
          headers: ["Cache-Control"],
        },
      ],
      errors: TOKEN,
    }),
    route("get", "/sessions/{session_id}", {
      operationId: "readGameSession",
      summary: "A session as it is now",
      description:
        "For who made it, who takes part, and a service; an open match for every player. To ask is a call for it.",
      parameters: [
        SESSION,
        ...queryOf(sessionQuery, {
          include_logs: {
            description: "With the newest 100 entries of its log, and `logs_cursor` where there are more.",
            schema: z.boolean().default(false),
          },
          include_stats: { description: "With what has happened in it.", schema: z.boolean().default(false) },
        }),
      ],
      answers: [
        {
          status: 200,
          description: "The session, with what is asked for.",
          content: [
            {
              schema: sessionDetails,
              examples: { active: example.active, ended: example.ended, detailed: example.detailed },
            },
          ],
          headers: ["ETag", "Cache-Control"],
        },
      ],
      errors: OF_SESSION,
    }),
    route("get", "/sessions/{session_id}/logs", {
      operationId: "listGameLogs",
      summary: "The log of a session, page by page, the newest first",
      description: "Every change is one entry; the last 10,000 are kept.",
      parameters: [SESSION, ...queryOf(logsQuery, example.aboutLogs)],
      answers: [
        {
          status: 200,
          description: "A page of entries, in their order.",
          content: [{ schema: logsReply, examples: { page: example.logs } }],
          headers: ["Cache-Control"],
        },
      ],
      errors: OF_SESSION,
    }),
    route("put", "/sessions/{session_id}", {
      operationId: "updateGameSession",
      summary: "Change a session: pause it, go on, end it, replace its metadata or settings",
      description:
        "Replaces each field that is given and leaves the others; only who made it may, and a service. The live status that it has already changes nothing. With `version` or `If-Match` a session that has been changed since is left as it is; without either the last one wins.",
      parameters: [SESSION, IF_MATCH],
      body: {
        bytesMax: GAME_BYTES_MAX,
        content: [
          { schema: updateRequest, examples: { pause: example.pause, complete: { status: "completed", version: 2 } } },
        ],
      },
      answers: theSession({ paused: example.paused }),
      errors: [...OF_SESSION, "session_over", "version_conflict", "precondition_failed"],
    }),
    route("delete", "/sessions/{session_id}", {
      operationId: "terminateGameSession",
      summary: "End a session as terminated",
      description:
        "Only who made it may, and a service. The `reason` is kept in its log; `force` changes nothing, as nothing is left behind either way. One that has ended comes back as it is.",
      parameters: [SESSION, IF_MATCH],
      body: {
        required: false,
        bytesMax: GAME_BYTES_MAX,
        content: [{ schema: terminateRequest, examples: { why: { reason: "the player left" } } }],
      },
      answers: theSession({ ended: { ...example.ended, ended_reason: "requested" } }, "The session, which has ended."),
      errors: [...OF_SESSION, "precondition_failed"],
    }),
    ...analytics.routes,
    ...combatPart.routes,
  ],
};
