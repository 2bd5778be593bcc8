/** The recorded calls of the waiting room's users, as each caller saw them; compare call.ts for devices. */
import type { Answer } from "./call.ts";

export type RoomOperation = "create" | "position" | "close" | "status" | "request" | "give-back";

/** What a call is about, before it is sent. */
export interface AskedOfRoom {
  operation: RoomOperation;
  /** "" if it concerns no user. */
  user: string;
  server: number;
  /** Of a create. */
  sessionId?: string;
  priority?: number;
  /** Of a returned permit. */
  permitId?: string;
}

/** Times are milliseconds on performance.now() of the process that called. */
export interface RoomCall extends AskedOfRoom {
  sentAt: number;
  answeredAt: number;
  /** Of the HTTP answer; 0: there was none. */
  status: number;
  answer: RoomAnswer;
}

export type RoomAnswer =
  | Extract<Answer, { is: "unknown" | "unexpected" }>
  /** A create says whose session has the seat. */
  | { is: "seated"; sessionId?: string }
  | { is: "queued"; position: number; active?: number; seats?: number }
  /** Neither a seat nor a place in line: a position's 404, or after a close. */
  | { is: "nowhere" }
  | { is: "granted"; permitId: string }
  /** 429: as many requests as there may be. */
  | { is: "full" }
  | { is: "not-active" }
  | { is: "given-back" }
  | { is: "counts"; active: number; seats: number; permits: number; permitsMax: number };

export interface RoomRequest {
  method: "GET" | "POST" | "DELETE";
  path: string;
  body?: Record<string, unknown>;
}

export function writeRequest({ operation, user, sessionId, priority, permitId }: AskedOfRoom): RoomRequest {
  switch (operation) {
    case "create":
      return { method: "POST", path: "/create", body: { user_id: user, session_id: sessionId, priority } };
    case "position":
      return { method: "GET", path: `/position/${user}` };
    case "close":
      return { method: "DELETE", path: `/close/${user}` };
    case "status":
      return { method: "GET", path: "/status" };
    case "request":
      return { method: "POST", path: "/requests", body: { user_id: user } };
    case "give-back":
      return { method: "DELETE", path: `/requests/${permitId}` };
  }
}

/** The answer in the fewest words that the checker needs; `body` is whatever the server sent. */
// biome-ignore lint/suspicious/noExplicitAny: a body of unknown shape is what this function is for
export function readRoomAnswer(operation: RoomOperation, status: number, body: any): RoomAnswer {
  if (status === 503) return { is: "unknown", why: "503" };
  const read = body === null || typeof body !== "object" ? undefined : READ[operation](status, body);
  return read ?? { is: "unexpected", what: `${status} ${JSON.stringify(body)?.slice(0, 200)}` };
}

// biome-ignore lint/suspicious/noExplicitAny: as above
const readPlace = (status: number, body: any): RoomAnswer | undefined => {
  if (status !== 200) return undefined;
  if (body.status === "active") return { is: "seated", sessionId: body.session_id };
  if (body.status !== "queued" || !(body.position >= 1)) return undefined;
  return { is: "queued", position: body.position, active: body.active_sessions, seats: body.max_sessions };
};

// biome-ignore lint/suspicious/noExplicitAny: as above
const READ: Record<RoomOperation, (status: number, body: any) => RoomAnswer | undefined> = {
  create: readPlace,
  position: (status, body) =>
    status === 404 && body.code === "user_not_found" ? { is: "nowhere" } : readPlace(status, body),
  close: (status) => (status === 200 ? { is: "nowhere" } : undefined),
  status: (status, body) =>
    status === 200
      ? {
          is: "counts",
          active: body.active_sessions,
          seats: body.max_sessions,
          permits: body.active_requests,
          permitsMax: body.max_requests,
        }
      : undefined,
  request(status, body) {
    if (status === 200 && typeof body.permit_id === "string") return { is: "granted", permitId: body.permit_id };
    if (status === 429 && body.code === "too_many_requests") return { is: "full" };
    return status === 403 && body.code === "not_active" ? { is: "not-active" } : undefined;
  },
  "give-back": (status) => (status === 200 ? { is: "given-back" } : undefined),
};
