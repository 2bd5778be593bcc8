/** GET /api/admin/events: server-sent events for the page. */
import { Hono } from "hono";
import { AppError } from "../../errors.ts";
import type { EventStreams } from "../../events/sse.ts";
import type { AdminEnv } from "../../http/admin-auth.ts";
import type { Feed } from "./feed.ts";

const STREAMS_MAX = 20;
/** Then the browser comes again by itself, and its sign-in is looked at again. */
const STREAM_MS_MAX = 15 * 60_000;

export function eventRoute(feed: Feed, streams: EventStreams): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>();
  routes.get("/events", (c) => {
    if (c.req.method === "HEAD") return c.body(null);
    if (feed.size() >= STREAMS_MAX) {
      throw new AppError("unavailable", `${STREAMS_MAX} pages are looking on through this process already`);
    }
    let end = () => {};
    const stream = streams.open(() => end(), { "X-Request-Id": c.get("requestId") });
    const stop = feed.subscribe(stream.send);
    const timer = setTimeout(() => stream.finish("again", {}), STREAM_MS_MAX);
    timer.unref();
    end = () => {
      clearTimeout(timer);
      stop();
    };
    return stream.response;
  });
  return routes;
}
