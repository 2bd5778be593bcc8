/** One node: runs it, and writes down what came of it as the service takes it in. */
import type { NodeStatus } from "../../sessions/batch/contract.ts";
import { cutText } from "../../text.ts";
import type { Clock } from "../platform.ts";
import { type BatchNode, idOf, type RunOptions } from "./options.ts";

/** A node's result, to be sent until it is acknowledged: always the same bytes, so that it counts once. */
export interface NodeResult {
  nodeId: string;
  status: NodeStatus;
  json: string;
  bytes: number;
  /** What to send if the service cannot keep this one. */
  orElse?(why: string): NodeResult;
}

const RESULT_BYTES_MAX = 256 * 1024;
const ERROR_CHARACTERS_MAX = 10_000;

/** Thrown by `skip`. */
class Skipped {
  readonly reason: string | undefined;
  constructor(reason: string | undefined) {
    this.reason = reason;
  }
}

/** Undefined: it was stopped, so that nothing is known of it. Never throws. */
export async function runNode<Node extends BatchNode>(
  run: RunOptions<Node>["run"],
  node: Node,
  { attempt, signal, clock }: { attempt: number; signal: AbortSignal; clock: Clock },
): Promise<NodeResult | undefined> {
  const startedAt = clock.wall();
  let completedAt: number | undefined;
  const write = (status: NodeStatus, outcome: { result?: unknown; error?: string | undefined }): NodeResult => {
    // A clock set back must not make the result a refused one.
    completedAt ??= Math.max(startedAt, clock.wall());
    const json = JSON.stringify({
      status,
      ...outcome,
      started_at: new Date(startedAt).toISOString(),
      completed_at: new Date(completedAt).toISOString(),
      attempt,
    });
    return { nodeId: idOf(node), status, json, bytes: new TextEncoder().encode(json).length };
  };
  const fail = (why: string) => write("failed", { error: why });
  try {
    const skip = (reason?: string) => {
      throw new Skipped(reason);
    };
    const result = await run(node, { attempt, signal, skip });
    const written = write("success", { result });
    if (written.bytes > RESULT_BYTES_MAX) return fail(`the result has ${written.bytes} bytes, more than may be kept`);
    return { ...written, orElse: (why) => fail(`the result cannot be kept: ${why}`) };
  } catch (error) {
    if (error instanceof Skipped) return write("skipped", { error: error.reason && cleanText(error.reason) });
    return signal.aborted ? undefined : fail(cleanText(messageOf(error)));
  }
}

function messageOf(error: unknown): string {
  try {
    if (error instanceof Error) return error.message || error.name;
    return String(error);
  } catch {
    return "failed without a message";
  }
}

const cleanText = (text: string) => cutText(String(text).replaceAll("\0", ""), ERROR_CHARACTERS_MAX);
