/**
 * One scrape shows the whole service, whichever worker it reaches: that worker asks the primary, which asks them all.
 *
 *   worker ── {scrape} ──► primary ── {collect} ──► every worker
 *   worker ◄── {scraped} ─ primary ◄─ {collected} ─ every worker
 *
 * A counter never falls: of a worker that does not answer in time its last numbers are taken, and those of one that
 * died are kept. A fall would look like a restart to Prometheus, and the whole sum like new work.
 */
import cluster, { type Worker } from "node:cluster";
import { AggregatorRegistry } from "prom-client";
import { unavailable } from "../errors.ts";
import type { Logger } from "../log.ts";
import { writeText } from "./metrics.ts";
import type { Samples } from "./samples.ts";

const COLLECT_MS_MAX = 1_000;
const SCRAPE_MS_MAX = 2_500;

type ToPrimary = { scrape: number } | { collected: number; samples: Samples };
type ToWorker = { scraped: number; text: string } | { collect: number };

/** In a worker: answers the primary with its own numbers, and gives what asks the primary for everybody's. */
export function scrapeThroughPrimary(collect: () => Promise<Samples>, log: Logger): () => Promise<string> {
  const asked = new Map<number, (text: string) => void>();
  let last = 0;
  const send = (message: ToPrimary) => process.send?.(message, undefined, undefined, () => {});
  process.on("message", (message: ToWorker) => {
    if ("scraped" in message) asked.get(message.scraped)?.(message.text);
    if (!("collect" in message)) return;
    collect().then(
      (samples) => send({ collected: message.collect, samples }),
      (err) => log.error({ err }, "the metrics could not be collected"),
    );
  });
  return async () => {
    const id = ++last;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<string>((resolve, reject) => {
        asked.set(id, resolve);
        timer = setTimeout(() => reject(unavailable(new Error("the primary gave no metrics"))), SCRAPE_MS_MAX);
        send({ scrape: id });
      });
    } finally {
      clearTimeout(timer);
      asked.delete(id);
    }
  };
}

/** In the primary: answers the scrapes that reach its workers. Returns what ends it. */
export function answerScrapes(collect: () => Promise<Samples>, log: Logger): () => void {
  const latest = new Map<number, Samples>();
  const waiting = new Map<number, Map<number, () => void>>();
  let departed: Samples = [];
  let rounds = 0;
  let underWay: Promise<string> | undefined;

  const ask = (worker: Worker, round: number) =>
    new Promise<void>((resolve) => {
      waiting.get(round)?.set(worker.id, resolve);
      say(worker, { collect: round });
    });

  const scrape = async () => {
    const round = ++rounds;
    waiting.set(round, new Map());
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected() === true);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, COLLECT_MS_MAX);
    });
    const [own] = await Promise.all([
      collect(),
      Promise.race([Promise.all(workers.map((worker) => ask(worker as Worker, round))), late]),
    ]);
    clearTimeout(timer);
    waiting.delete(round);
    return writeText([own, departed, ...latest.values()]);
  };

  const onMessage = (worker: Worker, message: ToPrimary) => {
    if ("collected" in message) {
      if (worker.isDead()) return; // already among the departed
      latest.set(worker.id, message.samples);
      waiting.get(message.collected)?.get(worker.id)?.();
    } else if ("scrape" in message) {
      underWay ??= scrape().finally(() => {
        underWay = undefined;
      });
      underWay.then(
        (text) => say(worker, { scraped: message.scrape, text }),
        (err) => log.error({ err }, "the metrics could not be added up"),
      );
    }
  };
  const onExit = (worker: Worker) => {
    for (const round of waiting.values()) round.get(worker.id)?.();
    const samples = latest.get(worker.id);
    if (!samples?.length || !latest.delete(worker.id)) return;
    const lasting = samples.filter(({ type }) => ["counter", "histogram"].includes(String(type)));
    departed = AggregatorRegistry.aggregate([departed, lasting]).getMetricsAsArray();
  };
  cluster.on("message", onMessage);
  cluster.on("exit", onExit);
  return () => {
    cluster.off("message", onMessage);
    cluster.off("exit", onExit);
  };
}

function say(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message, undefined, undefined, () => {});
}
