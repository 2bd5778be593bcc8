/** Random stories of proofs, by the thousand. MODEL_SEED=… tells the same stories again. */
import fc from "fast-check";
import type { TestDatabase } from "../../../support/database.ts";
import { SEED } from "../../../support/stories.ts";
import { openProofStage, type Stage } from "./proof-stage.ts";
import { proofStory, type Story, type Telling, tellCopy, tellHonest } from "./proof-stories.ts";

const AT_ONCE = 2_000;

/** "as due", or the shortest story found in which it was not, and its seed. */
export async function tellProofs(db: TestDatabase, most: { honest: number; copies: number }): Promise<string> {
  const stage = await openProofStage(db, AT_ONCE);
  const found = (await findFault(stage, most.honest, tellHonest)) ?? (await findFault(stage, most.copies, tellCopy));
  return found ?? "as due";
}

async function findFault(stage: Stage, most: number, tell: (story: Story) => Telling): Promise<string | undefined> {
  for (let toldOf = 0; toldOf < most; toldOf += AT_ONCE) {
    const numRuns = Math.min(AT_ONCE, most - toldOf);
    const failed = await stage(fc.sample(proofStory, { numRuns, seed: SEED + toldOf }), tell);
    if (failed) return `${await shorten(stage, failed, tell)}\nMODEL_SEED=${SEED}`;
  }
  return undefined;
}

/** Leaves steps out as long as the story still fails; all of the shorter ones are told at once. */
async function shorten(
  stage: Stage,
  failed: { story: Story; error: Error },
  tell: (story: Story) => Telling,
): Promise<string> {
  for (let { story, error } = failed; ; ) {
    const shorter = story.steps.map((_, without) => ({
      ...story,
      steps: story.steps.filter((__, at) => at !== without),
    }));
    const still = shorter.length > 0 ? await stage(shorter, tell) : undefined;
    if (!still) return error.message;
    ({ story, error } = still);
  }
}
