/** The test of the tests: of every faulty program at least one guarantee must be found broken, of the sound one none. */
import { describe, expect, inject, it } from "vitest";
import { cloneDatabase } from "../../support/database.ts";
import { type Mutant, plant } from "../../support/mutants.ts";
import { sampleOfToday } from "../../support/sample.ts";
import { MUTANTS_OF_LEASES } from "./support/mutants-of-leases.ts";
import { MUTANTS_OF_OTHERS } from "./support/mutants-of-others.ts";
import { MUTANTS_OF_OWNERS } from "./support/mutants-of-owners.ts";
import { MUTANTS_OF_PROOF } from "./support/mutants-of-proof.ts";
import { MUTANTS_OF_START } from "./support/mutants-of-start.ts";
import { findViolations } from "./support/probes.ts";
import { CALM_PROBES } from "./support/probes-calm.ts";
import { PROBES_OF_LEASES } from "./support/probes-of-leases.ts";
import { PROBES_OF_OWNERS } from "./support/probes-of-owners.ts";
import { PROBES_OF_PROOF } from "./support/probes-of-proof.ts";
import { RACING_PROBES } from "./support/probes-racing.ts";
import { WAITING_PROBES } from "./support/probes-waiting.ts";
import { openProcesses } from "./support/subject.ts";

const PROBES = [
  ...CALM_PROBES,
  ...WAITING_PROBES,
  ...RACING_PROBES,
  ...PROBES_OF_PROOF,
  ...PROBES_OF_LEASES,
  ...PROBES_OF_OWNERS,
];
const ALL_MUTANTS = [
  ...MUTANTS_OF_START,
  ...MUTANTS_OF_OTHERS,
  ...MUTANTS_OF_PROOF,
  ...MUTANTS_OF_OWNERS,
  ...MUTANTS_OF_LEASES,
];
const MUTANTS = sampleOfToday(ALL_MUTANTS, Math.round(1 / inject("share")));
const PROCESSES = 4;
const AT_ONCE = 3;
const TIMEOUT_MS = 300_000;

describe("the guarantees", () => {
  for (const probe of PROBES) {
    it(probe.guarantee, { timeout: TIMEOUT_MS }, async () => {
      const db = await cloneDatabase();
      const processes = openProcesses(db, PROCESSES);
      try {
        expect(await findViolations(db, processes.services, probe)).toEqual([]);
      } finally {
        await processes.close();
        await db.drop();
      }
    });
  }

  it("are found broken in every program with a planted fault", { timeout: TIMEOUT_MS }, async () => {
    const escaped: string[] = [];
    const waiting = [...MUTANTS];
    const hunt = async () => {
      for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
        if (!(await catchMutant(mutant))) escaped.push(mutant.name);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, hunt));
    console.log(`mutants caught: ${MUTANTS.length - escaped.length}/${MUTANTS.length} of ${ALL_MUTANTS.length}`);
    expect(escaped).toEqual([]);
  });
});

/** The first violation that the probes find in a program with that fault. */
async function catchMutant(mutant: Mutant): Promise<string | undefined> {
  const db = await cloneDatabase();
  const processes = openProcesses(db, PROCESSES, await plant(db, mutant));
  try {
    for (const probe of PROBES) {
      const [violation] = await findViolations(db, processes.services, probe);
      if (violation) return violation;
    }
    return undefined;
  } catch (error) {
    throw new Error(`the mutant "${mutant.name}" is none`, { cause: error });
  } finally {
    await processes.close();
    await db.drop();
  }
}
