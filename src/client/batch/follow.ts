import type { BatchSession } from "../../sessions/batch/contract.ts";
import type { StreamEvent } from "../body.ts";
import { type CallLink, call, expectReply, insist } from "../calls.ts";
import { expectThat } from "../check-url.ts";
import { type Followed, followInTurn } from "../follow-in-turn.ts";
import type { LinkOptions } from "../platform.ts";
import { tellApp } from "../tell-app.ts";
import { type BatchState, Fold, type GroupsReply } from "./fold.ts";
import { openBatchLink, openBatchTail } from "./link.ts";

export interface FollowOptions extends LinkOptions {
  /** How the run stands: at first, and after every change. */
  onChange?(state: BatchState): void;
  /** Stops following; followBatch then rejects with its reason. */
  signal?: AbortSignal;
}

/** An id that never was, so that the stream begins with the whole session. */
const FROM_THE_BEGINNING = "-1";

/**
 * Follows a run to its end, and resolves to how it ended; its id is all that is needed. A cut stream goes on where it was,
 * however long the service is away. In a browser the first three tabs hold a stream, and the others ask every 5 s.
 *
 * Rejects with a KeybeatError: `session_not_found`, now or once it is forgotten. Rejects with the reason of `signal`.
 */
export async function followBatch(sessionId: string, options: FollowOptions): Promise<BatchState> {
  expectThat(typeof sessionId === "string" && sessionId !== "", "followBatch needs the id of a batch session");
  const { signal = new AbortController().signal } = options;
  signal.throwIfAborted();
  const follower = new Follower(openBatchLink(options), encodeURIComponent(sessionId), options.onChange);
  try {
    return await follower.follow(signal);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

class Follower implements Followed {
  readonly kind = "batch";
  readonly #link: CallLink;
  readonly #id: string;
  readonly #onChange: FollowOptions["onChange"];
  #fold: Fold | undefined;
  #seen: string | undefined;

  constructor(link: CallLink, id: string, onChange: FollowOptions["onChange"]) {
    this.#link = link;
    this.#id = id;
    this.#onChange = onChange;
  }

  async follow(signal: AbortSignal): Promise<BatchState> {
    await followInTurn(this.#link, this, signal);
    return (this.#fold as Fold).state;
  }

  isKnown = () => this.#fold !== undefined;
  isOver = () => Boolean(this.#fold?.state.endedReason);

  /** Each time from the beginning: what was asked meanwhile is newer than the last event. */
  stream(signal: AbortSignal, onBytes: () => void): Promise<void> {
    const onEvent = ({ event, data }: StreamEvent) => this.#take(event, data.data, signal);
    return openBatchTail(this.#link, this.#id, { onBytes, onEvent }, FROM_THE_BEGINNING).follow(signal);
  }

  async ask(signal: AbortSignal): Promise<void> {
    const asked = { method: "GET", path: `/${this.#id}` } as const;
    const session = expectReply(this.#link, await insist<BatchSession>(this.#link, asked, { signal }));
    const seen = [session.updated_at, session.status, session.resumed_as].join();
    if (seen === this.#seen) return;
    this.#seen = seen;
    await this.#begin(session, signal);
  }

  async #take(event: string, data: unknown, signal: AbortSignal): Promise<void> {
    if (event === "reset") await this.#begin(data as BatchSession, signal);
    else if (this.#fold?.take(event, data)) this.#tell(this.#fold.state);
  }

  /** What is told again after this changes nothing. */
  async #begin(session: BatchSession, signal: AbortSignal): Promise<void> {
    this.#fold = new Fold(session, await this.#readGroups(signal));
    this.#tell(this.#fold.state);
  }

  /** They are in the published view alone, which a proxy may not let through: then there are none. */
  async #readGroups(signal: AbortSignal): Promise<GroupsReply> {
    const published = { ...this.#link, url: this.#link.url.replace(/batch\/sessions$/, "parallel/status") };
    const expects = ({ groups }: Partial<GroupsReply>) => Array.isArray(groups);
    const asked = { method: "GET", path: `/${this.#id}`, expects } as const;
    const first = await call<GroupsReply>(published, asked, signal);
    if (first.kind === "failed" && /^HTTP 40[0-5]/.test(first.error)) return { groups: [] };
    return expectReply(published, first.kind === "failed" ? await insist(published, asked, { signal }) : first);
  }

  #tell(state: BatchState): void {
    tellApp(() => this.#onChange?.(state));
  }
}
