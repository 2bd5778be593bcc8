/** One tab of a shared session: follows until it gets the lock, then leads until it goes away. */
import { claimKey } from "../claim.ts";
import { UNREACHABLE } from "../endings.ts";
import type { LostEvent } from "../events.ts";
import { followPage } from "../exit.ts";
import { giveBack } from "../give-back.ts";
import { createHandle, type Handle, type Session } from "../handle.ts";
import { SessionLoop } from "../loop.ts";
import { newSessionId, sleep } from "../platform.ts";
import type { DeviceLink } from "../request.ts";
import { keepSessionId, type StoredId } from "../storage.ts";
import type { Message } from "./message.ts";
import type { SharedOptions, TabChannel, TabLocks } from "./options.ts";

const TICK_MS = 2_000;
const LAST_WORDS_MS = 100;
const ENDED: LostEvent = { type: "lost", reason: "ended", final: true, by: null, ended_at: null, code: null };

type News = Extract<Message, { type: "news" }>;

export class SharedTab {
  readonly #options: SharedOptions;
  readonly #name: string;
  readonly #locks: TabLocks;
  readonly #openChannel: (name: string) => TabChannel;
  readonly #link: DeviceLink;
  readonly #storedId: StoredId;
  readonly #handle: Handle;
  readonly #over = new AbortController();
  readonly #me = newSessionId();
  /** The tab that last sent news, and the tabs that said hello: the followers, if this one leads. */
  #leader = "";
  readonly #others = new Set<string>();
  /** Set while this tab leads. */
  #loop: SessionLoop | undefined;
  #channel: TabChannel | undefined;
  /** Fires when this tab leaves: it then releases the lock, or its place in the queue for it. */
  #presence = new AbortController();
  #deadline = 0;
  #timer: unknown;
  #resolve: (session: Session) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(
    link: DeviceLink,
    options: SharedOptions,
    name: string,
    locks: TabLocks,
    openChannel: (name: string) => TabChannel,
  ) {
    this.#link = link;
    this.#options = options;
    this.#name = name;
    this.#locks = locks;
    this.#openChannel = openChannel;
    this.#storedId = keepSessionId(options.storage);
    let ending: Promise<void> | undefined;
    this.#handle = createHandle(options.onEvent, () => {
      ending ??= this.#end();
      return ending;
    });
  }

  start(): Promise<Session> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      const life = {
        hide: (mayReturn: boolean) => this.#hide(mayReturn),
        show: () => this.#join(),
        online: () => this.#handle.session.state === "live" || this.#loop?.check(),
      };
      followPage(this.#options.page, life, this.#over.signal);
      this.#join();
    });
  }

  #join(): void {
    const name = this.#name;
    this.#presence = new AbortController();
    const { signal } = this.#presence;
    this.#channel = this.#openChannel(name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#channel.postMessage({ type: "hello", from: this.#me });
    // Rejects when this tab leaves the queue.
    this.#locks.request(name, { signal }, () => this.#lead(signal)).catch(() => {});
    this.#tick();
  }

  #leave(): void {
    this.#presence.abort();
    this.#link.timers.clearTimeout(this.#timer);
    this.#loop?.stop();
    this.#loop = undefined;
    this.#link.proof?.stop();
    this.#channel?.postMessage({ type: "bye", from: this.#me });
    this.#channel?.close();
    this.#channel = undefined;
  }

  #finish(): void {
    this.#over.abort();
    this.#leave();
  }

  /** Runs for as long as this tab holds the lock. */
  async #lead(present: AbortSignal): Promise<void> {
    // The lock often arrives before the last message of the tab that held it.
    if (this.#handle.session.sessionId) await sleep(this.#link, LAST_WORDS_MS);
    if (present.aborted) return;
    this.#link.proof?.begin();
    const gone = new Promise<void>((resolve) => present.addEventListener("abort", () => resolve()));
    const loop = new SessionLoop({
      link: this.#link,
      options: this.#options,
      storedId: this.#storedId,
      handle: this.#leadingHandle(),
      onAcknowledged: (deadlineInMs) => {
        this.#deadline = this.#link.clock.now() + deadlineInMs;
        this.#post();
      },
    });
    this.#loop = loop;
    const { sessionId } = this.#handle.session;
    if (sessionId) {
      loop.adopt(sessionId, this.#deadline - this.#link.clock.now());
      this.#post();
    } else {
      try {
        const claimed = await claimKey(this.#link, this.#options, this.#storedId);
        // The tab left while waiting, so nobody would look after the session.
        if (present.aborted) return void (await giveBack(this.#link, claimed.sessionId));
        loop.begin(claimed);
        this.#resolve(this.#handle.session);
      } catch (error) {
        this.#reject(error);
        return this.#finish();
      }
    }
    await gone;
  }

  /** Sends the events of the leader's session to the followers. */
  #leadingHandle(): Handle {
    const { session, close, tell } = this.#handle;
    return {
      session,
      close,
      tell: (event, sessionId) => {
        tell(event, sessionId);
        this.#post(event);
        if (event.type === "lost" && event.final) this.#finish();
      },
    };
  }

  #post(event?: News["event"]): void {
    const { sessionId, generation, state } = this.#handle.session;
    const deadlineInMs = this.#deadline - this.#link.clock.now();
    if (!sessionId) return;
    this.#channel?.postMessage({
      type: "news",
      from: this.#me,
      sessionId,
      generation,
      state,
      deadlineInMs,
      ...(event && { event }),
    });
  }

  #hear(message: Message): void {
    if (message.type === "bye") this.#others.delete(message.from);
    else if (message.type === "hello") {
      this.#others.add(message.from);
      if (this.#loop) this.#post();
    } else this.#learn(message);
  }

  #learn(news: News): void {
    const { session, tell } = this.#handle;
    const { event, from, generation, sessionId, state } = news;
    const live = state === "live" || state === "degraded";
    const joined = session.generation > 0;
    if (joined && event?.type === "lost" && event.final) {
      this.#finish();
      tell(event);
      return;
    }
    if (this.#loop) return;
    this.#deadline = this.#link.clock.now() + news.deadlineInMs;
    if (from !== this.#leader) this.#channel?.postMessage({ type: "hello", from: this.#me });
    this.#leader = from;
    // New here, or back after the leader fell silent.
    if (live && event?.type !== "live" && (!joined || session.state === "lost")) {
      tell({ type: "live", generation, resumed: true, recovered: joined, previous: null }, sessionId);
    }
    const known = event?.type === "lost" && session.state === "lost";
    if (event && !known && (joined || live)) tell(event, sessionId);
    if (live) this.#resolve(session);
  }

  #tick(): void {
    const { clock, timers } = this.#link;
    const { state, generation } = this.#handle.session;
    timers.clearTimeout(this.#timer);
    const relies = !this.#loop && generation > 0 && state !== "lost";
    if (relies && clock.now() >= this.#deadline) this.#handle.tell(UNREACHABLE);
    if (!this.#over.signal.aborted) this.#timer = timers.setTimeout(() => this.#tick(), TICK_MS);
  }

  #hide(mayReturn: boolean): void {
    const last = this.#loop && this.#others.size === 0;
    if (last && !mayReturn && this.#options.endOnExit !== false) {
      // The next page must start anew, as this `end` may arrive after its start.
      void this.#storedId.forget();
      void this.#handle.session.end();
    } else this.#leave();
  }

  /** Ends the session for all tabs. Does not need the leader, which may be gone. */
  async #end(): Promise<void> {
    if (this.#over.signal.aborted) return;
    const { sessionId } = this.#handle.session;
    const given = this.#loop
      ? this.#loop.end()
      : giveBack(this.#link, sessionId).then((known) => known && this.#storedId.forget());
    this.#handle.close();
    this.#post(ENDED);
    this.#finish();
    await given;
  }
}
