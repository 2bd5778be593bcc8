/** More faulty leases and sign-outs: in their clocks, their words, and what they leave alone. */
import type { Mutant, Swap } from "../../../support/mutants.ts";

const of =
  (fn: string) =>
  (name: string, ...swaps: Swap[]): Mutant => ({ name, fn, swaps });
const take = of("take_lease");
const start = of("start_device_session_at_once");
const signOut = of("sign_out_session");
const redate = of("redate_leases");

const CLOCK = "at := clock_timestamp();";
const READ = "SELECT l.* INTO leased FROM leases l WHERE l.key_id = owner.id;";
const KEY = "SELECT k.* INTO owner";
const SESSION = "SELECT s.* INTO present";

export const MUTANTS_OF_LEASES: Mutant[] = [
  take("a lease goes by the clock from before the lock", [CLOCK, ""], [SESSION, `${CLOCK} ${SESSION}`]),
  take("an expired key gets a lease", ["key_fault(owner, at) IS NOT NULL", "owner.revoked_at IS NOT NULL"]),
  take("a lease that is over is given again", ["lease.until > at AND ", ""]),
  take("a lease is a sign of life", [
    "outcome := 'leased';",
    "outcome := 'leased'; UPDATE active_sessions s SET last_heartbeat = at WHERE s.key_id = owner.id;",
  ]),
  take("a lease is given without a beat", [/SELECT b\.refused[^;]*;/, ""]),
  take("a lease is given to whoever is refused", ["IF outcome IS NOT NULL THEN", "IF false THEN"]),
  take("a lease is refused after its beat was taken", [
    "IF key_fault(owner, at) IS NOT NULL",
    "PERFORM take_beat(present, proof, at); IF key_fault(owner, at) IS NOT NULL",
  ]),
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
  start("a start that resumes ends the lease", [
    "outcome := 'resumed';",
    "outcome := 'resumed'; DELETE FROM leases l WHERE l.key_id = owner.id;",
  ]),
  of("free_key")("a kick frees a lease that was over", [
    "coalesce(leased_until > at, false)",
    "leased_until IS NOT NULL",
  ]),
  redate("a lease given in the future lasts until then", [
    "SET until = moment + (l.until - l.issued_at), issued_at",
    "SET issued_at",
  ]),
  redate("a lease given in the future stays there", ["LIMIT 10000", "LIMIT 0"]),
  { name: "the status shows a lease that is over", statement: ["AND l.until > clock_timestamp()", ""] },
  signOut("a sign-out goes by the clock from before the lock", [CLOCK, ""], [SESSION, `${CLOCK} ${SESSION}`]),
  signOut("a revoked key signs out", ["key_fault(owner, at)", "nullif(key_fault(owner, at), 'key_revoked')"]),
  signOut("sign-outs never wait", ["endings_max > 0", "false"]),
  signOut("a sign-out keeps no record", [/PERFORM record_noted_ending[^;]*;/, ""]),
  signOut("a sign-out is a revocation", ["'ended', at, with_note", "'revoked', at, with_note"]),
  signOut("a sign-out tells no reason", ["at, with_note", "at, NULL"]),
];
