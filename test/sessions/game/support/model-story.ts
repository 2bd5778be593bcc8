/** Tells one story to the reference and to the program, step by step, and compares everything that they say. */
import { randomUUID } from "node:crypto";
import type { TestDatabase } from "../../../support/database.ts";
import { compare, type Tally, tellSteps } from "../../../support/stories.ts";
import type { Call, Command, Story } from "./model-commands.ts";
import { actionOf, ask, describeScene, empty, pin, readScene } from "./model-program.ts";
import { type Answer, createReference, type Reference } from "./model-reference.ts";

type Action = Call & { do: "act" } & { actionId: string };

/**
 * After every step the answer must be the reference's, and so must the rows of all sessions: how they stand, who takes part,
 * what was told and in which order, and how long ago everything was; and the events must fold to the state.
 */
export async function tell(db: TestDatabase, story: Story, tally: Tally): Promise<void> {
  await empty(db);
  const reference = createReference();
  const acted = new Map<string, Action[]>();
  const commands = story.tidied
    ? story.commands.flatMap((command) => [command, { do: "cleanup" } as const])
    : story.commands;
  await tellSteps<Command>(commands, tally, {
    async pass(seconds) {
      reference.nowSeconds += seconds;
      await pin(db, reference, seconds);
    },
    async takeStep(command) {
      const call = fillIn(reference, acted, command);
      const due = reference.answer(call);
      const said = await ask(db, call);
      learn(reference, said, due);
      reference.settleAll();
      const scene = await readScene(db);
      // Whole milliseconds of pauses add up in the program, whole seconds in the model.
      if (call.do === "update" || call.do === "terminate") await pin(db, reference, 0);
      const plainly = due.is === "repeated" ? { ...due, is: "happened" } : due;
      return { is: due.is, faults: [...compare(said, plainly), ...compare(scene, describeScene(reference))] };
    },
  });
}

/** Only the program can name a session. */
function learn({ sessions }: Reference, said: Answer, due: Answer): void {
  const made = sessions.at(-1);
  if (due.id !== "" || !made || typeof said.id !== "string") return;
  made.id = said.id;
  due.id = said.id;
}

/** A command names sessions by how long ago they were made; a call has the id, and an action one of its own. */
function fillIn(
  { sessions }: Reference,
  acted: Map<string, Action[]>,
  command: Exclude<Command, { do: "pass" }>,
): Call {
  if (!("session" in command)) return command;
  const nth = command.session;
  const named = typeof nth === "number" ? sessions.at(-1 - (nth % Math.max(1, sessions.length))) : undefined;
  const call = { ...command, session: named?.id || randomUUID() } as Call;
  if (call.do === "update" || call.do === "terminate")
    return { ...call, version: named?.version ?? 1 } as unknown as Call;
  return call.do === "act" ? nameAction(acted, call) : call;
}

/** An action of that session is sent again, or the latest one's id with another body. */
function nameAction(acted: Map<string, Action[]>, call: Call & { do: "act" }): Call {
  const before = acted.get(call.session) ?? [];
  const known = call.id === "new" ? undefined : call.id === "first again" ? before[0] : before.at(-1);
  const named = { ...(call.id === "conflict" ? call : (known ?? call)), actionId: known?.actionId ?? randomUUID() };
  acted.set(call.session, [...before, named]);
  return { ...named, body: JSON.stringify(actionOf(named)) } as Call;
}
