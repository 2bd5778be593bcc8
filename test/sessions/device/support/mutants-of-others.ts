/** Faulty heartbeats, ends, revocations, cleanups, clocks and looks. */
import { BODY, type Mutant } from "../../../support/mutants.ts";

const CLOCK = "at := clock_timestamp();";
const body = (moment: string) => [BODY, `AS $mutant$ BEGIN RETURN ${moment}; END $mutant$`] as const;

const MUTANTS_OF_HEARTBEATS: Mutant[] = [
  {
    name: "a heartbeat takes no notice of the timeout",
    fn: "beat_sessions",
    swaps: [["AND s.last_heartbeat > cutoff", ""]],
  },
  {
    name: "a heartbeat waits for a lock, and goes by the clock from before it",
    fn: "beat_sessions",
    swaps: [
      ["cutoff := session_cutoff(beat_at);", ""],
      ["locked := ARRAY", "cutoff := session_cutoff(clock_timestamp());\n  locked := ARRAY"],
      ["FOR NO KEY UPDATE SKIP LOCKED", "FOR NO KEY UPDATE"],
    ],
  },
  {
    name: "a heartbeat is one UPDATE that reads the clock in its WHERE clause",
    fn: "beat_sessions",
    swaps: [
      [
        "WHERE s.ctid = ANY (locked) AND s.last_heartbeat > cutoff",
        "WHERE s.session_id = ANY (asked) AND s.last_heartbeat > session_cutoff(clock_timestamp())",
      ],
    ],
  },
  {
    name: "a heartbeat waits for whoever holds any session of its batch",
    fn: "beat_sessions",
    swaps: [["FOR NO KEY UPDATE SKIP LOCKED", "FOR NO KEY UPDATE"]],
  },
  {
    name: "a heartbeat brings a session back that has ended",
    fn: "beat_sessions",
    swaps: [
      [
        "locked := ARRAY",
        `INSERT INTO active_sessions
         SELECT h.key_id, h.access_key, h.session_id, h.generation, h.started_at, clock_timestamp(), h.device
         FROM session_history h WHERE h.session_id = ANY (asked) ON CONFLICT DO NOTHING;
         locked := ARRAY`,
      ],
    ],
  },
  {
    name: "a heartbeat takes the key back from the successor",
    fn: "beat_sessions",
    swaps: [
      [
        "locked := ARRAY",
        `UPDATE active_sessions s SET session_id = h.session_id
         FROM session_history h WHERE h.session_id = ANY (asked) AND h.reason = 'replaced' AND s.key_id = h.key_id;
         locked := ARRAY`,
      ],
    ],
  },
  {
    name: "a heartbeat goes by the clock of an application an hour behind",
    fn: "beat_sessions",
    swaps: [["beat_at := clock_timestamp();", "beat_at := clock_timestamp() - interval '1 hour';"]],
  },
  {
    name: "a heartbeat does not tell why a session ended",
    fn: "find_endings",
    swaps: [["WHERE h.session_id = ANY (asked)", "WHERE false"]],
  },
];

const MUTANTS_OF_ENDS: Mutant[] = [
  {
    name: "an end ends whatever session the key has by now",
    fn: "end_session",
    swaps: [
      [
        "WHERE s.session_id = id FOR UPDATE",
        `WHERE s.key_id IN (SELECT a.key_id FROM active_sessions a WHERE a.session_id = id
           UNION SELECT h.key_id FROM session_history h WHERE h.session_id = id) FOR UPDATE`,
      ],
    ],
  },
  {
    name: "an end reads the clock before it has the lock",
    fn: "end_session",
    swaps: [
      [CLOCK, ""],
      ["SELECT s.* INTO", `${CLOCK} SELECT s.* INTO`],
    ],
  },
  {
    name: "an end ends a session that has expired",
    fn: "end_session",
    swaps: [[/ended := [^;]*;/, "ended := present.key_id IS NOT NULL;"]],
  },
  {
    name: "an end does not lock the session",
    fn: "end_session",
    swaps: [
      ["WHERE s.session_id = id FOR UPDATE", "WHERE s.session_id = id"],
      [CLOCK, `${CLOCK} PERFORM pg_sleep(0.05);`],
    ],
  },
  {
    name: "an end does not wait for a start with its id",
    fn: "end_session",
    swaps: [["PERFORM pg_advisory_xact_lock(1262834004, hashtext(id));", ""]],
  },
  { name: "an end keeps no record", fn: "end_session", swaps: [["PERFORM record_ending(present, 'ended', at);", ""]] },
  { name: "an end leaves the session", fn: "end_session", swaps: [[/DELETE FROM active_sessions[^;]*;/, ""]] },
  {
    name: "a revocation leaves the session",
    fn: "revoke_key",
    swaps: [["session_revoked := kick_session(of_key, NULL, with_note);", "session_revoked := false;"]],
  },
  {
    name: "a revocation ends the session first and closes the door afterwards",
    fn: "revoke_key",
    swaps: [
      ["session_revoked := kick_session(of_key, NULL, with_note);", ""],
      [/PERFORM FROM keys[^;]*;/, "session_revoked := kick_session(of_key, NULL, with_note); PERFORM pg_sleep(0.05);"],
    ],
  },
  {
    name: "a revocation reads the clock before it has the lock",
    fn: "free_key",
    swaps: [
      [CLOCK, ""],
      ["SELECT s.* INTO", `${CLOCK} SELECT s.* INTO`],
    ],
  },
  {
    name: "a late kick ends the successor",
    fn: "free_key",
    swaps: [["coalesce(only_generation, s.generation)", "s.generation"]],
  },
  {
    name: "a revocation says revoked of a session that has expired",
    fn: "free_key",
    swaps: [[/revoked := [^;]*;/, "revoked := present.key_id IS NOT NULL;"]],
  },
];

