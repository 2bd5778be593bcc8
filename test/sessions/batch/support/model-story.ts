/** Tells one story to the reference and to the program, step by step, and compares everything that they say. */
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { AppError } from "../../../../src/errors.ts";
import type { TestDatabase } from "../../../support/database.ts";
import type { Tally } from "../../../support/stories.ts";
import type { AttemptName, Call, Command, Story } from "./model-commands.ts";
import { ask, describeScene, empty, pin, readScene } from "./model-program.ts";
import { type Answer, createReference, type Reference } from "./model-reference.ts";

/** The database's clock runs on while a story is told; its rows are dated anew this often. */
const PIN_EVERY_MS = 250;
/** Within this time after dating, who is silent for 29:59 by the model is so for the program too. */
const PINNED_FOR_MS = 900;

/**
 * After every step the answer must be the reference's, and so must the rows of all runs: how they stand, their nodes, what
 * was told of them and in which order, and how long ago everything was.
 */
export async function tell(db: TestDatabase, story: Story, tally: Tally): Promise<void> {
  await empty(db);
  const reference = createReference();
  const told: string[] = [];
  let pinnedAtMs = performance.now();
  const commands = story.tidied
    ? story.commands.flatMap((command) => [command, { do: "cleanup" } as const])
    : story.commands;
  try {
    for (const command of commands) {
      const passed = command.do === "pass" ? command.seconds : 0;
      reference.nowSeconds += passed;
      if (passed > 0 || performance.now() - pinnedAtMs > PIN_EVERY_MS) {
        pinnedAtMs = performance.now();
        await pin(db, reference, passed);
      }
      if (command.do === "pass") {
        told.push(`${told.length + 1}. ${JSON.stringify(command)}`);
        continue;
      }
      const { is, faults } = await takeStep(db, reference, command);
      told.push(`${told.length + 1}. ${JSON.stringify(command)} → ${is}`);
      tally.set(`${command.do}: ${is}`, (tally.get(`${command.do}: ${is}`) ?? 0) + 1);
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
}

async function takeStep(db: TestDatabase, reference: Reference, command: Exclude<Command, { do: "pass" }>) {
  const call = fillIn(reference, command);
  const due = reference.answer(call);
  const said = await ask(db, call);
  learn(reference, said, due);
  const scene = await readScene(db);
  const faults = [...compare(said, { ...due, is: plainly(due.is) }), ...compare(scene, describeScene(reference))];
  return { is: due.is, faults };
}

/** The program does not say that a result took the place of another one; the rows do. */
const plainly = (is: string) => ({ replaced: "stored", nothing: "session_not_found" })[is] ?? is;

/** Only the program can name a run. */
function learn({ runs }: Reference, said: Answer, due: Answer): void {
  const made = runs.at(-1);
  if (due.id !== "" || !made || typeof said.id !== "string") return;
  made.id = said.id;
  due.id = said.id;
  const before = runs.find(({ id }) => id === made.resumedFrom);
  if (before) before.resumedAs = said.id;
}

/** A command names runs by how long ago they were made, and attempts by what they are; a call has the id and the number. */
function fillIn({ runs }: Reference, command: Exclude<Command, { do: "pass" }>): Call {
  if (!("run" in command)) return command;
  const { run: nth, ...rest } = command;
  const run = typeof nth === "number" ? runs.at(-1 - (nth % Math.max(1, runs.length))) : undefined;
  const attempt = "attempt" in rest ? { attempt: attemptOf(run?.attempt ?? 0, rest.attempt) } : {};
  return { ...rest, ...attempt, id: run?.id ?? randomUUID() } as Call;
}

function attemptOf(present: number, name: AttemptName): number | null {
  return { none: null, present, stale: Math.max(0, present - 1), future: present + 1 }[name];
}

function compare(real: unknown, due: unknown): string[] {
  if (isDeepStrictEqual(real, due)) return [];
  return [`   The program: ${JSON.stringify(real)}`, `   The model:   ${JSON.stringify(due)}`];
}
