import type { IncomingMessage } from "node:http";
import { parseJson } from "./call.ts";

/** Hands on each server-sent event that has arrived whole. */
export function readEvents(
  response: IncomingMessage,
  onEvent: (event: string, data: unknown, id: string | undefined) => void,
): void {
  let text = "";
  response.setEncoding("utf8").on("data", (part: string) => {
    const blocks = (text + part).split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
      const [event, data] = [field("event"), field("data")];
      if (event !== undefined && data !== undefined) onEvent(event, parseJson(data), field("id"));
    }
  });
}
