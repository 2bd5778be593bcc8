/**
 * Takes a run: makes a new one, or goes on with one that is there, and claims it. Each call is repeated until it is
 * answered, and none of them does anything twice: a create by its Idempotency-Key, a resume and a claim by the service.
 */
import type { BatchSession, NodeItem, NodeStatus } from "../../sessions/batch/contract.ts";
import { type Call, type CallLink, expectReply, insist } from "../calls.ts";
import { KeybeatError } from "../error.ts";
import { newSessionId } from "../platform.ts";
import type { BatchNode, RunOptions } from "./options.ts";

/** How long the service may be away at the start, when nothing is lost yet. */
const START_MS = 60_000;

export interface TakenRun {
  session: BatchSession;
  /** Results that are there already. */
  stored: Map<string, NodeStatus>;
}

/** The session alone if there is nothing left to do: it is completed. Throws a KeybeatError. */
export async function takeRun<Node extends BatchNode>(
  link: CallLink,
  options: RunOptions<Node>,
  signal: AbortSignal,
): Promise<TakenRun | BatchSession> {
  const ask = async <T>(asked: Call) => {
    const answer = await insist<T>(link, asked, { signal, withinMs: START_MS });
    if (signal.aborted && answer.kind === "failed") throw signal.reason;
    return expectReply(link, answer);
  };
  const worker = options.worker ?? `worker-${newSessionId().slice(0, 8)}`;
  const claim = { worker, on_conflict: options.onConflict ?? "refuse" };
  for (let id = options.resume ?? (await create()); ; ) {
    const found = options.resume === undefined ? undefined : await findLive(id);
    if (found?.status === "completed") return found;
    id = found?.session_id ?? id;
    expectRoom(found);
    try {
      const session = await ask<BatchSession>({ method: "POST", path: `/${id}/claim`, body: claim });
      return { session, stored: found ? await readStored(id) : new Map() };
    } catch (error) {
      // It ended meanwhile, so it is to be resumed.
      if (found && error instanceof KeybeatError && error.code === "session_over") continue;
      throw error;
    }
  }

  async function create(): Promise<string> {
    const { canvasPath: canvas_path, nodes, metadata, timeoutSeconds: timeout_seconds } = options;
    const body = { canvas_path, node_count: nodes.length, metadata, timeout_seconds };
    const made = await ask<BatchSession>({
      method: "POST",
      path: "",
      body,
      headers: { "Idempotency-Key": newSessionId() },
    });
    return made.session_id;
  }

  /** The run that goes on with that one: itself, or the last of those that resume it. */
  async function findLive(id: string): Promise<BatchSession> {
    let path = `/${encodeURIComponent(id)}`;
    for (;;) {
      const session = await ask<BatchSession>({ method: "GET", path: `${path}?results=false` });
      if (session.completed_at === null || session.status === "completed") return session;
      const { session_id } = await ask<BatchSession>({ method: "POST", path: `/${session.session_id}/resume` });
      path = `/${session_id}`;
    }
  }

  function expectRoom(found: BatchSession | undefined): void {
    const nodes = options.nodes.length;
    if (!found || nodes <= found.node_count) return;
    throw new KeybeatError("too_many_nodes", `${nodes} nodes were given, the run has ${found.node_count}`);
  }

  async function readStored(id: string): Promise<Map<string, NodeStatus>> {
    const stored = new Map<string, NodeStatus>();
    const expects = (reply: Page) => Array.isArray(reply.nodes);
    let cursor: string | null = null;
    do {
      const after: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page: Page = await ask<Page>({ method: "GET", path: `/${id}/nodes?limit=100${after}`, expects });
      for (const { node_id, status } of page.nodes) if (status) stored.set(node_id, status);
      cursor = page.next_cursor;
    } while (cursor);
    return stored;
  }
}

interface Page {
  nodes: NodeItem[];
  next_cursor: string | null;
}
