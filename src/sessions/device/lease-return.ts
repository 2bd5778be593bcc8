import { readLeaseId } from "../../trust/lease-token.ts";
import type { DeviceSessions } from "./deps.ts";
import { returnLeaseRow } from "./lease-sql.ts";

/** Ends a lease, so that others can start with its key. Returns whether it still held: false for what is no lease of ours. */
export async function returnLease({ database }: DeviceSessions, lease: string): Promise<boolean> {
  const leaseId = readLeaseId(lease);
  return leaseId !== undefined && returnLeaseRow(database, leaseId);
}
