/** Leases in tests of the verbs: a key that signs them, and the text of a lease of which only the id is known. */
import { AppError } from "../../../../src/errors.ts";
import type { Proof } from "../../../../src/sessions/device/contract.ts";
import type { DeviceSessions } from "../../../../src/sessions/device/deps.ts";
import { takeLease } from "../../../../src/sessions/device/lease.ts";
import { readLeaseId } from "../../../../src/trust/lease-token.ts";
import { createSeed, readSigningKeys } from "../../../../src/trust/signing-keys.ts";

const leasing = { offlineHoursMax: 24, signingKeys: readSigningKeys(createSeed()) };

export type LeaseAnswer =
  | { is: "leased"; leaseId: string; until: string }
  | { is: string; leaseId?: undefined; challenge?: string };

/** Throws `unavailable`. */
export async function tryLease(
  service: DeviceSessions,
  session_id: string,
  seconds: number,
  proof?: Proof,
): Promise<LeaseAnswer> {
  try {
    const request = { session_id, hours: seconds / 3600, proof };
    const outcome = await takeLease({ ...service, ...leasing }, request, undefined);
    if (!outcome.live) return { is: outcome.ending === "unknown" ? "unknown" : outcome.ending.reason };
    const { lease, until } = outcome.reply;
    return { is: "leased", leaseId: readLeaseId(lease) as string, until };
  } catch (error) {
    if (!(error instanceof AppError) || error.code === "unavailable") throw error;
    return { is: error.code, ...(error.data as { challenge?: string }) };
  }
}

/** Its row alone decides of a lease, not who signed it. */
export const leaseText = (lease_id: string): string =>
  `${Buffer.from(JSON.stringify({ lease_id })).toString("base64url")}.${"A".repeat(86)}`;
