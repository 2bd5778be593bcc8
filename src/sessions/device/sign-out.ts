import type { SignOutRequest } from "./contract.ts";
import type { DeviceSessions } from "./deps.ts";
import { signOutRow } from "./owner-sql.ts";
import { refusal, tooOften } from "./refusal.ts";
import { askUnderKey } from "./under-key.ts";

/** Told to the device, with its ending. */
const NOTE = "Signed out by the owner of the key";

/**
 * Ends the live session of a key as `ended`, for whoever has the key, if it has that generation. Returns whether this call
 * ended one: false where nobody is live. It can do no more than a takeover at that moment could.
 *
 * Throws an AppError, and nothing has changed: invalid_key, key_expired, key_revoked, holder_changed (with the holder),
 * rate_limited (retry after that time). After unavailable the outcome is unknown.
 */
export async function signOut(
  service: DeviceSessions,
  request: SignOutRequest,
  from?: () => string | null,
): Promise<boolean> {
  const address = from?.() ?? null;
  service.unknownKeys?.admit(address);
  const { row } = await askUnderKey(service.hashKey, request.access_key, (hash, _maskedKey, until) =>
    signOutRow(
      service.database,
      {
        hash,
        expectedGeneration: request.expected_generation,
        note: NOTE,
        endingsMax: service.startsMax ?? 0,
      },
      until,
    ),
  );
  if (row.outcome === "rate_limited") throw tooOften(row.wait_seconds ?? 1);
  if (row.outcome === "signed_out") {
    service.countSignOut?.();
    return true;
  }
  if (row.outcome === "nobody_live") return false;
  if (row.outcome === "invalid_key") await service.unknownKeys?.count(address);
  throw refusal(row.outcome, row.holder);
}
