/** Tells one story to the reference and to the room, step by step, and compares everything that they say. */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { AppError } from "../../../../src/errors.ts";
import type { WaitingRoom } from "../../../../src/sessions/waiting-room/deps.ts";
import type { TestDatabase } from "../../../support/database.ts";
import type { Tally } from "../../../support/stories.ts";
import type { Command } from "./model-commands.ts";
import { ask, describeScene, empty, pin, readScene } from "./model-program.ts";
import { type Call, createReference, type Reference } from "./model-reference.ts";

/** The database's clock runs on while a story is told; its rows are dated anew this often. */
const PIN_EVERY_MS = 250;
/** Within this time after dating, who is 59 s silent by the model is so for the program too. */
const PINNED_FOR_MS = 900;

/**
 * After every step the answer, every seat, the whole line with its positions, the permits, the counts and the audit must
 * be the reference's.
 */
export async function tell(db: TestDatabase, room: WaitingRoom, story: Command[], tally: Tally): Promise<void> {
  await empty(db);
  const reference = createReference();
  const granted: string[] = [];
  const told: string[] = [];
  let pinnedAtMs = performance.now();
  try {
    for (const command of story) {
      const passed = command.do === "pass" ? command.seconds : 0;
      reference.nowSeconds += passed;
      if (passed > 0 || performance.now() - pinnedAtMs > PIN_EVERY_MS) {
        pinnedAtMs = performance.now();
        await pin(db, reference, passed);
      }
      // What fell due while time passed, the next call does.
      if (command.do === "pass") {
        told.push(`${told.length + 1}. ${JSON.stringify(command)}`);
        continue;
      }
      const { is, faults } = await takeStep(db, room, reference, command, granted);
      told.push(`${told.length + 1}. ${JSON.stringify(command)} → ${is}`);
      count(tally, `${command.do}: ${is}`);
      if (faults.length === 0) continue;
      // The machine stood still for so long that the two clocks came apart: this story proves nothing.
      fc.pre(performance.now() - pinnedAtMs < PINNED_FOR_MS);
      throw new Error(["The story", ...told, ...faults].join("\n"));
    }
  } catch (error) {
    // Nor does one in which the machine was too slow for an answer in time.
    fc.pre(!(error instanceof AppError && error.code === "unavailable"));
    throw error;
  }
  for (const move of reference.moves) count(tally, `move: ${move.split(" ")[0]}`);
}

async function takeStep(
  db: TestDatabase,
  room: WaitingRoom,
  reference: Reference,
  command: Exclude<Command, { do: "pass" }>,
  granted: string[],
): Promise<{ is: string; faults: string[] }> {
  const { permitId, ...said } = await ask(db, room, fillIn(command, granted));
  if (permitId) granted.push(permitId);
  const due = reference.answer(fillIn(command, granted));
  const scene = await readScene(db);
  return { is: due.is, faults: [...compare(said, due), ...compare(scene, describeScene(reference))] };
}

/** A command names permits by how long ago they were granted; a call names them by their ids. */
function fillIn(command: Exclude<Command, { do: "pass" }>, granted: string[]): Call {
  const nth = command.do === "give back" ? command.permit : 0;
  const permitId = granted.at(-1 - (nth % Math.max(1, granted.length))) ?? "never granted";
  return { ...command, userId: `user ${"user" in command ? command.user : "nobody"}`, permitId };
}

function compare(real: unknown, due: unknown): string[] {
  if (isDeepStrictEqual(real, due)) return [];
  return [`   The program: ${JSON.stringify(real)}`, `   The model:   ${JSON.stringify(due)}`];
}

function count(tally: Tally, what: string): void {
  tally.set(what, (tally.get(what) ?? 0) + 1);
}
