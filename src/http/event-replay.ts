/** Answers with a stream of the events of something, for who begins now, and who comes back (see events/replay.ts). */
import type { Context } from "hono";
import { findPlace, placeNow, type Standing } from "../events/place.ts";
import type { Replay } from "../events/replay.ts";
import { type EventStreams, writeEvent } from "../events/sse.ts";
import type { HttpEnv } from "./request-id.ts";

export interface Watching {
  streams: EventStreams;
  replay: Replay;
}

/** As a stream begins: how far it has come, and what its state says then, where it has one. */
export interface Begins extends Standing {
  values?: unknown;
}

export interface Watched {
  subject: string;
  now: Begins;
  /** The id of the oldest event that is kept. */
  findFirst(): Promise<number>;
  /** How things stand, for whoever cannot be told what it has missed: the data of `reset`. */
  readWhole(): Promise<{ now: Begins; data: unknown }>;
}

export async function replyEvents(
  c: Context<HttpEnv>,
  { streams, replay }: Watching,
  { subject, now, findFirst, readWhole }: Watched,
): Promise<Response> {
  const lastEventId = c.req.header("last-event-id");
  const place = await findPlace(now, lastEventId, findFirst);
  if (place === "over") return c.body(null, 204, { "Cache-Control": "no-store" });
  if (c.req.method === "HEAD") {
    return c.body(null, 200, { "Cache-Control": "no-store", "Content-Type": "text/event-stream" });
  }
  const whole = place === "reset" ? await readWhole() : undefined;
  let stop = () => {};
  const stream = streams.open(() => stop(), { "X-Request-Id": c.get("requestId") });
  if (place !== "reset") {
    // Who begins now is told of changes alone; who comes back, how things stand too.
    const values = lastEventId === undefined && !now.over ? now.values : undefined;
    stop = replay.follow(subject, { after: place.after, values }, stream);
  } else if (whole) {
    const after = placeNow(whole.now);
    stream.sendWritten(writeEvent("reset", whole.data, after));
    stop = replay.follow(subject, { after, values: whole.now.values }, stream);
  }
  if (stream.ended()) stop(); // the reader went away, or the service is stopping
  return stream.response;
}
