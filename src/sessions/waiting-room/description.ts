/** The part of the waiting room in the OpenAPI document. */
import { z } from "zod";
import type { ErrorCode } from "../../errors.ts";
import { IF_NONE_MATCH, NOT_CHANGED, textContent } from "../../http/assets-description.ts";
import type { Errors, ParameterDescription, Part, RouteDescription } from "../../http/openapi/part.ts";
import {
  cleanupReply,
  closeReply,
  createReply,
  createRequest,
  departureEvent,
  graceSeconds,
  permitReply,
  permitRequest,
  permitReturnReply,
  positionReply,
  statusReply,
  userId,
} from "./contract.ts";
import { demoRoutes } from "./demo/description.ts";

export const waitingRoomErrors = {
  not_active: { when: "the user has no seat.", message: "Only a user who has a seat may send requests" },
  user_not_found: {
    when: "the user has neither a seat nor a place in line, or has lost it.",
    message: "This user has neither a seat nor a place in line",
  },
  too_many_requests: {
    when: "as many requests as allowed are under way, and none was given back within `wait_ms`.",
    message: "Too many requests are under way, please try again",
  },
  queue_full: { when: "too many wait already.", message: "The queue is full, please try again later" },
} satisfies Errors;

const seat = { user_id: "mina", position: 0, status: "active" };
const place = { user_id: "jun", position: 3, status: "queued", estimated_wait_minutes: 2 };
const room = { active_sessions: 20, max_sessions: 20, queue_length: 7, available_slots: 0 };
const status = { ...room, active_requests: 4, max_requests: 10 };
const permit = { permit_id: "8a4a1d7c-3d0e-4a43-9c55-6f2b1d0e7a90", expires_at: "2026-03-02T09:20:31.007Z" };
const departure = { user_id: "jun", reason: "abandoned", at: "2026-03-02T09:16:31.007Z" };

/** Where tokens are asked for. */
const TOKEN: ErrorCode[] = ["unauthorized"];
const USER: ParameterDescription = {
  name: "user_id",
  in: "path",
  description: "The user, 1 to 128 characters.",
  schema: userId,
  example: "jun",
};

const close: Omit<RouteDescription, "method" | "path" | "operationId"> = {
  summary: "Give the seat back, or leave the line",
  access: "user",
  parameters: [USER],
  answers: [
    {
      status: 200,
      description: "The user has no place any more; whoever was next has the seat already. Twice is fine.",
      content: [
        {
          schema: closeReply,
          examples: {
            closed: { message: "Session closed", user_id: "jun" },
            none: { message: "There was no session to close", user_id: "jun" },
          },
        },
      ],
    },
  ],
  errors: TOKEN,
};

const widgetRoute = (name: string, summary: string, content: ReturnType<typeof textContent>): RouteDescription => ({
  method: "get",
  path: `/api/v1/session/widget.${name}`,
  operationId: `readWidget${name}`,
  access: "anybody",
  summary,
  parameters: [IF_NONE_MATCH],
  answers: [
    { status: 200, description: "The file.", content: [content], headers: ["ETag", "Cache-Control"] },
    NOT_CHANGED,
  ],
  errors: ["not_found"],
});

