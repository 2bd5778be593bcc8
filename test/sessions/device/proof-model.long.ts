/**
 * Random stories of proofs at large, and the same of programs with a planted fault: the holes that the protocol would have
 * without each of its rules (src/trust/README.md) are found by them.
 */
import { describe, expect, inject, it } from "vitest";
import { cloneDatabase, useDatabase } from "../../support/database.ts";
import { type Mutant, plant } from "../../support/mutants.ts";
import { sampleOfToday } from "../../support/sample.ts";
import { tellProofs } from "./support/proof-model.ts";

const HONEST = 100_000 * inject("share");
const COPIES = 20_000 * inject("share");
const TIMEOUT_MS = 3_600_000;
/** So many tell of any of these faults, ten times over. */
const ENOUGH = { honest: 10_000, copies: 2_000 };

const UNPROVEN =
  /WHEN \(?answers_challenge\(answer, present, instance, number, beat, at\) IS NOT TRUE\)? THEN 'unproven'/;
const judge = (name: string, ...swaps: Array<readonly [string | RegExp, string]>): Mutant => ({
  name,
  fn: "judge_beat",
  swaps,
});
const unprovenUnless = (proven: string) =>
  [
    UNPROVEN,
    `WHEN NOT (${proven}) AND answers_challenge(answer, present, instance, number, beat, at) IS NOT TRUE THEN 'unproven'`,
  ] as const;

const FALSE_ALARMS: Mutant[] = [
  judge(
    "a challenge to somebody else is good though another beat was accepted since: the answer of a process that has died since",
    unprovenUnless("answer <> '' AND instance IS DISTINCT FROM present.proof_instance"),
  ),
  judge(
    "a new instance displaces unasked: the start of a process that has died since",
    unprovenUnless(
      "instance IS DISTINCT FROM present.proof_instance AND instance = ANY (present.proof_displaced) IS NOT TRUE",
    ),
  ),
  judge(
    "a challenge to the current instance is good though it has beaten since: a beat that was overtaken",
    unprovenUnless("answer <> '' AND instance = present.proof_instance"),
  ),
  {
    name: "a challenge outlives the beat before it",
    fn: "challenge_of",
    swaps: [
      [/COALESCE\(present\.proof_beat, [^)]*\)[^)]*\)::text\)|coalesce\(present\.proof_beat, [^)]*\)::text\)/, "''"],
    ],
  },
  judge("a displaced instance is a copy unasked", unprovenUnless("instance = ANY (present.proof_displaced)")),
  judge(
    "whoever beats with a number that is not higher is a copy unasked",
    unprovenUnless("instance = present.proof_instance"),
  ),
];

const MISSED: Mutant[] = [
  judge("the last beat, sent again, is a new one", [/WHEN [^W]*THEN 'again'/, ""]),
  judge("a number that is not higher is a mere beat", ["number > present.proof_number", "true"]),
  judge("a number must follow without a gap", ["number > present.proof_number", "number = present.proof_number + 1"]),
  judge("a displaced instance is a new one", [" OR instance = ANY (present.proof_displaced)", ""]),
  {
    name: "nobody remembers who was displaced",
    fn: "displaced_by",
    swaps: [[/SELECT\s+CASE[\s\S]*END/, "SELECT NULL::text[]"]],
  },
  { name: "no copy is ended", fn: "end_copy", swaps: [["IF cloned THEN", "IF false THEN"]] },
];

describe("proofs", () => {
  const db = useDatabase();

  it(`take nothing for a copy in ${HONEST} random stories, and tell both sides of ${COPIES} real ones`, {
    timeout: TIMEOUT_MS,
  }, async () => {
    expect(await tellProofs(db, { honest: HONEST, copies: COPIES })).toBe("as due");
  });

  it.each(sampleOfToday([...FALSE_ALARMS, ...MISSED], 1 / inject("share")))(
    "are found out: $name",
    { timeout: TIMEOUT_MS },
    async (mutant) => {
      const faulty = await cloneDatabase();
      try {
        await plant(faulty, mutant);
        const found = await tellProofs(faulty, ENOUGH);
        console.log(`${mutant.name}\n${found}`);
        expect(found).toMatch(
          FALSE_ALARMS.includes(mutant) ? /a false alarm/ : /not told|nobody was told|is not accepted|a false alarm/,
        );
      } finally {
        await faulty.drop();
      }
    },
  );
});
