/** Tells one story to the reference and to the program, step by step, and compares everything that they say. */
import { randomUUID } from "node:crypto";
import type { TestDatabase } from "../../../support/database.ts";
import { compare, type Tally, tellSteps } from "../../../support/stories.ts";
import type { AttemptName, Call, Command, Story } from "./model-commands.ts";
import { ask, describeScene, empty, pin, readScene } from "./model-program.ts";
import { type Answer, createReference, type Reference } from "./model-reference.ts";

/**
 * After every step the answer must be the reference's, and so must the rows of all runs: how they stand, their nodes, what
 * was told of them and in which order, and how long ago everything was.
 */
export async function tell(db: TestDatabase, story: Story, tally: Tally): Promise<void> {
  await empty(db);
  const reference = createReference();
  const commands = story.tidied
    ? story.commands.flatMap((command) => [command, { do: "cleanup" } as const])
    : story.commands;
  await tellSteps<Command>(commands, tally, {
    async pass(seconds) {
      reference.nowSeconds += seconds;
      await pin(db, reference, seconds);
    },
    takeStep: (command) => takeStep(db, reference, command),
  });
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
