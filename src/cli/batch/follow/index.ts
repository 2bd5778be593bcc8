/** `keybeat batch follow` */
import type { Command } from "commander";
import { OperatorError } from "../../../errors.ts";
import { placeNow } from "../../../events/place.ts";
import { readTidings, standingOf, tidingsOf } from "../../../sessions/batch/follow.ts";
import { listNodes, readRun } from "../../../sessions/batch/read.ts";
import type { BatchRow } from "../../../sessions/batch/sql.ts";
import { FOLLOW_HELP, type Following, followSession } from "../../follow/index.ts";
import type { OutputOptions } from "../../output.ts";
import { withSession } from "../which.ts";
import { openRunPicture } from "./frame.ts";
import { tellInLines } from "./lines.ts";
import { describeFailed } from "./words.ts";

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
      const end = await followSession(followingOf(known.run, known.failed.nodes.map(describeFailed)), options);
      if (end.status !== "completed") throw new OperatorError(`the session did not complete: it is ${end.status}`);
    });
}

const HELP = `
On a terminal it shows a progress bar; without one it prints a line for each change, the counts every 5 seconds at most.
${FOLLOW_HELP}`;

const followingOf = (run: BatchRow, failures: string[]): Following<BatchRow> => ({
  known: run,
  after: placeNow(standingOf(run)),
  async read(database, after) {
    const [row] = await readTidings(database, [{ session_id: run.session_id, after }]);
    return row && { session: row, ...tidingsOf(row) };
  },
  isOver: ({ completed_at }) => completed_at !== null,
  openPicture: () => openRunPicture(run, failures, FAILURES_KEPT),
  tellInLines,
});
