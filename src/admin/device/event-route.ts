/** GET /api/admin/events: server-sent events for the page. */
import type { Context } from "hono";
import { AppError } from "../../errors.ts";
import type { EventStreams } from "../../events/sse.ts";
import type { AdminEnv, FindEndedSignIns, SignedIn } from "../../http/admin-auth.ts";
import type { Feed } from "./feed.ts";

const STREAMS_MAX = 20;
/** Then the browser comes again by itself, and its sign-in is looked at again. */
const STREAM_MS_MAX = 15 * 60_000;

/** So soon a stream ends whose sign-in was ended, in whatever process. */
const LOOK_MS = 1_000;

export function eventRoute(feed: Feed, streams: EventStreams, findEnded: FindEndedSignIns) {
  const watched = watchSignIns(findEnded);
  return (c: Context<AdminEnv>) => {
    if (c.req.method === "HEAD") {
      return c.body(null, 200, { "Cache-Control": "no-store", "Content-Type": "text/event-stream" });
    }
    if (feed.size() >= STREAMS_MAX) {
      throw new AppError("unavailable", `${STREAMS_MAX} pages are looking on through this process already`);
    }
    let end = () => {};
    const stream = streams.open(() => end(), { "X-Request-Id": c.get("requestId") });
    const stop = feed.subscribe(stream.send);
    const signedIn = c.get("signedIn");
    const unwatch = signedIn ? watched(signedIn, () => stream.finish("again", {})) : () => {};
    const timer = setTimeout(() => stream.finish("again", {}), STREAM_MS_MAX);
    timer.unref();
    end = () => {
      clearTimeout(timer);
      unwatch();
      stop();
    };
    return stream.response;
  };
}

/** Calls `onEnd` when that sign-in was ended; one question a second for all of them. Returns what stops it. */
function watchSignIns(findEnded: FindEndedSignIns) {
  const watched = new Set<{ signedIn: SignedIn; onEnd: () => void }>();
  let _timer: NodeJS.Timeout | undefined;
  const look = async () => {
    // While the database is away nothing is told to anybody.
    const ended = await findEnded([...watched].map(({ signedIn }) => signedIn)).catch(() => new Set<string>());
    for (const { signedIn, onEnd } of [...watched]) if (ended.has(signedIn.name)) onEnd();
    _timer = watched.size > 0 ? setTimeout(look, LOOK_MS).unref() : undefined;
  };
  return (signedIn: SignedIn, onEnd: () => void) => {
    const one = { signedIn, onEnd };
    watched.add(one);
    _timer ??= setTimeout(look, LOOK_MS).unref();
    return () => {
      watched.delete(one);
    };
  };
}
