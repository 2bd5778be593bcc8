/** Tells the operator of two devices that take a key from each other again and again: one line a key and a minute. */
import { RateLimiterMemory } from "rate-limiter-flexible";
import type { Logger } from "../../log.ts";

export type ReportPingPong = (seen: { hash: Uint8Array; maskedKey: string; swaps: number }) => void;

export function createPingPongReport(log: Logger, counts: { pingPongs: number }): ReportPingPong {
  const said = new RateLimiterMemory({ points: 1, duration: 60 });
  return ({ hash, maskedKey, swaps }) => {
    counts.pingPongs++;
    said.consume(Buffer.from(hash).toString("base64")).then(
      () => log.warn({ access_key: maskedKey, swaps }, "takeover ping-pong"),
      () => {}, // said within this minute
    );
  };
}
