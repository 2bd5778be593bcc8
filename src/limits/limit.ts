/**
 * Counts what an address does wrong, in all processes together, and says when it is too much. An address over its limit
 * is remembered in the process, so that a flood costs the database nothing more. The process counts for itself as well:
 * that holds alone while the database does not answer at once.
 */
import { RateLimiterMemory, RateLimiterPostgres, RateLimiterRes } from "rate-limiter-flexible";
import { AppError } from "../errors.ts";
import { groupAddress } from "../http/client-address.ts";
import type { LimitClient } from "./sql.ts";

/** Counts one. Throws rate_limited if that is over the limit. */
export type CountAgainst = (address: string | null) => Promise<void>;

const LIMIT_SECONDS = 60;

/** `perMinute` 0: no limit. */
export function createLimit(
  client: LimitClient,
  options: { name: string; perMinute: number; message: string },
): CountAgainst {
  const { name, perMinute: points, message } = options;
  if (points === 0) return async () => {};
  const usual = { keyPrefix: name, points, duration: LIMIT_SECONDS };
  const alone = new RateLimiterMemory(usual);
  const together = new RateLimiterPostgres({
    ...usual,
    ...{ storeClient: client, storeType: "client", tableName: "limit_counts" },
    ...{ tableCreated: true, clearExpiredByTimeout: false },
    inMemoryBlockOnConsumed: points,
  });
  return async (address) => {
    if (address === null) return;
    try {
      await alone.consume(groupAddress(address));
      await together.consume(groupAddress(address));
    } catch (over) {
      if (!(over instanceof RateLimiterRes)) return; // the database is in trouble
      const seconds = Math.min(LIMIT_SECONDS, Math.max(1, Math.ceil(over.msBeforeNext / 1000)));
      throw new AppError("rate_limited", message, {}, { retryAfterSeconds: seconds });
    }
  };
}

/** What a configuration says; each a minute, 0 for none. */
export interface LimitSettings {
  /** Calls with a key that does not exist, an address. */
  unknownKeys: number;
  /** Wrong admin tokens, an address. */
  signIns: number;
  /** Takeovers, a key. */
  starts: number;
}
