/** How many keys are held offline, and how many live sessions may be copied: both from tables of few rows. */
import type { Lane } from "../../database/lane.ts";
import { liveLeases, liveSessions } from "./live-sql.ts";

export interface TrustNumbers {
  /** Keys that a lease holds. */
  leases: number;
  /** Live sessions without proof that are heard of about twice as often as asked. */
  may_be_copied: number;
}

export async function readTrustNumbers(lane: Lane): Promise<TrustNumbers> {
  const [row] = await lane.query(
    (sql) => sql<TrustNumbers[]>`
      SELECT (SELECT count(*)::int FROM ${liveLeases(sql)} l) AS leases,
             (SELECT count(*)::int FROM suspected_copies c
              JOIN ${liveSessions(sql)} s ON s.key_id = c.key_id AND s.generation = c.generation
              WHERE s.proof_instance IS NULL) AS may_be_copied`,
  );
  return row as TrustNumbers;
}
