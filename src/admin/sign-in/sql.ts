/** The sign-ins that were ended before their time. What a sign-in is else, its cookie says. */

import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";

/** Stands for every sign-in until then; no sign-in has this name. */
const ALL = "*";

/** Writes a sign-in into the audit log. Returns when it was, in milliseconds since 1970, by the database's clock. */
export async function insertSignIn(database: Database, by: Operator): Promise<number> {
  const [row] = await database.operators.query(
    (sql) => sql<Array<{ at: number }>>`
      SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS at,
             record_audit(${by.who}, ${by.from}, 'signed_in', NULL, NULL)`,
  );
  return (row as { at: number }).at;
}

/** Ends the sign-in of that name, for good; with none, all that began until now. */
export async function endSignIns(database: Database, name: string | undefined, by: Operator): Promise<void> {
  const action = name === undefined ? "signed_out_everywhere" : "signed_out";
  await database.operators.query(
    (sql) => sql`
      WITH ended AS (
        INSERT INTO ended_sign_ins (name, ended_at) VALUES (${name ?? ALL}, clock_timestamp())
        ON CONFLICT (name) DO UPDATE SET ended_at = excluded.ended_at RETURNING name
      )
      SELECT record_audit(${by.who}, ${by.from}, ${action}, NULL, jsonb_build_object('sign_in', ended.name)) FROM ended`,
  );
}

/** The names of those that were ended. */
export async function selectEndedSignIns(
  database: Database,
  signIns: Array<{ name: string; since: number }>,
): Promise<Set<string>> {
  const given = signIns.map(({ name, since }) => ({ name, since }));
  const rows = await database.operators.query(
    (sql) => sql<Array<{ name: string }>>`
      SELECT g.name FROM jsonb_to_recordset(${sql.json(given)}) AS g (name text, since bigint)
      WHERE EXISTS (SELECT FROM ended_sign_ins e WHERE e.name = g.name)
         OR EXISTS (SELECT FROM ended_sign_ins e WHERE e.name = ${ALL} AND e.ended_at >= to_timestamp(g.since / 1000.0))`,
  );
  return new Set(rows.map(({ name }) => name));
}

/** Those whose cookies are over by now, whatever the clock of the process that gave them. */
export async function deleteOldSignIns(database: Database): Promise<void> {
  await database.background.query(
    (sql) => sql`DELETE FROM ended_sign_ins WHERE ended_at < clock_timestamp() - interval '2 days'`,
  );
}
