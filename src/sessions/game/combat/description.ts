/** Matches in the OpenAPI document. */
import { z } from "zod";
import { LAST_EVENT_ID } from "../../../http/openapi/last-event-id.ts";
import type { AdminPart, AnswerDescription, BodyDescription, RouteDescription } from "../../../http/openapi/part.ts";
import { queryOf } from "../../../http/openapi/part.ts";
import {
  actionRequest,
  actionResult,
  combatEvent,
  combatListQuery,
  combatSession,
  combatState,
  combatsReply,
  createCombatRequest,
  playersRequest,
} from "../combat-contract.ts";
import { GAME_BYTES_MAX } from "../contract.ts";
import { IDEMPOTENCY_KEY, OF_SESSION, route, SESSION, TOKEN } from "../description-parts.ts";
import { COMBAT_EVENTS } from "../states.ts";
import * as example from "./description-examples.ts";

const ofMatch = (
  method: RouteDescription["method"],
  path: string,
  described: Omit<Parameters<typeof route>[2], "errors"> & Pick<RouteDescription, "errors">,
) =>
  route(method, `/combat/sessions/{session_id}${path}`, {
    ...described,
    parameters: [{ ...SESSION, example: example.SESSION_ID }, ...(described.parameters ?? [])],
    errors: [...OF_SESSION, ...(described.errors ?? [])],
  });

const body = (
  schema: z.ZodType,
  examples: Record<string, unknown>,
  more: Partial<BodyDescription> = {},
): BodyDescription => ({ bytesMax: GAME_BYTES_MAX, content: [{ schema, examples }], ...more });

const answer = (
  status: number,
  description: string,
  schema: z.ZodType,
  examples: Record<string, unknown>,
): AnswerDescription => ({ status, description, content: [{ schema, examples }], headers: ["Cache-Control"] });

/** The events of a match by their names; `reset` brings the whole state. */
const EVENTS = {
  ...Object.fromEntries(COMBAT_EVENTS.map((event) => [event, combatEvent])),
  reset: combatState,
};

export const combatPart: AdminPart = {
  schemas: {
    CombatSession: combatSession,
    CombatCreateRequest: createCombatRequest,
    CombatListReply: combatsReply,
    CombatPlayersRequest: playersRequest,
    CombatState: combatState,
    CombatEvent: combatEvent,
    CombatActionRequest: actionRequest,
    CombatActionResult: actionResult,
  },
  routes: [
    route("get", "/combat/sessions", {
      operationId: "listCombatSessions",
      summary: "Matches, newest first",
      description: "A player's own, those in which it takes part, and open ones; a service's: all.",
      parameters: queryOf(combatListQuery, {
        status: { description: "Only those; `active` includes `initializing`." },
        mode: { description: "Only those. No match is `custom`." },
        limit: { description: "How many at most.", schema: z.int().min(1).max(50).default(10) },
        cursor: { description: "`next_cursor` of the page before." },
      }),
      answers: [
        answer(200, "A page of matches.", combatsReply, {
          page: { sessions: [example.active], total_count: 1, total_count_is_exact: true, has_more: false },
        }),
      ],
      errors: TOKEN,
    }),
    route("post", "/combat/sessions", {
      operationId: "createCombatSession",
      summary: "Make a match",
      description:
        "It is a session of type `combat`, with the same id; who asks is its creator, and takes part only if named. It ends by itself: at `max_duration`, and when one is left of several who began it (of one, and in `pve`: nobody).",
      parameters: [IDEMPOTENCY_KEY],
      body: body(createCombatRequest, { duel: example.create, lobby: example.lobby }),
      answers: [answer(201, "The match.", combatSession, { active: example.active, prepared: example.prepared })],
      errors: [...TOKEN, "idempotency_conflict"],
    }),
    ofMatch("get", "", {
      operationId: "readCombatSession",
      summary: "A match as it is now",
      description:
        "For who made it, who takes part, and a service; an open one for every player. To ask is a call for it.",
      answers: [answer(200, "The match.", combatSession, { active: example.active, finished: example.finished })],
    }),
    ofMatch("get", "/state", {
      operationId: "readCombatState",
      summary: "The state of a match, with its last 50 events",
      description:
        "`time_remaining` stands still while it is paused. An event shows parameters of up to 1 KiB; larger ones are in `/events` alone (`parameters_omitted`).",
      answers: [answer(200, "The state.", combatState, { active: example.state })],
    }),
    ofMatch("get", "/events", {
      operationId: "followCombatSession",
      summary: "Follow a match, live",
      description:
        "Server-sent events, each once and in order, their sequence as the id. Without `Last-Event-ID` a stream begins now. The stream ends after `ended`.",
      parameters: [LAST_EVENT_ID],
      answers: [
        {
          status: 200,
          description: "The stream.",
          content: [
            {
              type: "text/event-stream",
              schema: z.string(),
              examples: { one: `id: 1\nevent: action\ndata: ${JSON.stringify(example.attacked)}\n\n` },
            },
          ],
          events: EVENTS,
          headers: ["Cache-Control"],
        },
        { status: 204, description: "The reader has everything, the end included.", headers: ["Cache-Control"] },
      ],
    }),
    ofMatch("post", "/join", {
      operationId: "joinCombatSession",
      summary: "Join an open match",
      description:
        "Yourself, without a body; a service names others. A list joins whole or not at all. Who was there before has the health, the score and the place of before.",
      body: body(playersRequest, { party: { player_ids: [example.OPPONENT] } }, { required: false }),
      answers: [answer(200, "The match.", combatSession, { joined: example.joined })],
      errors: ["not_open", "session_over", "not_active", "full"],
    }),
    ofMatch("post", "/leave", {
      operationId: "leaveCombatSession",
      summary: "Leave an open match",
      description:
        "Yourself, without a body; a service names others. The place stays, and waits for whoever joins again. Sent again by who has left it changes nothing, also when the match has ended with it.",
      body: body(playersRequest, { party: { player_ids: [example.OPPONENT] } }, { required: false }),
      answers: [answer(200, "The match.", combatSession, { left: example.left })],
      errors: ["not_open", "session_over", "not_participant"],
    }),
    ofMatch("post", "/actions", {
      operationId: "executeCombatAction",
      summary: "Act in a match",
      description:
        "Happens once by its `action_id`: send it again as it was, and the answer is the same, also after the end. The rules decide what it does; a service may say `damage`, `effects`, `eliminated` and `score` itself. Refused in this order: another action with that id, another player's name, who takes no part, who is out, too early (before the match begins too), paused, over, an unknown target.",
      body: body(actionRequest, { attack: example.attack, reckoned: example.reckoned }),
      answers: [answer(200, "It has happened.", actionResult, { attack: example.result })],
      errors: [
        ...(["action_conflict", "not_participant", "not_active", "cooldown", "paused"] as const),
        ...(["session_over", "unknown_target"] as const),
      ],
    }),
  ],
};
