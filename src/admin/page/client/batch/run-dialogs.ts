/** What can be done to a run, each as a question. */
import { Refused } from "../api.ts";
import { ask, reasonField, say } from "../parts/dialog.ts";
import { type Child, el } from "../parts/element.ts";
import { count } from "../parts/format.ts";
import { type BatchItem, type BatchStatus, cancelRun, endRun, eraseRun, resumeRun } from "./api.ts";
import { STATES } from "./run-state.ts";

const KEPT = "The run and the audit log keep it.";

export function askToCancel(run: BatchItem, done: () => void): void {
  const { input, content } = reasonField(KEPT);
  const what = " ends as cancelled. Its worker is told at once, what is in stays, and the rest can be resumed.";
  ask({
    title: "Cancel this run?",
    confirm: "Cancel the run",
    dismiss: "Keep it",
    danger: true,
    done,
    content: [about(run, what), content],
    async run() {
      const { completed_count } = await inWords(cancelRun(run.session_id, input.value.trim()));
      say(`Cancelled, with ${count(completed_count, "node")} done`);
      return undefined;
    },
  });
}

export function askToEnd(run: BatchItem, done: () => void): void {
  const { input, content } = reasonField(KEPT);
  const ends =
    run.status === "pending" ? " has never begun, and ends as cancelled." : " ends as failed, by an operator.";
  ask({
    title: "End this run by force?",
    confirm: "End it",
    danger: true,
    done,
    content: [
      about(run, `${ends} Nothing more is taken from its worker. What is in stays, and the rest can be resumed.`),
      content,
    ],
    async run() {
      const { status } = await inWords(endRun(run.session_id, input.value.trim()));
      say(`Ended as ${STATES[status].words}`);
      return undefined;
    },
  });
}

/** `done` with the id of the new run. */
export function askToResume(run: BatchItem, done: (id: string) => void): void {
  const rest = count(run.node_count - run.completed_nodes, "node");
  const taken = count(run.completed_nodes, "success", "successes");
  let next = "";
  ask({
    title: "Resume this run?",
    confirm: "Resume",
    done: () => done(next),
    content: [
      about(
        run,
        ` stays as it ended. A new run takes over its ${taken}, has ${rest} still to do, and waits for a worker.`,
      ),
    ],
    async run() {
      next = (await inWords(resumeRun(run.session_id))).session_id;
      say("Resumed: this is the new run");
      return undefined;
    },
  });
}

export function askToErase(run: BatchItem, done: () => void): void {
  const sure = el("input", { type: "checkbox", required: true });
  const live =
    run.completed_at === null ? " It is still under way, and its worker will be told that there is none." : "";
  const what = `: the run, its results, its events, and what the audit log says of it are deleted. This cannot be undone.${live}`;
  ask({
    title: "Erase this run?",
    confirm: "Erase",
    danger: true,
    done,
    content: [about(run, what), el("label", { class: "field check" }, sure, "Yes, erase all of it")],
    async run() {
      await inWords(eraseRun(run.session_id));
      say("Erased");
      return undefined;
    },
  });
}

/** Of what became of the run while one thought about it. */
async function inWords<T>(calling: Promise<T>): Promise<T> {
  try {
    return await calling;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { status } = error.body as { status?: BatchStatus };
    if (error.code === "session_over" && status) {
      throw new Error(`It has ended meanwhile: ${STATES[status].words}. Nothing was changed.`);
    }
    if (error.code === "session_not_found") throw new Error("It is gone: erased meanwhile, or no longer kept.");
    throw error;
  }
}

const about = ({ canvas_path }: BatchItem, what: string): Child =>
  el("p", { class: "breakable" }, el("strong", {}, canvas_path), what);