const MUTANTS_OF_CLEANUP: Mutant[] = [
  {
    name: "the cleanup takes live sessions",
    fn: "expire_sessions",
    swaps: [[/session_cutoff\(clock_timestamp\(\)\)/g, "clock_timestamp()"]],
  },
  {
    name: "the cleanup takes sessions two seconds early",
    fn: "expire_sessions",
    swaps: [[/session_cutoff\(clock_timestamp\(\)\)/g, "session_cutoff(clock_timestamp()) + interval '2 seconds'"]],
  },
  { name: "the cleanup takes nothing", fn: "expire_sessions", swaps: [["LIMIT at_most", "LIMIT 0"]] },
  {
    name: "the cleanup keeps no record",
    fn: "expire_sessions",
    swaps: [["FROM gone g", "FROM gone g WHERE false"]],
  },
];

const MUTANTS_OF_THE_CLOCK: Mutant[] = [
  {
    name: "the timeout goes by the clock of an application an hour ahead",
    fn: "session_cutoff",
    swaps: [body("at + interval '1 hour' - session_timeout()")],
  },
  {
    name: "the timeout goes by the clock of an application an hour behind",
    fn: "session_cutoff",
    swaps: [body("at - interval '1 hour' - session_timeout()")],
  },
  {
    name: "sessions live for 58 seconds",
    fn: "session_cutoff",
    swaps: [body("at - session_timeout() + interval '2 seconds'")],
  },
  {
    name: "sessions live for 62 seconds",
    fn: "session_cutoff",
    swaps: [body("at - session_timeout() - interval '2 seconds'")],
  },
  {
    name: "sessions live for ever",
    fn: "session_cutoff",
    swaps: [body("'-infinity'::timestamptz")],
  },
  {
    name: "an outage of ours expires everybody",
    fn: "session_cutoff",
    swaps: [body("at - session_timeout()")],
  },
];

const MUTANTS_OF_JUMPS: Mutant[] = [
  {
    name: "nobody sees that the clock went back",
    fn: "serve_tick",
    swaps: [[/went_back := [^;]*;/, "went_back := false;"]],
  },
  {
    name: "a gap that is still to come is one that goes on",
    fn: "gaps_until",
    swaps: [
      [
        /\* tstzmultirange\(tstzrange\(NULL::timestamp with time zone, at\)\)|\* tstzmultirange\(tstzrange\(NULL, at\)\)/,
        "",
      ],
    ],
  },
  {
    name: "a clock that goes back brings the dead back",
    fn: "redate_sessions",
    swaps: [["WHEN s.last_heartbeat <= dead_until THEN s.last_heartbeat - back ELSE moment", "WHEN true THEN moment"]],
  },
  {
    name: "a service that dies again and again keeps the dead",
    fn: "gap_cutoff",
    swaps: [["greatest(as_of - timeout, bound)", "as_of - timeout"]],
  },
  {
    name: "of gaps in a row only the last one is forgiven",
    fn: "gap_cutoff",
    swaps: [["as_of := lower(gap)", "as_of := CASE WHEN as_of = at THEN lower(gap) ELSE as_of END"]],
  },
];

const MUTANTS_OF_WAITING: Mutant[] = [
  {
    name: "each lock is waited for anew",
    fn: "limit_waiting",
    swaps: [[/left_ms integer := [^;]*;/, "left_ms integer := 2000;"]],
  },
  {
    name: "whoever takes over holds the session while it waits for the history",
    fn: "claim_endings",
    swaps: [["LOCK TABLE session_history IN ROW EXCLUSIVE MODE;", ""]],
  },
  {
    name: "a silent session is told that it expired, though that could not be written down",
    fn: "look_at_sessions",
    swaps: [["ELSE 'locked' END", "ELSE 'expired' END"]],
  },
];

const MUTANTS_OF_LOOKING: Mutant[] = [
  {
    name: "a watch takes no notice of the timeout",
    fn: "look_at_sessions",
    swaps: [["session_cutoff(clock_timestamp())", "'-infinity'"]],
  },
  {
    name: "a watch is a sign of life",
    fn: "look_at_sessions",
    swaps: [
      [
        "RETURN QUERY",
        `UPDATE active_sessions s SET last_heartbeat = clock_timestamp() WHERE s.session_id = ANY (asked);
         RETURN QUERY`,
      ],
    ],
  },
  {
    name: "status takes no notice of the timeout",
    statement: ["s.last_heartbeat > session_cutoff(clock_timestamp()) AS live", "true AS live"],
  },
  {
    name: "status tells everybody the holder's session id",
    statement: ["ELSE mask_session_id(s.session_id) END", "ELSE s.session_id END"],
  },
  {
    name: "people see whole session ids",
    fn: "mask_session_id",
    swaps: [[BODY, "AS $mutant$ SELECT session_id $mutant$"]],
  },
];

export const MUTANTS_OF_OTHERS: Mutant[] = [
  ...MUTANTS_OF_HEARTBEATS,
  ...MUTANTS_OF_ENDS,
  ...MUTANTS_OF_CLEANUP,
  ...MUTANTS_OF_THE_CLOCK,
  ...MUTANTS_OF_JUMPS,
  ...MUTANTS_OF_WAITING,
  ...MUTANTS_OF_LOOKING,
];
