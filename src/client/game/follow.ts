import type { CombatEvent, CombatSession, CombatState } from "../../sessions/game/combat/contract.ts";
import type { StreamEvent } from "../body.ts";
import { type CallLink, expectReply, insist } from "../calls.ts";
import { expectThat } from "../check-url.ts";
import { EventTail } from "../event-tail.ts";
import { type Followed, followInTurn } from "../follow-in-turn.ts";
import { tellApp } from "../tell-app.ts";
import { foldEvent, lastOf } from "./fold.ts";

export interface FollowOptions {
  /** How the match stands: at first, and after every event. */
  onChange?(state: CombatState): void;
  /** What happens from now on, or after `after`: each event once and in order; of a tab without a stream the last 50 between two questions. */
  onEvent?(event: CombatEvent): void;
  /** The sequence of an event: what came after it is told too. 0: all from the first. */
  after?: number;
  /** Stops following; it then rejects with its reason. */
  signal?: AbortSignal;
}

/** An id that never was, so that the stream begins with the whole state. */
const FROM_THE_BEGINNING = "-1";
const REFUSALS = /^(401 unauthorized|404 session_not_found)$/;
const HEALTH = 100;

/** Rejects with a KeybeatError (`session_not_found`, `unauthorized`), or with the reason of `signal`. */
export async function followMatch(link: CallLink, id: string, options: FollowOptions): Promise<CombatState> {
  const { signal = new AbortController().signal, after } = options;
  expectThat(after === undefined || (Number.isSafeInteger(after) && after >= 0), "after must be a sequence, or 0");
  signal.throwIfAborted();
  const follower = new Follower(link, id, options);
  try {
    return await follower.follow(signal);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

class Follower implements Followed {
  readonly kind = "game";
  readonly #link: CallLink;
  readonly #path: string;
  readonly #options: FollowOptions;
  #state: CombatState | undefined;
  /** The sequence of the last event that was told, or has not to be; undefined: it is not known yet. */
  #told: number | undefined;
  #health = HEALTH;

  constructor(link: CallLink, id: string, options: FollowOptions) {
    this.#link = link;
    this.#path = `/combat/sessions/${id}`;
    this.#options = options;
    this.#told = options.after;
  }

  async follow(signal: AbortSignal): Promise<CombatState> {
    const { settings } = await this.#read<CombatSession>("", signal);
    signal.throwIfAborted();
    this.#health = (settings as { rules?: { health?: number | null } }).rules?.health ?? HEALTH;
    if (this.#told !== undefined) {
      this.#state = await this.#read<CombatState>("/state", signal);
      this.#tell([], this.#state);
    }
    await followInTurn(this.#link, this, signal);
    return this.#state as CombatState;
  }

  isKnown = () => this.#state !== undefined;
  isOver = () => this.#state?.phase === "finished";

  /** From where it stands, or with the whole state. */
  stream(signal: AbortSignal, onBytes: () => void): Promise<void> {
    const source = { path: `${this.#path}/events`, last: "ended", refusals: REFUSALS };
    const onEvent = ({ event, data }: StreamEvent) => this.#take(event, data);
    const last = this.#told === undefined ? FROM_THE_BEGINNING : String(this.#told);
    return new EventTail(this.#link, source, { onBytes, onEvent }, last).follow(signal);
  }

  async ask(signal: AbortSignal): Promise<void> {
    const state = await this.#read<CombatState>("/state", signal);
    if (!signal.aborted) this.#begin(state);
  }

  #take(event: string, data: unknown): void {
    if (event === "reset") this.#begin(data as CombatState);
    else if (this.#state) this.#hear(data as CombatEvent, this.#state);
  }

  #hear(event: CombatEvent, state: CombatState): void {
    if (event.sequence <= (this.#told ?? lastOf(state))) return;
    this.#told = event.sequence;
    const isNews = event.sequence > lastOf(state);
    if (isNews) this.#state = foldEvent(state, event, this.#health);
    this.#tell([event], isNews ? this.#state : undefined);
  }

  /** What it brings that was not told yet is told; of the first one nothing is new. */
  #begin(state: CombatState): void {
    const { events } = state;
    const fresh = this.#told === undefined ? [] : events.filter(({ sequence }) => sequence > (this.#told as number));
    this.#told = lastOf(state);
    this.#state = state;
    this.#tell(fresh, state);
  }

  #tell(events: CombatEvent[], state: CombatState | undefined): void {
    for (const event of events) tellApp(() => this.#options.onEvent?.(event));
    if (state) tellApp(() => this.#options.onChange?.(state));
  }

  async #read<T>(path: string, signal: AbortSignal): Promise<T> {
    const answer = await insist<T>(this.#link, { method: "GET", path: this.#path + path }, { signal });
    if (answer.kind === "failed") signal.throwIfAborted();
    return expectReply(this.#link, answer);
  }
}
