import { unavailable } from "../../errors.ts";
import type { HistoryReply, HistoryRequest } from "./contract.ts";
import type { DeviceSessions } from "./deps.ts";
import { selectEndings } from "./owner-sql.ts";
import { refusal } from "./refusal.ts";
import { lookAtSessionOfKey } from "./sql.ts";
import { askUnderKey } from "./under-key.ts";

const ENDINGS_MAX = 10;

/**
 * How the last sessions of a key ended, for whoever has the key, the newest first: by day and reason. Neither which devices
 * they were nor when exactly: a key that was passed on must not tell one person of another's days.
 *
 * Throws an AppError: invalid_key, rate_limited, unavailable.
 */
export async function readHistory(
  service: DeviceSessions,
  request: HistoryRequest,
  from?: () => string | null,
): Promise<HistoryReply> {
  const address = from?.() ?? null;
  service.unknownKeys?.admit(address);
  const { row } = await askUnderKey(service.hashKey, request.access_key, async (hash, _maskedKey, until) => {
    // One that has fallen silent has ended, too; telling so makes it final.
    if ((await lookAtSessionOfKey(service.database, hash, until)) === "locked") {
      throw unavailable(new Error("the session's end cannot be recorded just now"));
    }
    const endings = await selectEndings(service.database, hash, ENDINGS_MAX, until);
    return endings === undefined ? { outcome: "invalid_key", endings: [] } : { outcome: "found", endings };
  });
  if (row.outcome === "invalid_key") {
    await service.unknownKeys?.count(address);
    throw refusal("invalid_key", null);
  }
  return { endings: row.endings };
}
