/** Faulty ways to start a session. Some sleep where a race has its window, so that no luck is needed to meet it. */
import type { Mutant, Swap } from "../../../support/mutants.ts";

const fn = "start_device_session_at_once";
const ID_LOCK = "PERFORM pg_advisory_xact_lock(1262834004, hashtext(id));";
const KEY_LOCK = "WHERE k.key_hash = hash FOR NO KEY UPDATE";
const SESSION_LOCK = "WHERE s.key_id = owner.id FOR NO KEY UPDATE";
const CLOCK = "at := clock_timestamp();";
const GENERATION = "greatest(owner.generation + 1, (extract(epoch FROM at) * 1000000)::bigint)";
const USED = /IF EXISTS \(SELECT FROM active_sessions[^;]*THEN/;

const NO_KEY_LOCK: Swap = [KEY_LOCK, "WHERE k.key_hash = hash"];
const NO_SESSION_LOCK: Swap = [SESSION_LOCK, "WHERE s.key_id = owner.id"];
/** Between reading and writing. */
const WIDE_WINDOW: Swap = [CLOCK, `${CLOCK} PERFORM pg_sleep(0.05);`];

export const MUTANTS_OF_START: Mutant[] = [
  {
    name: "start counts the live sessions, then inserts, with neither a lock nor one row a key",
    fn,
    swaps: [
      ...[[ID_LOCK, ""] as const, NO_KEY_LOCK, NO_SESSION_LOCK, WIDE_WINDOW],
      [
        /device = with_device\s+WHERE s.key_id = owner.id/,
        "device = with_device WHERE s.session_id = present.session_id",
      ],
    ],
    also: "ALTER TABLE active_sessions DROP CONSTRAINT active_sessions_pkey",
  },
  {
    name: "start writes over whatever is there, without a lock",
    fn,
    swaps: [
      ...[[ID_LOCK, ""] as const, NO_KEY_LOCK, NO_SESSION_LOCK, WIDE_WINDOW],
      [
        "proof->>'beat_id');",
        `proof->>'beat_id')
         ON CONFLICT (key_id) DO UPDATE SET session_id = excluded.session_id, generation = excluded.generation,
           started_at = excluded.started_at, last_heartbeat = excluded.last_heartbeat, device = excluded.device;`,
      ],
    ],
  },
  { name: "start locks the key but not the session that it replaces", fn, swaps: [NO_SESSION_LOCK, WIDE_WINDOW] },
  {
    name: "start does not wait for another start with the same id",
    fn,
    swaps: [[ID_LOCK, ""], WIDE_WINDOW],
  },
  {
    name: "start takes the generation before it has the lock",
    fn,
    swaps: [
      [
        ID_LOCK,
        `SELECT k.generation INTO early FROM keys k WHERE k.key_hash = hash; PERFORM pg_sleep(random() * 0.1); ${ID_LOCK}`,
      ],
      ["owner keys;", "owner keys; early bigint; early_at timestamptz := clock_timestamp();"],
      [GENERATION, "greatest(early + 1, (extract(epoch FROM early_at) * 1000000)::bigint)"],
    ],
  },
  {
    name: "start counts the generation on the session's row",
    fn,
    swaps: [[GENERATION, "coalesce(present.generation, 0) + 1"]],
  },
  { name: "start counts generations without the clock", fn, swaps: [[GENERATION, "owner.generation + 1"]] },
  {
    name: "start takes the generation from the clock alone",
    fn,
    swaps: [[GENERATION, "(extract(epoch FROM at) * 1000000)::bigint"]],
  },
  {
    name: "start forgets to keep the generation with the key",
    fn,
    swaps: [["SET generation = start_device_session_at_once.generation, last_used_at", "SET last_used_at"]],
  },
  {
    name: "start goes by the clock of an application an hour behind",
    fn,
    swaps: [[CLOCK, "at := clock_timestamp() - interval '1 hour';"]],
  },
  {
    name: "start goes by the clock of an application an hour ahead",
    fn,
    swaps: [[CLOCK, "at := clock_timestamp() + interval '1 hour';"]],
  },
  {
    name: "start reads the clock before it has the locks",
    fn,
    swaps: [
      [CLOCK, ""],
      [ID_LOCK, `${CLOCK} ${ID_LOCK}`],
    ],
  },
  {
    name: "start forgets which ids have ended",
    fn,
    swaps: [[/OR EXISTS \(SELECT FROM session_history[^)]*\) THEN/, "THEN"]],
  },
  {
    name: "start forgets which ids live under another key",
    fn,
    swaps: [[USED, "IF EXISTS (SELECT FROM session_history h WHERE h.session_id = id) THEN"]],
  },
  {
    name: "start resumes a session that has expired",
    fn,
    swaps: [
      [
        "IF present.key_id IS NOT NULL AND NOT present_live THEN",
        "IF present.session_id <> id AND NOT present_live THEN",
      ],
      ["IF present_live AND present.session_id = id THEN", "IF present.session_id = id THEN"],
    ],
  },
  {
    name: "a retry of start is no sign of life",
    fn,
    swaps: [["UPDATE active_sessions s SET last_heartbeat = at WHERE s.key_id = owner.id;", ""]],
  },
  {
    name: "a retry of start is a takeover of itself",
    fn,
    swaps: [["outcome := 'resumed';", "outcome := 'started';"]],
  },
  {
    name: "start names an expired session as the one that it replaced",
    fn,
    swaps: [["IF present_live THEN\n    holder", "IF present.key_id IS NOT NULL THEN\n    holder"]],
  },
  {
    name: "start takes an expired session for a holder",
    fn,
    swaps: [[/present_live := [^;]*;/, "present_live := present.key_id IS NOT NULL;"]],
  },
  { name: "start ignores refuse", fn, swaps: [["IF present_live AND refuse THEN", "IF false THEN"]] },
  {
    name: "start ignores expected_generation",
    fn,
    swaps: [["IF present_live AND expected_generation <> present.generation THEN", "IF false THEN"]],
  },
  {
    name: "start wants expected_generation to fit where nobody is live",
    fn,
    swaps: [
      [
        "IF present_live AND expected_generation <> present.generation THEN",
        "IF expected_generation <> coalesce(present.generation, 0) THEN",
      ],
    ],
  },
  { name: "start lets keys in that are no good", fn, swaps: [["outcome := key_fault(owner, at);", ""]] },
  { name: "revoked keys are good", fn: "key_fault", swaps: [["owner.revoked_at IS NOT NULL", "false"]] },
  { name: "expired keys are good", fn: "key_fault", swaps: [["owner.expires_at <= at", "false"]] },
  {
    name: "start keeps no record of the session that it replaced",
    fn,
    swaps: [[/PERFORM record_ending\(present, 'replaced'[^;]*;/, ""]],
  },
  {
    name: "start keeps no record of by which device it was replaced",
    fn,
    swaps: [
      [
        "start_device_session_at_once.generation, with_device);\n    UPDATE",
        "start_device_session_at_once.generation);\n    UPDATE",
      ],
    ],
  },
  {
    name: "start tells the newcomer the other device's session id",
    fn: "holder_of",
    swaps: [["mask_session_id(present.session_id)", "present.session_id"]],
  },
];
