/** /api/admin/waiting-room in the OpenAPI document. */
import { type Errors, type ParameterDescription, type Part, queryOf } from "../../http/openapi/part.ts";
import { userId } from "../../sessions/waiting-room/contract.ts";
import { done } from "../contract.ts";
import { aboutPage, answerOk } from "../description-shared.ts";
import {
  listPlacesQuery,
  moveItem,
  movesPage,
  movesQuery,
  patchPlaceRequest,
  patchRoomRequest,
  placeItem,
  placesPage,
  removePlaceRequest,
  roomReply,
} from "./contract.ts";

const room = {
  paused: false,
  active: 20,
  max_active: 20,
  max_active_configured: 20,
  waiting: 7,
  waiting_by_priority: [5, 0, 0, 0, 0, 2, 0, 0, 0, 0],
  max_waiting: 10_000,
  active_requests: 4,
  max_requests: 10,
  seat_seconds: 1800,
  waiter_seconds: 60,
  claim_seconds: 60,
  request_seconds: 300,
  seconds_per_seat: 41.5,
  estimated_wait_minutes: 6,
};

const seat = {
  user_id: "mina",
  state: "seated",
  position: null,
  priority: 5,
  ticket: 118,
  created_at: "2026-03-02T09:02:11.480Z",
  last_seen: "2026-03-02T09:15:58.350Z",
  seated_at: "2026-03-02T09:04:40.120Z",
  claimed: true,
};
const waiter = {
  user_id: "jun",
  state: "waiting",
  position: 3,
  priority: 0,
  ticket: 131,
  created_at: "2026-03-02T09:12:31.007Z",
  last_seen: "2026-03-02T09:15:57.912Z",
  seated_at: null,
  claimed: null,
};
const admitted = {
  ...waiter,
  state: "seated",
  position: null,
  seated_at: "2026-03-02T09:16:01.250Z",
  claimed: false,
};
const moves = {
  items: [
    {
      id: 912,
      at: "2026-03-02T09:16:01.250Z",
      move: "admitted",
      priority: 0,
      ticket: 131,
      waited_seconds: 210,
    },
    {
      id: 874,
      at: "2026-03-02T09:12:31.007Z",
      move: "queued",
      priority: 0,
      ticket: 131,
      waited_seconds: null,
    },
  ],
  next_cursor: null,
};

const USER: ParameterDescription = {
  name: "user_id",
  in: "path",
  description: "The user, 1 to 128 characters.",
  example: "jun",
  schema: userId,
};

export const roomErrors = {
  not_waiting: { when: "the user has a seat already.", message: "This user has a seat already" },
  room_full: {
    when: "every seat is taken; somebody may be removed, or a seat added.",
    message: "Every seat is taken: remove somebody, or add a seat",
  },
} satisfies Errors;

export const roomAdminPart: Pick<Part, "schemas" | "routes"> = {
  schemas: {
    Room: roomReply,
    PatchRoomRequest: patchRoomRequest,
    Place: placeItem,
    PlacesPage: placesPage,
    PatchPlaceRequest: patchPlaceRequest,
    RemovePlaceRequest: removePlaceRequest,
    Move: moveItem,
    MovesPage: movesPage,
  },
  routes: [
    {
      method: "get",
      path: "/api/admin/waiting-room",
      operationId: "readRoom",
      access: "operator",
      summary: "The waiting room: its settings, who is in and how many wait",
      description: "Looking keeps nobody's place.",
      answers: answerOk("The room.", roomReply, { room }),
    },
    {
      method: "patch",
      path: "/api/admin/waiting-room",
      operationId: "patchRoom",
      access: "operator",
      summary: "Pause or resume, or change the number of seats",
      description:
        "While paused nobody is let in but by hand; who is in stays, and who waits keeps the place. More seats let in exactly so many more, fewer throw nobody out. The number stays, over restarts too, until `QUEUE_MAX_ACTIVE` itself changes; `max_active_configured` is what that says.",
      body: {
        content: [
          {
            schema: patchRoomRequest,
            examples: { pause: { paused: true }, seats: { max_active: 25 }, both: { paused: false, max_active: 10 } },
          },
        ],
      },
      answers: answerOk("The room as it is now.", roomReply, { room }),
    },
    {
      method: "get",
      path: "/api/admin/waiting-room/places",
      operationId: "listPlaces",
      access: "operator",
      summary: "The seats by ticket, then the line, the next one first",
      parameters: queryOf(listPlacesQuery, {
        limit: aboutPage.limit,
        cursor: {
          description:
            "`next_cursor` of the page before. Who comes or goes in the meantime neither repeats nor hides others; who is let in or gets another priority moves with it.",
        },
        state: { description: "Only the line, or only the seats." },
        user: { description: "Only users whose id begins so." },
      }),
      answers: answerOk("A page of places.", placesPage, { page: { items: [seat, waiter], next_cursor: null } }),
    },
    {
      method: "get",
      path: "/api/admin/waiting-room/places/{user_id}",
      operationId: "readPlace",
      access: "operator",
      summary: "One user's place",
      parameters: [USER],
      answers: answerOk("The place.", placeItem, { waiter, seat }),
      errors: ["user_not_found"],
    },
    {
      method: "patch",
      path: "/api/admin/waiting-room/places/{user_id}",
      operationId: "patchPlace",
      access: "operator",
      summary: "Give somebody who waits another priority",
      parameters: [USER],
      description: "The ticket stays: among the new equals they stand where they came.",
      body: { content: [{ schema: patchPlaceRequest, examples: { vip: { priority: 9 } } }] },
      answers: answerOk("The place as it is now.", placeItem, { waiter }),
      errors: ["user_not_found", "not_waiting"],
    },
    {
      method: "post",
      path: "/api/admin/waiting-room/places/{user_id}/admit",
      operationId: "admitWaiter",
      access: "operator",
      summary: "Let somebody in by hand",
      parameters: [USER],
      description: "Takes no body. Past the line and past a pause, never past the number of seats.",
      answers: answerOk("The place as it is now.", placeItem, { admitted }),
      errors: ["user_not_found", "not_waiting", "room_full"],
    },
    {
      method: "post",
      path: "/api/admin/waiting-room/places/{user_id}/remove",
      operationId: "removePlace",
      access: "operator",
      summary: "Take somebody's seat or place in line away",
      parameters: [USER],
      description:
        "Whoever is next has the seat when this answers. The audit log keeps the reason; the user is told `removed`, and may come again.",
      body: {
        required: false,
        content: [{ schema: removePlaceRequest, examples: { why: { reason: "asked for it by phone" } } }],
      },
      answers: answerOk("It is taken away.", done, { removed: { success: true } }),
      errors: ["user_not_found"],
    },
    {
      method: "get",
      path: "/api/admin/waiting-room/users/{user_id}/moves",
      operationId: "listMoves",
      access: "operator",
      summary: "What became of a user's places, newest first",
      description: "As far back as the retention goes.",
      parameters: [USER, ...queryOf(movesQuery, aboutPage)],
      answers: answerOk("A page of moves.", movesPage, { moves }),
      errors: ["user_not_found"],
    },
    {
      method: "delete",
      path: "/api/admin/waiting-room/users/{user_id}",
      operationId: "eraseUser",
      access: "operator",
      summary: "Erase all that is known of a user",
      parameters: [USER],
      description:
        "The place, every move, and what the audit log says of this user. The log keeps that it happened, without the id. Whoever is next has the seat when this answers.",
      answers: answerOk("It is erased.", done, { erased: { success: true } }),
      errors: ["user_not_found"],
    },
  ],
};
