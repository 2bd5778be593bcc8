/** The options of runBatch, checked: a mistake in the app's code throws a TypeError that says what to write instead. */
import { expectThat } from "../check-url.ts";
import type { LinkOptions } from "../platform.ts";

/** A node, or its id: 1 to 500 characters, each once. */
export type BatchNode = string | { readonly id: string };

export interface NodeContext {
  /** Fires when the node is to stop: the run was cancelled, taken over, is past its limit, or this worker is stopping. */
  readonly signal: AbortSignal;
  /** The fencing token of this worker: it rises with each that takes the run. */
  readonly attempt: number;
  /** Ends the node as `skipped`: neither a success nor a failure. */
  skip(reason?: string): never;
}

/** What the service has acknowledged, and what is under way here. */
export interface BatchProgress {
  completed: number;
  failed: number;
  skipped: number;
  total: number;
  /** Nodes that run now. */
  running: number;
  /** Results that the service has not acknowledged yet. */
  undelivered: number;
}

interface Common<Node extends BatchNode> {
  /** Needed if the service runs with BATCH_AUTH=token. */
  token?: string;
  nodes: readonly Node[];
  /** How many nodes run at once. Default 12. */
  concurrency?: number;
  /**
   * Works on one node. What it returns is stored as the node's result (any JSON, 256 KiB at most); what it throws makes the
   * node `failed`, with that message.
   */
  run(node: Node, context: NodeContext): unknown;
  /** At the start, and whenever a result was acknowledged. */
  onProgress?(progress: BatchProgress): void;
  /** Names this worker to people; must be its own, as a worker of the same name takes a run over. Random by default. */
  worker?: string;
  /** What to do if another worker has the run and was heard of in the last minute. Default "refuse": throw `claimed`. */
  onConflict?: "refuse" | "replace";
  /** Kept with a new run; at most 64 KiB. */
  metadata?: Record<string, unknown>;
  /** 60 to 86,400. A run that takes longer from its first claim has failed. */
  timeoutSeconds?: number;
  /** Stops the worker, as Ctrl-C does. */
  signal?: AbortSignal;
  /** On SIGINT and SIGTERM (Node, Deno, Bun): stop, then let the process go. Default true. */
  endOnSignals?: boolean;
}

export type RunOptions<Node extends BatchNode> = Common<Node> &
  LinkOptions &
  (
    | {
        /** What is worked on: 1 to 500 characters. */
        canvasPath: string;
        resume?: undefined;
      }
    | {
        /** The id of a run to go on with: one that ended without completing is resumed, a live one is claimed. */
        resume: string;
        canvasPath?: string;
      }
  );

export const idOf = (node: BatchNode): string => (typeof node === "string" ? node : node.id);

const NODES_MAX = 100_000;
const CONCURRENCY_MAX = 1_000;

export function checkRunOptions<Node extends BatchNode>(options: RunOptions<Node>): void {
  const { canvasPath, resume, nodes, concurrency = 12, run, worker, onConflict = "refuse" } = options;
  const { metadata, timeoutSeconds, token } = options;
  expectThat(typeof run === "function", "run must be a function");
  expectThat(resume !== undefined || isText(canvasPath, 500), "canvasPath must have 1 to 500 characters");
  expectThat(resume === undefined || isText(resume, 100), "resume must be the id of a batch session");
  expectThat(isCount(concurrency, CONCURRENCY_MAX), `concurrency must be a whole number from 1 to ${CONCURRENCY_MAX}`);
  expectThat(worker === undefined || isText(worker, 100), "worker must have 1 to 100 characters");
  expectThat(/^(replace|refuse)$/.test(onConflict), 'onConflict must be "replace" or "refuse"');
  expectThat(
    timeoutSeconds === undefined || (isCount(timeoutSeconds, 86_400) && timeoutSeconds >= 60),
    "timeoutSeconds must be a whole number from 60 to 86400",
  );
  expectThat(metadata === undefined || isObject(metadata), "metadata must be an object");
  expectThat(token === undefined || /^[!-~]+$/.test(token), "token must be visible ASCII without blanks");
  checkNodes(nodes);
}

function checkNodes(nodes: readonly BatchNode[]): void {
  expectThat(Array.isArray(nodes), "nodes must be an array");
  expectThat(nodes.length <= NODES_MAX, `nodes must be at most ${NODES_MAX}`);
  const known = new Set<string>();
  for (const [place, node] of nodes.entries()) {
    const id = node && idOf(node);
    expectThat(
      isText(id, 500) && id.trim() !== "",
      `nodes[${place}] must be an id of 1 to 500 characters, or have one`,
    );
    expectThat(id !== "." && id !== "..", `nodes[${place}] must not be "${id}", which no address can name`);
    expectThat(!known.has(id), `nodes[${place}] must not be there twice: ${id}`);
    known.add(id);
  }
}

const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);

const isCount = (value: number, max: number) => Number.isSafeInteger(value) && value >= 1 && value <= max;

/** Text that the service can keep: no NUL, no half of a surrogate pair. */
const isText = (value: unknown, max: number) =>
  typeof value === "string" && value !== "" && [...value].length <= max && !/[\0\p{Cs}]/u.test(value);
