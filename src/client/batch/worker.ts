/**
 * One claimed run, from its first node to its end.
 *
 *   working ── every node is in ──► complete
 *      │ halt: session_over, attempt_replaced, stopped, a result refused, unreachable
 *      └──► nodes' signals fire ──► GRACE ──► what is done is reported, the run left ──► over
 *
 * Two signals: `#halt` fires when no node may go on, `#hangUp` when nothing more is to be sent either.
 */
import type { BatchSession, NodeStatus } from "../../sessions/batch/contract.ts";
import type { StreamEvent } from "../body.ts";
import { type Call, type CallLink, insist, pause, refusal } from "../calls.ts";
import { KeybeatError } from "../error.ts";
import { onAbort } from "../on-abort.ts";
import { tellApp } from "../tell-app.ts";
import { Beats } from "./beats.ts";
import { openBatchTail } from "./link.ts";
import { type BatchNode, idOf, type RunOptions } from "./options.ts";
import { Outbox } from "./outbox.ts";
import { type NodeResult, runNode } from "./result.ts";
import type { TakenRun } from "./take.ts";

/** How long nodes that were told to stop are waited for; a node that goes on is left alone. */
const GRACE_MS = 2_000;
/** How long a worker that was stopped goes on reporting, the grace included. */
const LEAVE_MS = 5_000;
/** The last question, how it ended, is worth less than the run. */
const LAST_WORD_MS = 60_000;
/** The service's own deadline comes first, so that it says that the run is over. */
const AFTER_DEADLINE_MS = 1_000;
/** The run is over, or another's, or out of reach: nothing more can be said of it. */
const LOST = /^(session_over|attempt_replaced|session_not_found|unauthorized|forbidden|unreachable)$/;

export class BatchWorker<Node extends BatchNode> {
  readonly #link: CallLink;
  readonly #options: RunOptions<Node>;
  readonly #session: BatchSession;
  readonly #stored = new Map<string, NodeStatus>();
  readonly #counts = { success: 0, failed: 0, skipped: 0 };
  readonly #halt = new AbortController();
  readonly #hangUp = new AbortController();
  readonly #done = new AbortController();
  readonly #outbox: Outbox;
  readonly #running = new Set<AbortController>();
  #lost: KeybeatError | undefined;

