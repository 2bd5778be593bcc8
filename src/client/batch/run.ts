import type { BatchSession } from "../../sessions/batch/contract.ts";
import { KeybeatError } from "../error.ts";
import { endOnSignals } from "../exit.ts";
import { onAbort } from "../on-abort.ts";
import { openBatchLink } from "./link.ts";
import { type BatchNode, checkRunOptions, type RunOptions } from "./options.ts";
import { takeRun } from "./take.ts";
import { BatchWorker } from "./worker.ts";

/** How a run ended. */
export interface BatchOutcome {
  sessionId: string;
  /** `completed`: every node is in and none has failed. */
  status: BatchSession["status"];
  /** `reported`: by a worker. `cancelled`, `silence`, `deadline`, `operator`: by somebody or something else. */
  endedReason: BatchSession["ended_reason"];
  errorMessage: string | null;
  /** Of the whole run, those carried over included. */
  completed: number;
  failed: number;
  skipped: number;
}

/**
 * Works through a batch session, new or resumed, and ends it as its results say. Resolves when the run is over, however it
 * ended: also cancelled, or by a limit; then the nodes' signals have fired first. Whoever stops it by Ctrl-C or `signal` has
 * the nodes under way stopped, what is done reported and the run cancelled, in 5 s at most; `resume` goes on with it later.
 *
 * Rejects with a KeybeatError: `claimed`, `attempt_replaced`, `session_not_found`, `too_many_nodes`, `unknown_node`,
 * `run_full`, `unauthorized`, `forbidden`, `invalid_request`; `stopped` before it had a run; `session_over` if it could not be
 * asked how; `unreachable` if nothing was answered for a minute at the start, for an hour later, or when it was stopped. Rejects
 * with a TypeError if an option is wrong.
 */
export async function runBatch<Node extends BatchNode>(options: RunOptions<Node>): Promise<BatchOutcome> {
  checkRunOptions(options);
  options.signal?.throwIfAborted();
  const link = openBatchLink(options);
  const stop = new AbortController();
  const over = new AbortController();
  const stopBy = (why: string, cause?: unknown) =>
    stop.abort(new KeybeatError("stopped", `The worker was stopped${why}`, {}, { cause }));
  const { signal } = options;
  const stopFollowing = signal && onAbort(signal, () => stopBy(` by its app`, signal.reason));
  const outcome = work();
  if (options.endOnSignals !== false) {
    const end = async () => {
      over.abort(); // at once: a second Ctrl-C does not wait
      stopBy(" by a signal");
      await outcome.catch(() => {});
    };
    endOnSignals(end, over.signal);
  }
  try {
    return await outcome;
  } finally {
    stopFollowing?.();
    over.abort();
  }

  async function work(): Promise<BatchOutcome> {
    const taken = await takeRun(link, options, stop.signal);
    if ("session_id" in taken) return describe(taken);
    return describe(await new BatchWorker(link, options, taken).finish(stop.signal));
  }
}

const describe = (session: BatchSession): BatchOutcome => ({
  sessionId: session.session_id,
  status: session.status,
  endedReason: session.ended_reason,
  errorMessage: session.error_message,
  completed: session.completed_nodes,
  failed: session.failed_nodes,
  skipped: session.skipped_nodes,
});