export const waitingRoomPart: Part = {
  tag: {
    name: "Waiting room",
    description:
      "So many seats, a fair line for everybody else, and permits for requests at once. A user has at most one place, whichever tab asks. With `QUEUE_AUTH=jwt` every call about a user wants that user's bearer token.",
  },
  access: {
    user: {
      optional: true,
      schemes: {
        userToken: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: "With `QUEUE_AUTH=jwt` only: a token whose `sub` is the user.",
        },
      },
    },
  },
  schemas: {
    PlaceRequest: createRequest,
    PlaceReply: createReply,
    PositionReply: positionReply,
    CloseReply: closeReply,
    RoomStatus: statusReply,
    RoomCleanupReply: cleanupReply,
    PermitRequest: permitRequest,
    PermitReply: permitReply,
    PermitReturnReply: permitReturnReply,
  },
  routes: [
    {
      method: "post",
      path: "/api/v1/session/create",
      operationId: "createPlace",
      access: "user",
      summary: "Take a seat, or a place in line",
      description:
        "Whoever has a place keeps it: asking again changes nothing, and counts as a sign of life. With `QUEUE_AUTH=jwt` the priority is the token's claim `priority`, and the body's is ignored.",
      body: {
        content: [
          {
            schema: createRequest,
            examples: {
              place: { user_id: "jun", session_id: "b2c1d5e0" },
              vip: { user_id: "mina", session_id: "0d9f8c7b", priority: 5 },
            },
          },
        ],
      },
      answers: [
        {
          status: 200,
          description: "A seat, or a place in line.",
          content: [
            {
              schema: createReply,
              examples: {
                active: { status: "active", session_id: "0d9f8c7b", created_at: "2026-03-02T09:15:31.007Z" },
                queued: {
                  status: "queued",
                  position: 3,
                  estimated_wait_minutes: 2,
                  active_sessions: 20,
                  max_sessions: 20,
                },
              },
            },
          ],
        },
      ],
      errors: [...TOKEN, "rate_limited", "queue_full"],
    },
    { ...close, method: "delete", path: "/api/v1/session/close/{user_id}", operationId: "closePlace" },
    {
      ...close,
      method: "post",
      path: "/api/v1/session/close/{user_id}",
      operationId: "closePlaceByPost",
      description:
        "The same as DELETE, which a page that closes cannot send. With `grace_seconds` the place is given up only then, and kept if the user asks until then: a page that goes away may be reloading.",
      parameters: [
        USER,
        {
          name: "grace_seconds",
          in: "query",
          schema: graceSeconds,
          example: 20,
          description: "How long the user may take to come back; 0, the default: not at all.",
        },
      ],
    },
    {
      method: "get",
      path: "/api/v1/session/position/{user_id}",
      operationId: "readPosition",
      access: "user",
      summary: "Where the user stands",
      description: "Asking keeps the place in line or the seat, and claims a seat that has just come up.",
      parameters: [USER],
      answers: [
        {
          status: 200,
          description: "0 has a seat, 1 is next. The estimate is null until seats have been given up of late.",
          content: [{ schema: positionReply, examples: { queued: place, active: seat } }],
          headers: ["Cache-Control"],
        },
      ],
      errors: [...TOKEN, "user_not_found"],
    },
    {
      method: "get",
      path: "/api/v1/session/events/{user_id}",
      operationId: "watchPosition",
      access: "user",
      summary: "Be told where the user stands, and of every change",
      description:
        "Server-sent events: `position` at once and whenever it changes, `promoted` when the seat has come up (ask for the position to claim it), and `closed` or `expired`, after which the server closes. An open stream keeps a place in line; it neither claims nor keeps a seat.",
      parameters: [USER],
      answers: [
        {
          status: 200,
          description: "The stream. `x-events` names the schema of each event's data.",
          content: [
            {
              type: "text/event-stream",
              schema: z.string().meta({ description: "Server-sent events; the data of each is one line of JSON." }),
              examples: {
                promoted: `event: position\ndata: ${JSON.stringify(place)}\n\nevent: promoted\ndata: ${JSON.stringify({ ...seat, user_id: "jun" })}\n\n`,
                abandoned: `event: expired\ndata: ${JSON.stringify(departure)}\n\n`,
              },
            },
          ],
          events: {
            position: positionReply,
            promoted: positionReply,
            closed: departureEvent,
            expired: departureEvent,
          },
          headers: ["Cache-Control"],
        },
      ],
      errors: [...TOKEN, "user_not_found"],
    },
    {
      method: "get",
      path: "/api/v1/session/status",
      operationId: "readRoomStatus",
      access: "anybody",
      summary: "How full the room is",
      answers: [
        {
          status: 200,
          description: "The counts of this moment.",
          content: [{ schema: statusReply, examples: { full: status } }],
          headers: ["Cache-Control"],
        },
      ],
    },
    {
      method: "post",
      path: "/api/v1/session/cleanup",
      operationId: "cleanUpRoom",
      access: "anybody",
      summary: "Take the places of silent users away now",
      description: "Nothing depends on it: every call does the same for what it finds.",
      answers: [
        {
          status: 200,
          description: "It is done.",
          content: [
            {
              schema: cleanupReply,
              examples: { two: { message: "Cleanup completed: 2 place(s) removed", current_status: status } },
            },
          ],
        },
      ],
    },
    {
      method: "post",
      path: "/api/v1/session/requests",
      operationId: "requestPermit",
      access: "user",
      summary: "Ask for a permit to send a request",
      description:
        "At most so many requests run at once. It waits its turn up to `wait_ms`; give the permit back when the request is done. A permit dies with its owner's seat, or when it is over.",
      body: {
        content: [
          {
            schema: permitRequest,
            examples: { now: { user_id: "mina" }, waiting: { user_id: "mina", wait_ms: 10_000 } },
          },
        ],
      },
      answers: [
        {
          status: 200,
          description: "The permit, until `expires_at`.",
          content: [{ schema: permitReply, examples: { permit } }],
        },
      ],
      errors: [...TOKEN, "not_active", "too_many_requests"],
    },
    {
      method: "delete",
      path: "/api/v1/session/requests/{permit_id}",
      operationId: "returnPermit",
      access: "user",
      summary: "Give a permit back",
      parameters: [
        {
          name: "permit_id",
          in: "path",
          description: "As the request for it was answered.",
          schema: z.string(),
          example: permit.permit_id,
        },
      ],
      answers: [
        {
          status: 200,
          description: "It is free, and whoever waited longest has it. Twice is fine.",
          content: [
            {
              schema: permitReturnReply,
              examples: { returned: { message: "Permit returned", permit_id: permit.permit_id } },
            },
          ],
        },
      ],
      errors: ["unauthorized"],
    },
    widgetRoute(
      "js",
      "The waiting room in a page: notices, and an element to put there",
      textContent("text/javascript", "KeybeatWaitingRoom"),
    ),
    widgetRoute(
      "css",
      "How those notices look; the script loads it",
      textContent("text/css", ".card { display: flex }"),
    ),
    ...demoRoutes,
  ],
};
