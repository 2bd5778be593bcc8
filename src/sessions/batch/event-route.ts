/** GET /api/v1/batch/sessions/{id}/events */
import type { Context } from "hono";
import type { Database } from "../../database/database.ts";
import type { Replay } from "../../events/replay.ts";
import { type EventStreams, writeEvent } from "../../events/sse.ts";
import type { HttpEnv } from "../../http/request-id.ts";
import { findPlace, placeNow, progressOf, tell } from "./follow.ts";
import { readRun, readWhole } from "./read.ts";

export interface BatchWatching {
  database: Database;
  streams: EventStreams;
  replay: Replay;
}

export async function openEvents(c: Context<HttpEnv>, watching: BatchWatching, sessionId: string): Promise<Response> {
  const { database, streams, replay } = watching;
  const lastEventId = c.req.header("last-event-id");
  const run = await readRun(database, sessionId);
  const place = await findPlace(database, run, lastEventId);
  if (place === "over") return c.body(null, 204, { "Cache-Control": "no-store" });
  if (c.req.method === "HEAD") {
    return c.body(null, 200, { "Cache-Control": "no-store", "Content-Type": "text/event-stream" });
  }
  const whole = place === "reset" ? await readWhole(database, sessionId) : undefined;
  let stop = () => {};
  const stream = streams.open(() => stop(), { "X-Request-Id": c.get("requestId") });
  if (place !== "reset") {
    // Who begins now is told of changes alone; who comes back, how things stand too.
    const values = lastEventId === undefined && run.completed_at === null ? progressOf(run) : undefined;
    stop = replay.follow(sessionId, { after: place.after, values }, stream);
  } else if (whole) {
    const after = placeNow(whole.run);
    stream.sendWritten(writeEvent("reset", tell(whole.run, "reset", whole.run.updated_at, whole.session), after));
    stop = replay.follow(sessionId, { after, values: progressOf(whole.run) }, stream);
  }
  if (stream.ended()) stop(); // the reader went away, or the service is stopping
  return stream.response;
}
