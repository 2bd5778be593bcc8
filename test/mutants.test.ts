/** Every planted fault of SQL still finds what it replaces: the hunts themselves are long, and try a few of them a day. */
import { expect, it } from "vitest";
import { MUTANTS as OF_NUMBERS } from "./analytics/support/mutants.ts";
import { MUTANTS as OF_BATCHES } from "./sessions/batch/support/mutants.ts";
import { MUTANTS_OF_LEASES } from "./sessions/device/support/mutants-of-leases.ts";
import { MUTANTS_OF_OTHERS } from "./sessions/device/support/mutants-of-others.ts";
import { MUTANTS_OF_OWNERS } from "./sessions/device/support/mutants-of-owners.ts";
import { MUTANTS_OF_PROOF } from "./sessions/device/support/mutants-of-proof.ts";
import { MUTANTS_OF_START } from "./sessions/device/support/mutants-of-start.ts";
import { MUTANTS as OF_GAMES } from "./sessions/game/support/mutants.ts";
import { MUTANTS as OF_THE_ROOM } from "./sessions/waiting-room/support/mutants.ts";
import { useDatabase } from "./support/database.ts";
import { type Mutant, plantedSource } from "./support/mutants.ts";

const db = useDatabase();
const MUTANTS: Record<string, Mutant[]> = {
  "device sessions": [
    ...MUTANTS_OF_START,
    ...MUTANTS_OF_OTHERS,
    ...MUTANTS_OF_PROOF,
    ...MUTANTS_OF_OWNERS,
    ...MUTANTS_OF_LEASES,
  ],
  "the waiting room": OF_THE_ROOM,
  "batch sessions": OF_BATCHES,
  "game sessions": OF_GAMES,
  numbers: OF_NUMBERS,
};

it.each(Object.keys(MUTANTS))("the planted faults of %s fit the functions as they are", async (kind) => {
  const stale: string[] = [];
  for (const mutant of MUTANTS[kind] ?? []) {
    if (!("fn" in mutant)) continue;
    await plantedSource(db, mutant).catch((error: Error) => stale.push(`${mutant.name}: ${error.message}`));
  }
  expect(stale).toEqual([]);
});
