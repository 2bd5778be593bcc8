/** Planted: what batch sessions must not do, in their rows or their workers' answers. */
import type { BatchRun, History } from "../checker/history.ts";
import type { BatchAnswer, BatchCall } from "../load/batch-call.ts";
import { must, type Plant } from "./plant.ts";

type Answered<Is extends BatchAnswer["is"]> = BatchCall & { answer: Extract<BatchAnswer, { is: Is }> };

function first<Is extends BatchAnswer["is"]>(
  { batchCalls }: History,
  is: Is,
  fits: (call: Answered<Is>) => boolean = () => true,
): Answered<Is> {
  const call = batchCalls.find((one): one is Answered<Is> => one.answer.is === is && fits(one as Answered<Is>));
  return must(call, `call of a worker that is answered ${is}, and fits`);
}

const runOf = ({ rows }: History, { sessionId }: BatchCall): BatchRun =>
  must(
    rows.batch.find((run) => run.sessionId === sessionId),
    "run of that call",
  );
/** One that ended as somebody wished. */
const endedRun = (history: History, reason: string): BatchRun =>
  must(
    history.rows.batch.find((run) => run.reason === reason && Object.keys(run.nodes).length > 0),
    `run that ended as ${reason}`,
  );
const endOf = ({ batchCalls }: History): number => Math.max(...batchCalls.map(({ answeredAt }) => answeredAt));
/** The same call once more, after all others. */
const late = (history: History, call: BatchCall): BatchCall => {
  const at = endOf(history) + 60_000;
  const again = structuredClone(call);
  Object.assign(again, { sentAt: at, answeredAt: at + 1 });
  history.batchCalls.push(again);
  return again;
};

export const plantsInBatch: Plant[] = [
  {
    name: "a result that was acknowledged is not there",
    rule: "lost-result",
    plant(history) {
      const put = first(history, "stored");
      delete runOf(history, put).nodes[put.node as string];
    },
  },
  {
    name: "a result is there that an acknowledged one has replaced",
    rule: "lost-result",
    plant(history) {
      const put = first(history, "stored", (call) => runOf(history, call).nodes[call.node as string] !== undefined);
      const newer = late(history, put);
      newer.value = { status: "success", result: "the newest" };
    },
  },
  {
    name: "a result is there that nobody sent",
    rule: "invented-result",
    plant(history) {
      const run = endedRun(history, "reported");
      const [node] = Object.values(run.nodes);
      must(node, "result").result = "of nobody";
    },
  },
  {
    name: "a reader is shown what nobody sent",
    rule: "invented-result",
    plant(history) {
      const read = first(history, "run", ({ answer }) => Object.keys(answer.nodes).length > 0);
      must(Object.values(read.answer.nodes)[0], "result").result = "of nobody";
    },
  },
  {
    name: "a reader is not shown what was acknowledged before",
    rule: "untrue-run",
    plant(history) {
      const read = first(history, "run", (call) =>
        history.batchCalls.some(
          (put) => put.sessionId === call.sessionId && put.answer.is === "stored" && put.answeredAt < call.sentAt,
        ),
      );
      read.answer.nodes = {};
    },
  },
  {
    name: "a reader is told one success more than there is",
    rule: "wrong-counts",
    plant(history) {
      const { counts } = first(history, "run").answer;
      counts[0] = (counts[0] as number) + 1;
    },
  },
  {
    name: "a run counts one failure more than it has",
    rule: "wrong-counts",
    plant(history) {
      const { counts } = endedRun(history, "reported");
      counts[1] = (counts[1] as number) + 1;
    },
  },
  {
    name: "a run that was made is not there",
    rule: "lost-run",
    plant(history) {
      const { sessionId } = first(history, "made").answer;
      history.rows.batch = history.rows.batch.filter((run) => run.sessionId !== sessionId);
    },
  },
  {
    name: "a request that was sent once more has made another run",
    rule: "made-twice",
    plant(history) {
      const run = structuredClone(endedRun(history, "reported"));
      history.rows.batch.push(Object.assign(run, { sessionId: "one-more" }));
    },
  },
  {
    name: "two workers are given one attempt",
    rule: "attempt-twice",
    plant(history) {
      late(history, first(history, "claimed")).worker = "one-more";
    },
  },
  {
    name: "a run has forgotten an attempt",
    rule: "attempt-twice",
    plant(history) {
      const claim = first(history, "claimed");
      runOf(history, claim).attempt = claim.answer.attempt - 1;
    },
  },
  {
    name: "a worker that was replaced is heard",
    rule: "outdated-worker",
    plant(history) {
      const outdated = first(history, "outdated", (call) =>
        history.batchCalls.some(
          ({ sessionId, answer, answeredAt }) =>
            sessionId === call.sessionId &&
            answer.is === "claimed" &&
            answer.attempt > (call.attempt as number) &&
            answeredAt < call.sentAt,
        ),
      );
      Object.assign(outdated, { answer: { is: "stored" } });
    },
  },
  {
    name: "a run that is over takes a result in",
    rule: "after-end",
    plant(history) {
      const over = first(history, "over", ({ operation }) => operation === "put");
      Object.assign(late(history, over), { answer: { is: "stored" } });
    },
  },
  {
    name: "a run that is over is shown running",
    rule: "after-end",
    plant(history) {
      const read = first(history, "run", ({ answer }) => answer.reason !== null);
      Object.assign(late(history, read).answer, { state: "running", reason: null });
    },
  },
  {
    name: "an ending is told otherwise than it is stored",
    rule: "ending-differs",
    plant(history) {
      first(history, "ended").answer.reason = "silence";
    },
  },
  {
    name: "a run is ended by silence while its worker is there",
    rule: "unwanted-end",
    plant(history) {
      endedRun(history, "reported").reason = "silence";
    },
  },
  {
    name: "a run is cancelled that nobody cancelled",
    rule: "unwanted-end",
    plant(history) {
      const run = endedRun(history, "cancelled");
      history.batchCalls = history.batchCalls.filter(
        ({ sessionId, operation }) => sessionId !== run.sessionId || operation !== "cancel",
      );
    },
  },
  {
    name: "the events of a run have a gap",
    rule: "event-gap",
    plant(history) {
      endedRun(history, "reported").events.splice(1, 1);
    },
  },
  {
    name: "a result is told twice",
    rule: "told-twice",
    plant(history) {
      const put = first(history, "stored");
      const { events } = runOf(history, put);
      const told = must(
        events.find(({ data }) => data.node_id === put.node),
        "event of that result",
      );
      for (let n = 0; n < 20; n++) events.splice(events.indexOf(told), 0, structuredClone(told));
    },
  },
  {
    name: "an end is told twice",
    rule: "told-twice",
    plant(history) {
      const { events } = endedRun(history, "reported");
      events.push(structuredClone(must(events.at(-1), "event")));
    },
  },
  {
    name: "a result is not told",
    rule: "untold-result",
    plant(history) {
      const run = endedRun(history, "reported");
      const [node] = Object.keys(run.nodes);
      run.events = run.events.filter(({ data }) => data.node_id !== node);
    },
  },
  {
    name: "a report is answered with 500",
    rule: "unexpected-answer",
    plant(history) {
      Object.assign(first(history, "stored"), { answer: { is: "unexpected", what: "500" } });
    },
  },
];
