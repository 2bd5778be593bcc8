/** /api/v1/session/…: parse, call the verb, reply. */
import { type Context, Hono } from "hono";
import type { EventStreams } from "../../events/sse.ts";
import { serveAsset } from "../../http/assets.ts";
import type { ReadAddress } from "../../http/client-address.ts";
import { parseShape, readJson } from "../../http/json-body.ts";
import { queryOf } from "../../http/read-query.ts";
import type { HttpEnv } from "../../http/request-id.ts";
import type { UserAuth } from "../../http/user-auth.ts";
import { isStorable } from "../../keys/text.ts";
import type { Limit } from "../../limits/limit.ts";
import { expirePlaces } from "./cleanup.ts";
import { closePlace, closePlaceSoon } from "./close.ts";
import { createRequest, graceSeconds, permitRequest, tokenClaims, userId } from "./contract.ts";
import { createPlace } from "./create.ts";
import type { WaitingRoom } from "./deps.ts";
import type { PlaceEvent } from "./line.ts";
import { requestPermit, returnPermit } from "./permits.ts";
import { readPosition } from "./position.ts";
import { readRoomStatus } from "./status.ts";
import { watchPlace } from "./watch.ts";

const CLEANUP_BUDGET_MS = 2_000;

export interface WaitingRoomRoutes extends WaitingRoom {
  streams: EventStreams;
  userAuth: UserAuth;
  readAddress: ReadAddress;
  /** Counts the places that are asked for. */
  places: Limit;
}

/** Whether a request to that path may wait for its turn. */
export const holdsCaller = (path: string): boolean => path.startsWith("/api/v1/session/requests");

export function waitingRoomRoutes(room: WaitingRoomRoutes): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();

  /** The user in the path, who must be the one of the token where tokens are asked for. */
  const readUser = async (c: Context<HttpEnv>) => {
    const id = parseShape(c.req.param("user_id"), userId, "user_id");
    await room.userAuth.expectUser(c, id);
    return id;
  };

  routes.post("/create", async (c) => {
    const address = room.readAddress(c);
    room.places.admit(address);
    const request = await readJson(c, createRequest);
    const token = await room.userAuth.expectUser(c, request.user_id);
    // Behind a gateway it says who is preferred; where users come by themselves, only their tokens do.
    const { priority } = token ? tokenClaims.parse(token.claims) : request;
    await room.places.count(address);
    return c.json(await createPlace(room, { ...request, priority }));
  });

  const close = async (c: Context<HttpEnv>) => {
    const user_id = await readUser(c);
    const had = await closePlace(room, user_id);
    return c.json({ message: had ? "Session closed" : NO_SESSION, user_id });
  };
  routes.delete("/close/:user_id", close);
  // A page that closes can only send that, and does not know whether it is closed or reloaded.
  routes.post("/close/:user_id", async (c) => {
    const seconds = parseShape(queryOf(c).grace_seconds, graceSeconds, "grace_seconds");
    if (seconds === 0) return close(c);
    const user_id = await readUser(c);
    const had = await closePlaceSoon(room, user_id, seconds);
    const message = had ? `The session closes in ${seconds} seconds, unless the user asks again` : NO_SESSION;
    return c.json({ message, user_id });
  });

  routes.get("/status", async (c) => c.json(await readRoomStatus(room), 200, FRESH));
  routes.get("/position/:user_id", async (c) => c.json(await readPosition(room, await readUser(c)), 200, FRESH));

  routes.post("/cleanup", async (c) => {
    const removed = await expirePlaces(room.database, performance.now() + CLEANUP_BUDGET_MS);
    return c.json({
      message: `Cleanup completed: ${removed} place(s) removed`,
      current_status: await readRoomStatus(room),
    });
  });

  routes.post("/requests", async (c) => {
    const request = await readJson(c, permitRequest);
    await room.userAuth.expectUser(c, request.user_id);
    return c.json(await requestPermit(room, request, c.req.raw.signal));
  });
  routes.delete("/requests/:permit_id", async (c) => {
    const permit_id = c.req.param("permit_id");
    const user = (await room.userAuth.readUser(c))?.subject;
    const canBe = isStorable(permit_id) && (user === undefined || userId.safeParse(user).success);
    const had = canBe && (await returnPermit(room, permit_id, user));
    return c.json({ message: had ? "Permit returned" : "There was no such permit", permit_id });
  });

  routes.get("/events/:user_id", async (c) => {
    const id = await readUser(c);
    if (c.req.method === "HEAD") return c.body(null, 200, { ...FRESH, "Content-Type": "text/event-stream" });
    let stop = () => {};
    const stream = room.streams.open(() => stop(), { "X-Request-Id": c.get("requestId") }, `user ${id}`);
    const tell = ({ event, data }: PlaceEvent) => {
      if (event === "closed" || event === "expired") stream.finish(event, data);
      else stream.send(event, data);
    };
    try {
      stop = await watchPlace(room, id, tell);
    } catch (error) {
      stream.end();
      throw error;
    }
    if (stream.ended()) stop(); // the reader went away, or the service is stopping
    return stream.response;
  });

  for (const [name, type] of Object.entries(WIDGET)) {
    routes.get(`/${name}`, serveAsset({ file: `waiting-room/${name}`, type }));
  }
  return routes;
}

/** What other origins' pages load as well. */
const WIDGET = { "widget.js": "text/javascript; charset=utf-8", "widget.css": "text/css; charset=utf-8" };

const NO_SESSION = "There was no session to close";
const FRESH = { "Cache-Control": "no-store" };
