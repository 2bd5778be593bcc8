import { readEventStream } from "../event-stream.ts";
import type { RoomLink } from "./call.ts";

export interface StreamEvent {
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the service says; the watch looks at the event's name first
  data: any;
}

/**
 * Follows one connection of server-sent events until it is cut; comments are told as undefined. Rejects with a
 * KeybeatError where it did not come about.
 */
export async function readPlaceStream(
  link: RoomLink,
  path: string,
  signal: AbortSignal,
  on: (event?: StreamEvent) => void,
): Promise<void> {
  for await (const event of readEventStream(await link.open(path, signal))) {
    on(event && { event: event.event, data: JSON.parse(event.data) });
  }
}
