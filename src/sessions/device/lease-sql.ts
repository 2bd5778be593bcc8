/** Leases: which are given, given back, and over. What each guarantees stands with its function in migrations/. */
import type { Database } from "../../database/database.ts";
import type { Device, Proof } from "./contract.ts";

interface LeaseRow {
  outcome: "leased" | "not_live" | "unavailable" | "proof_required" | "proof_challenge" | "session_cloned";
  at: Date;
  /** Of proof_challenge. */
  challenge: string | null;
  /** The rest is of leased. */
  lease_id: string;
  /** Masked. */
  access_key: string;
  generation: number;
  device: Device | null;
  issued_at: Date;
  until: Date;
}

/** Gives that live session a lease, or the one that it has; where it has proof, to an accepted beat alone. */
export async function takeLeaseRow(
  database: Database,
  lease: { sessionId: string; seconds: number; newId: string; proof: Proof | undefined },
  until: number,
): Promise<LeaseRow> {
  const [row] = await database.requests.query(
    (sql, waits) => sql<LeaseRow[]>`
      SELECT * FROM take_lease(caller_waits(${waits}, ${lease.sessionId}::text), ${lease.seconds}, ${lease.newId},
        ${lease.proof ? sql.json(lease.proof) : null})`,
    undefined,
    until,
  );
  return row as LeaseRow;
}

/** Ends that lease; returns whether it still held. */
export async function returnLeaseRow(database: Database, leaseId: string): Promise<boolean> {
  const [row] = await database.requests.query(
    (sql, waits) => sql<Array<{ returned: boolean }>>`
      SELECT return_lease(caller_waits(${waits}, ${leaseId}::text)) AS returned`,
  );
  return row?.returned === true;
}

/** Deletes leases that are over, never one that holds. Returns how many. */
export async function forgetLeaseRows(database: Database): Promise<number> {
  const [row] = await database.background.query(
    (sql) => sql<Array<{ forgotten: number }>>`SELECT forget_leases() AS forgotten`,
  );
  return row?.forgotten ?? 0;
}
