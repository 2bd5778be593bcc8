import { readEvents, type StreamEvent } from "../body.ts";
import { KeybeatError } from "../error.ts";
import type { RoomLink } from "./call.ts";

/**
 * Follows one connection of server-sent events until it is cut; reports undefined with every piece, even a comment. Uses
 * fetch, as EventSource can carry no token. Rejects if no connection comes about, or it is not an event stream.
 */
export async function readPlaceStream(
  link: RoomLink,
  path: string,
  signal: AbortSignal,
  on: (event?: StreamEvent) => void,
): Promise<void> {
  const response = await link.open(path, signal);
  const type = response.headers.get("content-type") ?? "";
  if (type && !type.startsWith("text/event-stream")) {
    response.body?.cancel().catch(() => {});
    throw new KeybeatError("unreachable", `HTTP 200, ${type}`);
  }
  for await (const event of readEvents(response)) on(event);
}
