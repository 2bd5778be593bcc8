/** Warns the operator of two devices that keep taking a key from each other: one line a key and minute. */
import type { Logger } from "../../log.ts";

const SILENT_MS = 60_000;
/** Keys beyond these may be reported again too soon. */
const KEYS_MAX = 1_000;

export type ReportPingPong = (seen: { hash: Uint8Array; maskedKey: string; swaps: number }) => void;

export function createPingPongReport(log: Logger, counts: { pingPongs: number }): ReportPingPong {
  const silentUntil = new Map<string, number>();
  return ({ hash, maskedKey, swaps }) => {
    counts.pingPongs++;
    const key = Buffer.from(hash).toString("base64");
    const now = performance.now();
    if (now < (silentUntil.get(key) ?? 0)) return;
    silentUntil.delete(key);
    const [oldest] = silentUntil.keys();
    if (oldest !== undefined && silentUntil.size >= KEYS_MAX) silentUntil.delete(oldest);
    silentUntil.set(key, now + SILENT_MS);
    log.warn({ access_key: maskedKey, swaps }, "takeover ping-pong");
  };
}
