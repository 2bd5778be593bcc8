/** Faulty leases, and faulty sign-outs by a key's owner. */
import type { Mutant } from "../../../support/mutants.ts";

const START = "start_device_session_at_once";
const HELD = "leased.until > at AND leased.lease_id IS DISTINCT FROM lease";
const CLOCK = "at := clock_timestamp();";
const SESSION_LOCK = "s.session_id = take_lease.id FOR NO KEY UPDATE";
const GIVEN = "IF (lease.until > at AND lease.generation = present.generation) IS NOT TRUE THEN";

export const MUTANTS_OF_OWNERS: Mutant[] = [
  { name: "a start knows nothing of leases", fn: START, swaps: [[HELD, "false"]] },
  {
    name: "a start takes any lease for the right one",
    fn: START,
    swaps: [[HELD, "leased.until > at AND lease IS NULL"]],
  },
  {
    name: "a start heeds a lease that is over",
    fn: START,
    swaps: [[HELD, "leased.key_id IS NOT NULL AND leased.lease_id IS DISTINCT FROM lease"]],
  },
  { name: "a lease holds only against starts that refuse", fn: START, swaps: [[HELD, `refuse AND ${HELD}`]] },
  { name: "a lease holds only where nobody is live", fn: START, swaps: [[HELD, `NOT present_live AND ${HELD}`]] },
  {
    name: "a start leaves the lease",
    fn: START,
    swaps: [["DELETE FROM leases l WHERE l.key_id = owner.id;", "NULL;"]],
  },
  {
    name: "a lease keeps the live session itself from being resumed",
    fn: START,
    swaps: [
      [
        "  IF present_live AND present.session_id = id THEN",
        `  IF EXISTS (SELECT FROM leases l WHERE l.key_id = owner.id AND l.until > at AND lease IS NULL) THEN
             outcome := 'key_in_use';
             RETURN;
           END IF;
           IF present_live AND present.session_id = id THEN`,
      ],
    ],
  },
  {
    name: "a silent session is given a lease",
    fn: "take_lease",
    swaps: [[" OR present.last_heartbeat <= session_cutoff(at)", ""]],
  },
  {
    name: "a lease brings a silent session back",
    fn: "take_lease",
    swaps: [
      [
        CLOCK,
        "UPDATE active_sessions s SET last_heartbeat = clock_timestamp() WHERE s.session_id = take_lease.id; present.last_heartbeat := clock_timestamp(); at := clock_timestamp();",
      ],
    ],
  },
  { name: "each request is another lease", fn: "take_lease", swaps: [[GIVEN, "IF true THEN"]] },
  {
    name: "a lease outlasts its key",
    fn: "take_lease",
    swaps: [["least(at + make_interval(secs => seconds), owner.expires_at)", "at + make_interval(secs => seconds)"]],
  },
  {
    name: "a lease is given without a lock",
    fn: "take_lease",
    swaps: [
      ["s.session_id = take_lease.id) FOR NO KEY UPDATE", "s.session_id = take_lease.id)"],
      [SESSION_LOCK, "s.session_id = take_lease.id"],
      [CLOCK, `${CLOCK} PERFORM pg_sleep(0.05);`],
    ],
  },
  {
    name: "a lease does not lock the session that an operator kicks",
    fn: "take_lease",
    swaps: [
      [SESSION_LOCK, "s.session_id = take_lease.id"],
      [CLOCK, `${CLOCK} PERFORM pg_sleep(0.05);`],
    ],
  },
  {
    name: "a lease takes no turn with its session's end",
    fn: "take_lease",
    swaps: [
      ["PERFORM pg_advisory_xact_lock(1262834004, hashtext(id));", ""],
      [SESSION_LOCK, "s.session_id = take_lease.id"],
      [CLOCK, `${CLOCK} PERFORM pg_sleep(0.05);`],
    ],
  },
  {
    name: "a lease that is given back stays",
    fn: "return_lease",
    swaps: [["WHERE l.lease_id = return_lease.id RETURNING", "WHERE false RETURNING"]],
  },
  {
    name: "one lease given back ends all",
    fn: "return_lease",
    swaps: [["WHERE l.lease_id = return_lease.id RETURNING", "WHERE l.until > '-infinity' RETURNING"]],
  },
  {
    name: "a lease that was over is said to be given back",
    fn: "return_lease",
    swaps: [["coalesce(ended_until > clock_timestamp(), false)", "ended_until IS NOT NULL"]],
  },
  {
    name: "a kick leaves the lease",
    fn: "free_key",
    swaps: [["WHERE l.key_id = of_key AND l.generation", "WHERE false AND l.generation"]],
  },
  {
    name: "a kick ends the lease of any generation",
    fn: "free_key",
    swaps: [["l.generation = coalesce(only_generation, l.generation)", "true"]],
  },
  {
    name: "the cleanup takes leases that hold",
    fn: "forget_leases",
    swaps: [["old.until <= (SELECT retention_clock())", "true"]],
  },
  {
    name: "the cleanup leaves leases that are over",
    fn: "forget_leases",
    swaps: [["old.until <= (SELECT retention_clock())", "false"]],
  },
  { name: "the status says nothing of a lease", statement: ["AND l.until > clock_timestamp()", "AND false"] },
  {
    name: "a sign-out takes no notice of the generation",
    fn: "sign_out_session",
    swaps: [["present.generation IS DISTINCT FROM expected_generation", "false"]],
  },
  {
    name: "a sign-out turns an expired session into an ended one",
    fn: "sign_out_session",
    swaps: [[" AND present.last_heartbeat <= session_cutoff(at)", " AND false"]],
  },
  {
    name: "a sign-out leaves the session",
    fn: "sign_out_session",
    swaps: [
      ["PERFORM record_noted_ending(present, 'ended', at, with_note);", ""],
      [/DELETE FROM active_sessions[^;]*;/, ""],
    ],
  },
  {
    name: "a key that expired signs devices out",
    fn: "sign_out_session",
    swaps: [["key_fault(owner, at)", "nullif(key_fault(owner, at), 'key_expired')"]],
  },
  {
    name: "a sign-out frees the lease, too",
    fn: "sign_out_session",
    swaps: [
      [
        /DELETE FROM active_sessions[^;]*;/,
        "DELETE FROM leases l WHERE l.key_id = present.key_id; DELETE FROM active_sessions s WHERE s.key_id = present.key_id;",
      ],
    ],
  },
];