  constructor(link: CallLink, options: RunOptions<Node>, { session, stored }: TakenRun) {
    this.#link = link;
    this.#options = options;
    this.#session = session;
    for (const [nodeId, status] of stored) this.#store(nodeId, status);
    this.#outbox = new Outbox((result) => this.#deliver(result));
    for (const { signal } of [this.#halt, this.#hangUp]) onAbort(signal, () => this.#outbox.wake());
  }

  /** Resolves to the session as it ended. Rejects with a KeybeatError if that is another worker's business, or unknown. */
  async finish(stop: AbortSignal): Promise<BatchSession> {
    const stopFollowing = onAbort(stop, () => this.#stop(stop.reason));
    if (stop.aborted) this.#stop(stop.reason);
    this.#watch();
    this.#tellProgress();
    try {
      await Promise.race([this.#runNodes(), this.#graceOver()]);
      if (!this.#isHalted()) await this.#outbox.empty(this.#halt.signal);
      if (!this.#isHalted()) {
        const ended = await this.#end("complete", {});
        if (ended) return ended;
      }
      return await this.#leave(this.#halt.signal.reason);
    } finally {
      stopFollowing();
      this.#hangUp.abort();
      this.#done.abort();
    }
  }

  /** Beats and follows the run's events, and heeds its deadline though the service be away. */
  #watch(): void {
    const { signal } = this.#hangUp;
    const { attempt, deadline_at, session_id, updated_at } = this.#session;
    const beats = new Beats(this.#link, { sessionId: session_id, attempt }, (error) => this.#lose(error));
    void beats.beat(signal);
    // What happened before the stream was open is told by the beat's answer.
    const listener = { onOpen: () => beats.soon(), onEvent: (event: StreamEvent) => this.#hear(event) };
    void openBatchTail(this.#link, session_id, listener)
      .follow(signal)
      .catch((error) => this.#lose(error));
    if (deadline_at === null) return;
    const leftMs = Date.parse(deadline_at) - Date.parse(updated_at) + AFTER_DEADLINE_MS;
    void pause(this.#link, leftMs, signal).then(() => {
      if (signal.aborted) return;
      this.#lose(new KeybeatError("session_over", "The run is past its limit", { ended_reason: "deadline" }));
    });
  }

  #hear({ event, data: { data } }: StreamEvent): void {
    if (event === "complete") {
      this.#lose(new KeybeatError("session_over", `The session is over: ${data.status}`, data));
    } else if (event === "attempt" && data.attempt > this.#session.attempt) {
      const by = { holder: { worker: data.worker, attempt: data.attempt } } as KeybeatError["data"];
      this.#lose(new KeybeatError("attempt_replaced", "Another worker has claimed the session since", by));
    }
  }

  async #runNodes(): Promise<void> {
    const { concurrency = 12, nodes } = this.#options;
    const rest = nodes.filter((node) => this.#stored.get(idOf(node)) !== "success").values();
    const lane = async () => {
      for (;;) {
        await this.#outbox.room(this.#halt.signal);
        if (this.#isHalted()) return;
        const { done, value } = rest.next();
        if (done) return;
        await this.#runNode(value);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, lane));
  }

  async #runNode(node: Node): Promise<void> {
    // A signal of its own: many nodes with listeners on the same one would look like a leak to Node.
    const abort = new AbortController();
    this.#running.add(abort);
    const { attempt } = this.#session;
    const result = await runNode(this.#options.run, node, { attempt, signal: abort.signal, clock: this.#link.clock });
    this.#running.delete(abort);
    if (!result || this.#hangUp.signal.aborted) return;
    void this.#outbox.add(result).then(() => this.#hangUp.signal.aborted || this.#tellProgress());
  }

  /** Sends a result until the service has it, or nothing more is to be sent. */
  async #deliver(result: NodeResult): Promise<void> {
    const path = `/nodes/${encodeURIComponent(result.nodeId)}`;
    const expects = ({ node_id }: { node_id?: string }) => node_id === result.nodeId;
    const answer = await this.#insist({ method: "PUT", path, body: result.json, expects });
    if (answer.kind === "ok") {
      this.#store(result.nodeId, result.status);
    } else if (answer.kind === "refused") {
      const error = refusal(answer, { payload_too_large: "invalid_request" });
      if (error.code === "invalid_request" && result.orElse) return this.#deliver(result.orElse(error.message));
      this.#lose(error);
    }
  }

  /** The app stops the worker: what is done may still be reported for a while. */
  #stop(reason: KeybeatError): void {
    this.#cease(reason);
    void pause(this.#link, LEAVE_MS, this.#hangUp.signal).then(() => this.#hangUp.abort());
  }

  #lose(error: KeybeatError): void {
    this.#cease(error);
    if (!LOST.test(error.code)) return;
    this.#lost ??= error;
    this.#hangUp.abort();
  }

  /** No node goes on. The first reason stands. */
  #cease(reason: KeybeatError): void {
    if (this.#isHalted()) return;
    this.#halt.abort(reason);
    for (const abort of this.#running) abort.abort(reason);
  }

  #isHalted = () => this.#halt.signal.aborted;

  /** Resolves so long after the nodes were told to stop. */
  async #graceOver(): Promise<void> {
    const { signal } = this.#halt;
    if (!signal.aborted) await new Promise<void>((resolve) => onAbort(signal, resolve));
    await pause(this.#link, GRACE_MS, this.#done.signal);
  }

  /** After a halt: brings in what is done, and ends the run for the reason, unless it is over or another's. */
  async #leave(reason: KeybeatError): Promise<BatchSession> {
    const stopped = reason.code === "stopped";
    if (!this.#lost) {
      const timely = pause(this.#link, GRACE_MS, this.#done.signal);
      await Promise.race([this.#outbox.empty(this.#hangUp.signal), timely]);
      const body = stopped ? { status: "cancelled" } : {};
      const ended = await this.#end(stopped ? "transition" : "complete", { ...body, error_message: reason.message });
      if (ended && stopped) return ended;
    }
    if (!stopped && !LOST.test(reason.code)) throw reason;
    if (this.#lost?.code === "session_over") return this.#readEnding(this.#lost, stopped ? GRACE_MS : LAST_WORD_MS);
    throw this.#lost ?? new KeybeatError("unreachable", `${reason.message}; the service could not be told`);
  }

  /** Undefined: it is over or another's, which is known then; or there was no answer before all was to end. */
  async #end(how: "complete" | "transition", body: object): Promise<BatchSession | undefined> {
    const asked = { ...body, attempt: this.#session.attempt };
    const answer = await this.#insist<BatchSession>({ method: "POST", path: `/${how}`, body: asked });
    if (answer.kind === "ok") return answer.body;
    // A transition of what is over is told in other words. An answer of ours that was lost is among these.
    if (answer.kind === "refused") this.#lose(refusal(answer, { invalid_transition: "session_over" }));
    return undefined;
  }

  async #readEnding(known: KeybeatError, withinMs: number): Promise<BatchSession> {
    const asked = { method: "GET", path: `/${this.#session.session_id}?results=false` } as const;
    const answer = await insist<BatchSession>(this.#link, asked, { signal: this.#done.signal, withinMs });
    if (answer.kind === "ok" && answer.body.completed_at !== null) return answer.body;
    throw known;
  }

  #insist<T>(asked: Call) {
    const path = `/${this.#session.session_id}${asked.path}`;
    return insist<T>(this.#link, { ...asked, path }, { signal: this.#hangUp.signal });
  }

  #store(nodeId: string, status: NodeStatus): void {
    const before = this.#stored.get(nodeId);
    if (before) this.#counts[before]--;
    this.#counts[status]++;
    this.#stored.set(nodeId, status);
  }

  #tellProgress(): void {
    const { success, failed, skipped } = this.#counts;
    const progress = {
      completed: success,
      failed,
      skipped,
      total: this.#session.node_count,
      running: this.#running.size,
      undelivered: this.#outbox.waiting,
    };
    tellApp(() => this.#options.onProgress?.(progress));
  }
}
