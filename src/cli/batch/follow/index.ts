/** `keybeat batch follow`: one session, live until its end, even through an outage of the database. */
import type { Command } from "commander";
import { readConfig } from "../../../config.ts";
import { OperatorError } from "../../../errors.ts";
import { listNodes, readRun } from "../../../sessions/batch/read.ts";
import type { BatchRow } from "../../../sessions/batch/sql.ts";
import { clean, type OutputOptions, paint, shorten } from "../../output.ts";
import { repeat } from "../../repeat.ts";
import { openScreen } from "../../screen.ts";
import { Stopped, stopAtSignal } from "../../signals.ts";
import { withSession } from "../which.ts";
import { type Follower, type Look, openFollower, type Seen } from "./follower.ts";
import { drawRun, type View } from "./frame.ts";
import { type Tell, tellInJson, tellInLines } from "./lines.ts";
import { addSample, paceOf, type Sample } from "./pace.ts";
import { describeFailed, failedIn, processedOf, sayEnd, sayProgress } from "./words.ts";

const LOOK_EVERY_MS = 500;
const FAILURES_KEPT = 100;

export function addFollowCommand(batch: Command): void {
  batch
    .command("follow <id>")
    .description("follow a batch session to its end; exit code 0: completed, 1: not; q or Ctrl-C stops following (130)")
    .option("--json", "print its events as JSON, a line each, as GET …/events has them")
    .addHelpText("after", HELP)
    .action(async (id: string, options: OutputOptions) => {
      const known = await withSession(id, options, async ({ database }, sessionId) => ({
        run: await readRun(database, sessionId),
        failed: await listNodes(database, sessionId, { status: "failed", limit: FAILURES_KEPT, cursor: undefined }),
      }));
      const end = await follow(known.run, known.failed.nodes.map(describeFailed), options);
      if (end.status !== "completed") throw new OperatorError(`the session did not complete: it is ${end.status}`);
    });
}

const HELP = `
On a terminal it shows a progress bar; without one it prints a line for each change, the counts every 5 seconds at most.

While the database is away it says so, and goes on when it is back; no event is missed. It starts no embedded database:
it looks at the one that keybeat serve runs, twice a second.`;

/** The session as it ended. Throws a Stopped if somebody does not want to wait for that. */
async function follow(run: BatchRow, failures: string[], options: OutputOptions): Promise<BatchRow> {
  const onScreen = process.stdout.isTTY && !options.json && run.completed_at === null;
  const quit = new AbortController();
  const stop = AbortSignal.any([stopAtSignal().stop, quit.signal]);
  const follower = openFollower(readConfig(), run);
  try {
    if (onScreen)
      return await show(follower, { run, failures }, { stop, quit: () => quit.abort(new Stopped("SIGINT")) });
    process.stdout.on("error", () => quit.abort(new Stopped("SIGHUP")));
    return await tell(follower, options.json ? tellInJson() : tellInLines(console.log), stop);
  } finally {
    const closed = follower.close();
    if (!stop.aborted) await closed;
  }
}

async function show(
  follower: Follower,
  known: { run: BatchRow; failures: string[] },
  { stop, quit }: { stop: AbortSignal; quit(): void },
): Promise<BatchRow> {
  let view: View = { ...known, seenAt: Date.now(), pace: undefined, unavailable: undefined };
  const draw = () => {
    const lines = drawRun(view, { columns: screen.columns, rows: screen.rows - 1 });
    const hint = shorten("q stops following; the session goes on", screen.columns);
    screen.draw([...lines, paint("dim", hint)].slice(0, screen.rows));
  };
  const screen = openScreen({ quit, resize: draw });
  draw();
  try {
    await untilOver(follower, stop, (look, pace) => {
      if ("unavailable" in look) view = { ...view, unavailable: look.unavailable };
      else {
        const newest = failedIn(look.events).reverse().map(describeFailed);
        const failures = [...new Set([...newest, ...view.failures])]; // the first look may bring known ones
        view = {
          run: look.run,
          seenAt: Date.now(),
          pace,
          failures: failures.slice(0, FAILURES_KEPT),
          unavailable: undefined,
        };
      }
      draw();
    });
  } finally {
    screen.close();
    console.log(view.run.completed_at === null ? sayProgress(view.run, view.pace).join(" · ") : sayEnd(view.run));
  }
  return view.run;
}

async function tell(follower: Follower, say: Tell, stop: AbortSignal): Promise<BatchRow> {
  let isAway = false;
  return untilOver(follower, stop, (look, pace) => {
    const wasAway = isAway;
    isAway = "unavailable" in look;
    if ("unavailable" in look) {
      if (!wasAway) console.error(`keybeat: the database is away (${clean(look.unavailable)}), waiting for it`);
      return;
    }
    if (wasAway) console.error("keybeat: the database is back");
    say(look, pace);
  });
}

/** Looks until the session is over, and returns it. */
async function untilOver(
  follower: Follower,
  stop: AbortSignal,
  see: (look: Seen | { unavailable: string }, pace: number | undefined) => void,
): Promise<BatchRow> {
  const over = new AbortController();
  let samples: Sample[] = [];
  let last: Look | undefined;
  await repeat(LOOK_EVERY_MS, AbortSignal.any([stop, over.signal]), async () => {
    const look = await follower.look();
    if (stop.aborted) return;
    last = look;
    if (look === "gone") return over.abort();
    if ("run" in look) samples = addSample(samples, { atMs: performance.now(), processed: processedOf(look.run) });
    see(look, paceOf(samples));
    if ("run" in look && look.run.completed_at !== null) over.abort();
  });
  stop.throwIfAborted();
  if (last === undefined || last === "gone" || !("run" in last)) {
    throw new OperatorError("the session is not there any more");
  }
  return last.run;
}
