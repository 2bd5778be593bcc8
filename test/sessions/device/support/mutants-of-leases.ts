/** Faulty leases, and sign-outs by the owner of a key. */
import type { Mutant, Swap } from "../../../support/mutants.ts";

const of =
  (fn: string) =>
  (name: string, ...swaps: Swap[]): Mutant => ({ name, fn, swaps });
const take = of("take_lease");
const giveBack = of("return_lease");
const start = of("start_device_session_at_once");
const free = of("free_key");
const signOut = of("sign_out_session");

const CLOCK = "at := clock_timestamp();";
const DELETED = /DELETE FROM leases[^;]*;/;
const HELD = "leased.until > at AND leased.lease_id IS DISTINCT FROM lease";
const READ = "SELECT l.* INTO leased FROM leases l WHERE l.key_id = owner.id;";
const KEY = "SELECT k.* INTO owner";
const SESSION = "SELECT s.* INTO present";

const MUTANTS_OF_OWNERS: Mutant[] = [
  signOut("a sign-out reads the clock before it has the lock", [CLOCK, ""], [SESSION, `${CLOCK} ${SESSION}`]),
  signOut("a sign-out ends whoever is there", ["present.generation IS DISTINCT FROM expected_generation", "false"]),
  signOut("a sign-out of an expired session is an end", [
    "AND present.last_heartbeat <= session_cutoff(at)",
    "AND false",
  ]),
  signOut("a revoked key signs out", ["owner.revoked_at IS NOT NULL", "false"]),
  signOut("an expired key signs out", ["owner.expires_at <= at", "false"]),
  signOut("sign-outs never wait", ["endings_max > 0", "false"]),
  signOut("a sign-out leaves the session", [/DELETE FROM active_sessions[^;]*;/, ""]),
  signOut("a sign-out keeps no record", [/PERFORM record_noted_ending[^;]*;/, ""]),
  signOut("a sign-out is a revocation", ["'ended', at, with_note", "'revoked', at, with_note"]),
  signOut("a sign-out tells no reason", ["at, with_note", "at, NULL"]),
  signOut("a sign-out ends the lease", [
    "outcome := 'signed_out';",
    "outcome := 'signed_out'; DELETE FROM leases l WHERE l.key_id = owner.id;",
  ]),
];

export const MUTANTS_OF_LEASES: Mutant[] = [
  take("a silent session gets a lease", [" OR present.last_heartbeat <= session_cutoff(at)", ""]),
  take("a lease goes by the clock from before the lock", [CLOCK, ""], [SESSION, `${CLOCK} ${SESSION}`]),
  take("an expired key gets a lease", [" OR owner.expires_at <= at", ""]),
  take("a lease outlasts its key", [/owner\.expires_at\)\)/, "NULL))"]),
  take("a lease asked for again is another one", [
    "(lease.until > at AND lease.generation = present.generation) IS NOT TRUE",
    "true",
  ]),
  take("a lease that is over is given again", ["lease.until > at AND ", ""]),
  take("a lease is a sign of life", [
    "outcome := 'leased';",
    "outcome := 'leased'; UPDATE active_sessions s SET last_heartbeat = at WHERE s.key_id = owner.id;",
  ]),
  giveBack("a lease that was over is given back", [
    "coalesce(ended_until > clock_timestamp(), false)",
    "ended_until IS NOT NULL",
  ]),
  giveBack("a lease given back holds on", [
    DELETED,
    "SELECT l.until INTO ended_until FROM leases l WHERE l.lease_id = return_lease.id;",
  ]),
  giveBack("whatever is given back frees everybody's key", [
    DELETED,
    "SELECT l.until INTO ended_until FROM leases l WHERE l.lease_id = return_lease.id; DELETE FROM leases;",
  ]),
  start("start takes no notice of a lease", [HELD, "false"]),
  start("start takes any lease for the right one", ["leased.lease_id IS DISTINCT FROM lease", "lease IS NULL"]),
  start("start is kept out by a lease that is over", [HELD, "leased.lease_id IS DISTINCT FROM lease"]),
  start("start replaces in spite of a lease", [HELD, `refuse AND ${HELD}`]),
  start(
    "start reads the lease before it has the lock",
    [READ, ""],
    [
      KEY,
      `SELECT l.* INTO leased FROM leases l JOIN keys x ON x.id = l.key_id WHERE x.key_hash = hash;
     PERFORM pg_sleep(0.05); ${KEY}`,
    ],
  ),
  start("start says nothing of the lease that keeps it out", ["leased_until := leased.until;", ""]),
  start("start leaves the lease that it comes back by", [DELETED, ""]),
  start("a start that resumes ends the lease", [
    "outcome := 'resumed';",
    "outcome := 'resumed'; DELETE FROM leases l WHERE l.key_id = owner.id;",
  ]),
  start("nobody starts by an id while the key is leased, not even its own", [
    "IF present_live AND present.session_id = id THEN",
    "IF present_live AND present.session_id = id AND NOT EXISTS (SELECT FROM leases l WHERE l.key_id = owner.id) THEN",
  ]),
  free("a key is freed, and its lease is not", [DELETED, ""]),
  free("a late kick ends the lease of the successor", ["coalesce(only_generation, l.generation)", "l.generation"]),
  free("a kick frees a lease that was over", ["coalesce(leased_until > at, false)", "leased_until IS NOT NULL"]),
  of("forget_leases")("the cleanup takes leases that hold", ["old.until <= (SELECT retention_clock())", "true"]),
  of("forget_leases")("the cleanup leaves leases that are over", ["LIMIT 10000", "LIMIT 0"]),
  of("redate_leases")("a lease given in the future lasts until then", [
    "SET until = moment + (l.until - l.issued_at), issued_at",
    "SET issued_at",
  ]),
  of("redate_leases")("a lease given in the future stays there", ["LIMIT 10000", "LIMIT 0"]),
  { name: "status shows a lease that is over", statement: ["AND l.until > clock_timestamp()", ""] },
  ...MUTANTS_OF_OWNERS,
];
