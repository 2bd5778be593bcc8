/** Faulty beats with proof, challenges, copies and starts. */
import type { Mutant } from "../../../support/mutants.ts";

const beat = (name: string, ...swaps: Array<readonly [string | RegExp, string]>): Mutant => ({
  name: `a beat with proof ${name}`,
  fn: "beat_with_proof",
  swaps,
});
const judge = (name: string, ...swaps: Array<readonly [string | RegExp, string]>): Mutant => ({
  name,
  fn: "judge_beat",
  swaps,
});
const challenge = (name: string, from: string | RegExp, to = "''"): Mutant => ({
  name: `a challenge ${name}`,
  fn: "challenge_of",
  swaps: [[from, to]],
});
const start = (name: string, ...swaps: Array<readonly [string | RegExp, string]>): Mutant => ({
  name: `start ${name}`,
  fn: "start_device_session_at_once",
  swaps,
});

const take = (name: string, ...swaps: Array<readonly [string | RegExp, string]>): Mutant => ({
  name: `a start or a lease ${name}`,
  fn: "take_beat",
  swaps,
});

const ANSWERED = "answers_challenge(answer, present, instance, number, beat, at)";

export const MUTANTS_OF_PROOF: Mutant[] = [
  beat("takes no notice of the timeout", ["AND s.last_heartbeat > cutoff\n      AND judge_beat", "AND judge_beat"]),
  beat("is told that a silent session lives", [/AND s\.last_heartbeat > cutoff;/, ";"]),
  beat("waits for whoever holds any session of its batch", ["FOR NO KEY UPDATE SKIP LOCKED", "FOR NO KEY UPDATE"]),
  beat("is never durable", ["IF displaced IS NOT TRUE THEN", "IF true THEN"]),
  beat("is always durable", ["IF displaced IS NOT TRUE THEN", "IF false THEN"]),
  beat("does not keep its number", ["proof_number = a.number, ", ""]),
  beat("does not keep its id", ["proof_beat = a.beat,", ""]),
  beat("does not displace", ["proof_instance = a.instance, ", ""]),
  beat("forgets whom it displaces", [",\n        proof_displaced = displaced_by(a.instance, s)", ""]),
  beat("is no sign of life", ["SET last_heartbeat = beat_at, ", "SET "]),
  judge("a beat sent again is a heartbeat", ["THEN 'again'", "THEN 'follows'"]),
  judge("a beat sent again is challenged", [/WHEN [^W]*THEN 'again'/, ""]),
  judge("a beat must follow without a gap", ["number > present.proof_number", "number = present.proof_number + 1"]),
  judge("a beat may come late", ["number > present.proof_number", "true"]),
  judge("nobody is challenged", [`${ANSWERED} IS NOT TRUE`, "false"]),
  judge("any answer will do", [`${ANSWERED} IS NOT TRUE`, "coalesce(answer, '') = ''"]),
  judge("a displaced instance is a new one", [" OR instance = ANY (present.proof_displaced)", ""]),
  judge("an instance that beats twice is a new one", [
    "instance = present.proof_instance OR instance = ANY",
    "instance = ANY",
  ]),
  challenge("is good for another session", "present.session_id"),
  challenge("is good for another instance", "instance, number, beat)", "number, beat)"),
  challenge("is good for another number", "number, beat)", "beat)"),
  challenge("is good for another beat", "number, beat)", "number)"),
  challenge("is good after another beat", /coalesce\([^)]*\)::text\)/i),
  challenge("is good after a plain beat", /extract\([^)]*\)::text/i),
  challenge("can be made by anybody", /t\.challenge_secret \|\| /g, "'x'::bytea || "),
  {
    name: "a challenge is good for ever",
    fn: "answers_challenge",
    swaps: [["at - interval '1 minute'", "'-infinity'"]],
  },
  {
    name: "a challenge is good before it was made",
    fn: "answers_challenge",
    swaps: [["AND at\n", "AND 'infinity'\n"]],
  },
  {
    name: "all that were ever displaced are kept",
    fn: "displaced_by",
    swaps: [["[1:8]", "[1:99]"]],
  },
  {
    name: "only the last one that was displaced is kept",
    fn: "displaced_by",
    swaps: [["[1:8]", "[1:1]"]],
  },
  {
    name: "a plain heartbeat keeps a session with proof alive",
    fn: "beat_sessions",
    swaps: [[" AND s.proof_instance IS NULL", ""]],
  },
  {
    name: "nobody is told that proof is required",
    fn: "look_at_sessions",
    swaps: [["s.proof_instance IS NOT NULL", "false"]],
  },
  { name: "a copy keeps no record", fn: "record_copy", swaps: [["PERFORM record_ending(present, 'cloned', at);", ""]] },
  { name: "a copy leaves the session", fn: "record_copy", swaps: [[/DELETE FROM[^;]*;/, ""]] },
  { name: "a copy is not audited", fn: "record_copy", swaps: [[/PERFORM record_audit[^;]*;/, ""]] },
  { name: "a copy is ended unproven", fn: "end_copy", swaps: [[/AND judge_beat[^;]*;/, ";"]] },
  {
    name: "a copy that fell silent is one",
    fn: "end_copy",
    swaps: [["AND present.last_heartbeat > session_cutoff(at)", ""]],
  },
  {
    name: "a copy is ended without a lock",
    fn: "end_copy",
    swaps: [
      [" FOR UPDATE", ""],
      ["at := clock_timestamp();", "at := clock_timestamp(); PERFORM pg_sleep(0.05);"],
    ],
  },
  { name: "a copy is told, but not ended", fn: "end_copy", swaps: [["IF cloned THEN", "IF false THEN"]] },
  start("resumes without proof", ["IF proof IS NULL AND present.proof_instance IS NULL THEN", "IF proof IS NULL THEN"]),
  take("needs no proof", ["CASE WHEN present.proof_instance IS NOT NULL THEN 'proof_required' END", "NULL"]),
  take("goes on unasked", ["ELSIF verdict = 'unproven' THEN", "ELSIF false THEN"]),
  take("goes on, whoever asks", [
    "verdict IN ('follows', 'displaces')",
    "verdict IN ('follows', 'displaces', 'unproven')",
  ]),
  take("forgets whom it displaces", [/,\s+proof_displaced = displaced_by\(instance, present\)/, ""]),
  take("is no sign of life", ["SET last_heartbeat = at, proof_instance", "SET proof_instance"]),
  take("keeps a copy", ["PERFORM record_copy(present, at);", ""]),
  take("that is sent again is a heartbeat", [
    "verdict IN ('follows', 'displaces')",
    "verdict IN ('follows', 'displaces', 'again')",
  ]),
  start("creates a session without its proof", [
    "proof->>'instance', (proof->>'number')::bigint, proof->>'beat_id');",
    "NULL, NULL, NULL);",
  ]),
  start("leaves the instances before", ["proof_displaced = NULL, ", ""]),
  start("leaves the current instance before", [/proof_instance = proof->>'instance', [^\n]*\n/, ""]),
];
