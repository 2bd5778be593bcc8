/**
 * The service's role in the embedded PostgreSQL: it owns the database but is no superuser, so an injection or a leaked
 * database-url is confined to the database and reaches no file and no program of the host.
 *
 * Only the data folder's owner calls this, at every start: data written by earlier releases belongs to the superuser.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import type { Sql } from "../connections.ts";
import { type Cluster, connectTo, SERVICE_USER, SUPERUSER, servicePassword } from "./cluster.ts";

/** Creates role and database where missing, and makes the role the owner. `connection` is the superuser's. */
export async function prepareServiceRole(cluster: Cluster, port: number, connection: Sql): Promise<void> {
  const [there] = await connection`
    SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = ${SERVICE_USER}) AS role,
           EXISTS (SELECT FROM pg_database WHERE datname = 'keybeat') AS database`;
  if (!there?.role) await connection.unsafe(`CREATE ROLE ${SERVICE_USER} LOGIN PASSWORD '${secretOf(cluster)}'`);
  // For the statistics that operators read (scripts/monitor); it opens no file.
  await connection.unsafe(`GRANT pg_monitor TO ${SERVICE_USER}`);
  if (!there?.database) {
    await connection.unsafe(`CREATE DATABASE keybeat OWNER ${SERVICE_USER}`);
    return;
  }
  const inside = connectTo(cluster, port, "owner, upgrade", "keybeat");
  try {
    await inside.unsafe(HAND_OVER);
  } finally {
    await inside.end({ timeout: 1 });
  }
  // Last, because commands take it as the sign that the database is ready for them.
  await connection.unsafe(`ALTER DATABASE keybeat OWNER TO ${SERVICE_USER}`);
}

/** True if the database is as the service needs it. */
export const IS_READY = `EXISTS (
  SELECT FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = 'keybeat' AND r.rolname = '${SERVICE_USER}')`;

/**
 * The superuser's schemas, tables, views, functions and types, except those of PostgreSQL itself and of extensions
 * (REASSIGN OWNED refuses for this superuser). Indexes, sequences and types that belong to a table follow it.
 */
const HAND_OVER = `
DO $$
DECLARE
  change text;
BEGIN
  FOR change IN
    WITH ours AS (
      SELECT n.oid, n.nspname, n.nspowner FROM pg_namespace n
      WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    ), owned AS (
      SELECT 'pg_namespace'::regclass AS catalog, oid, nspowner AS owner, format('SCHEMA %I', nspname) AS thing FROM ours
      UNION ALL
      SELECT 'pg_class'::regclass, c.oid, c.relowner, format('%s %I.%I',
             CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
             s.nspname, c.relname)
      FROM pg_class c JOIN ours s ON s.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'm')
         OR c.relkind = 'S' AND NOT EXISTS (
              SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype IN ('a', 'i'))
      UNION ALL
      SELECT 'pg_proc'::regclass, p.oid, p.proowner, format('ROUTINE %s', p.oid::regprocedure)
      FROM pg_proc p JOIN ours s ON s.oid = p.pronamespace
      UNION ALL
      SELECT 'pg_type'::regclass, t.oid, t.typowner, format('TYPE %I.%I', s.nspname, t.typname)
      FROM pg_type t JOIN ours s ON s.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
      WHERE t.typtype IN ('d', 'e', 'r') OR c.relkind = 'c'
    )
    SELECT format('ALTER %s OWNER TO ${SERVICE_USER}', thing) FROM owned
    WHERE owner = '${SUPERUSER}'::regrole
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = catalog AND d.objid = owned.oid AND d.deptype = 'e')
  LOOP
    EXECUTE change;
  END LOOP;
END $$`;

/** PostgreSQL's own form of the password (RFC 5803), so that the password appears in no statement and no log. */
function secretOf(cluster: Cluster): string {
  const rounds = 4096;
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(servicePassword(cluster), salt, rounds, 32, "sha256");
  const keyed = (name: string) => createHmac("sha256", salted).update(name).digest();
  const stored = createHash("sha256").update(keyed("Client Key")).digest("base64");
  return `SCRAM-SHA-256$${rounds}:${salt.toString("base64")}$${stored}:${keyed("Server Key").toString("base64")}`;
}
