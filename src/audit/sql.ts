/** The audit log. Changes write into it in their own statements (record_audit in migrations/). */
import type { Database } from "../database/database.ts";
import type { Operator } from "./operator.ts";

export interface AuditRow {
  id: number;
  at: Date;
  who: string;
  from_address: string | null;
  action: string;
  key_id: number | null;
  details: Record<string, unknown> | null;
}

/** An entry for what changes no row: a sign-in, a cleanup. */
export async function insertAudit(
  database: Database,
  entry: { by: Operator; action: string; details?: Record<string, number | string> },
): Promise<void> {
  const { by, action, details } = entry;
  await database.operators.query(
    (sql, waits) =>
      sql`SELECT record_audit(caller_waits(${waits}, ${by.who}::text), ${by.from}, ${action}, NULL, ${details ? sql.json(details) : null})`,
  );
}

/** Newest first, `before` excluded. */
export async function selectAudit(
  database: Database,
  page: { before: number | undefined; limit: number },
): Promise<AuditRow[]> {
  return database.operators.query(
    (sql) => sql<AuditRow[]>`
      SELECT id, at, who, from_address, action, key_id, details FROM audit_log
      WHERE id < ${page.before ?? Number.MAX_SAFE_INTEGER} ORDER BY id DESC LIMIT ${page.limit}`,
  );
}
