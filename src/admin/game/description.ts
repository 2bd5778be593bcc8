/** /api/admin/game and /api/admin/players in the OpenAPI document. */
import { z } from "zod";
import { analyticsExample, analyticsParameters } from "../../analytics/description.ts";
import { type Errors, type ParameterDescription, type Part, queryOf } from "../../http/openapi/part.ts";
import * as combat from "../../sessions/game/combat/description-examples.ts";
import { gameSession, playerId } from "../../sessions/game/contract.ts";
import * as example from "../../sessions/game/description-examples.ts";
import { done } from "../contract.ts";
import { aboutPage, answerOk } from "../description-shared.ts";
import {
  endGameRequest,
  gameAnalyticsReply,
  gameEventsPage,
  gameEventsQuery,
  gameLogsPage,
  gameLogsQuery,
  gameReply,
  gamesPage,
  listGamesQuery,
} from "./contract.ts";

const SESSION: ParameterDescription = {
  name: "session_id",
  in: "path",
  description: "The session's id.",
  schema: z.guid(),
  example: example.active.session_id,
};
const PLAYER: ParameterDescription = {
  name: "player_id",
  in: "path",
  description: "The player, as its tokens name it.",
  schema: playerId,
  example: example.PLAYER,
};

const ABOUT_EVENTS = {
  limit: { description: "How many at most.", schema: z.int().min(1).max(500).default(50) },
  cursor: { description: "`next_cursor` of the page before." },
};
const ofMatch = { session_id: combat.SESSION_ID, type: "combat" };

export const gameAdminErrors = {
  player_not_found: { when: "nothing is known of the player.", message: "Nothing is known of this player" },
} satisfies Errors;

export const gameAdminPart: Pick<Part, "schemas" | "routes"> = {
  schemas: {
    GamesPage: gamesPage,
    GameReply: gameReply,
    GameEventsPage: gameEventsPage,
    EndGameRequest: endGameRequest,
  },
  routes: [
    {
      method: "get",
      path: "/api/admin/game",
      operationId: "listGames",
      access: "operator",
      summary: "The game sessions, newest first",
      parameters: queryOf(listGamesQuery, {
        ...aboutPage,
        type: { description: "Only those." },
        status: { description: "Only those." },
        search: {
          description:
            "The beginning of a session's id, 8 characters or more; or a player, who made them or takes part in them.",
        },
      }),
      answers: answerOk("A page of sessions.", gamesPage, {
        page: { items: [example.active, example.ended], next_cursor: null },
      }),
    },
    {
      method: "get",
      path: "/api/admin/game/analytics",
      operationId: "readNumbersOfGames",
      access: "operator",
      summary: "Numbers over the game sessions of a timeframe",
      description: "Of everybody's; as a service is told them.",
      parameters: analyticsParameters,
      answers: answerOk("The numbers.", gameAnalyticsReply, { day: analyticsExample }),
    },
    {
      method: "get",
      path: "/api/admin/game/{session_id}",
      operationId: "readGame",
      access: "operator",
      summary: "One game session, the newest entries of its log, what has happened in it, and its match",
      description: "To look is no call for it.",
      parameters: [SESSION],
      answers: answerOk("The session.", gameReply, {
        detailed: { session: example.detailed },
        match: { session: { ...example.detailed, ...ofMatch }, match: combat.active },
      }),
      errors: ["session_not_found"],
    },
    {
      method: "get",
      path: "/api/admin/game/{session_id}/logs",
      operationId: "listLogsOfGame",
      access: "operator",
      summary: "The log of a game session, page by page, the newest first",
      parameters: [SESSION, ...queryOf(gameLogsQuery, example.aboutLogs)],
      answers: answerOk("A page of entries, in their order.", gameLogsPage, { page: example.logs }),
      errors: ["session_not_found"],
    },
    {
      method: "get",
      path: "/api/admin/game/{session_id}/events",
      operationId: "listEventsOfMatch",
      access: "operator",
      summary: "What happened in a match, page by page, the newest first",
      description: "To look is no call for it. Parameters of more than 1 KiB are left out.",
      parameters: [SESSION, ...queryOf(gameEventsQuery, ABOUT_EVENTS)],
      answers: answerOk("A page of events, in their order.", gameEventsPage, {
        page: { events: [combat.attacked], next_cursor: null },
      }),
      errors: ["session_not_found"],
    },
    {
      method: "post",
      path: "/api/admin/game/{session_id}/end",
      operationId: "endGame",
      access: "operator",
      summary: "End a game session by hand",
      description:
        "It is terminated, and its `ended_reason` is `operator`; the audit log says who. One that has ended comes back as it is.",
      parameters: [SESSION],
      body: {
        required: false,
        content: [{ schema: endGameRequest, examples: { why: { reason: "asked for it by phone" } } }],
      },
      answers: answerOk("It has ended.", gameSession, { ended: { ...example.ended, ended_reason: "operator" } }),
      errors: ["session_not_found"],
    },
    {
      method: "delete",
      path: "/api/admin/players/{player_id}",
      operationId: "erasePlayer",
      access: "operator",
      summary: "Erase all that is known of a player",
      description:
        "What it made, its keys, and what the audit log says of them; the log keeps that it happened. A match that others are in stays whole: an id that means nobody stands in for the player.",
      parameters: [PLAYER],
      answers: answerOk("It is erased.", done, { erased: { success: true } }),
      errors: ["player_not_found"],
    },
  ],
};
