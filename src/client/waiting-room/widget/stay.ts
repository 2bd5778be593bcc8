/**
 * A user's stay in the room, as one page sees it: the place, its notices and events, and its fate when the page goes.
 *
 *   closed or reloaded   given up after 20 s, unless the next page or another tab asks again
 *   back/forward cache   kept; silent until the page is back, then asks at once
 *   hidden, app switched kept; goes on, and asks at once when visible again
 *
 * One of several tabs holds the event stream; the others ask every 5 s.
 */
import type { KeybeatError } from "../../error.ts";
import type { CreateOptions, WaitingRoom } from "../room.ts";
import type { PlaceEvent, PlaceWatch } from "../watch.ts";
import { Notice } from "./notice.ts";
import { chooseTexts, describePlace, type Texts } from "./texts.ts";
import type { WidgetOptions } from "./widget-options.ts";

export interface StayOptions extends WidgetOptions {
  room: WaitingRoom;
  userId: string;
  /** Gets the events. */
  target: EventTarget;
}

const GRACE_SECONDS = 20;
/** Times to ask after another page's goodbye, which may reach the service after the first of them. */
const ASK_AFTER_GOODBYE_MS = [1_000, 5_000, 12_000];

export class Stay {
  readonly #options: StayOptions;
  readonly #texts: Texts;
  readonly #notice: Notice;
  readonly #name: string;
  #createOptions: CreateOptions = {};
  #watch: PlaceWatch | undefined;
  #waited = false;
  #complained = "";
  #creating: Promise<unknown> | undefined;
  /** Fires when this stay is over; already fired before it begins. */
  #over = new AbortController();
  #channel: BroadcastChannel | undefined;

  constructor(options: StayOptions) {
    this.#options = options;
    this.#texts = chooseTexts(options.lang);
    this.#notice = new Notice(this.#texts, options.styles);
    this.#name = `keybeat ${options.baseUrl} ${options.userId}`;
    this.#over.abort();
  }

  async start(createOptions = this.#createOptions) {
    this.#createOptions = createOptions;
    const first = this.#over.signal.aborted;
    if (first) this.#joinPage();
    const { signal } = this.#over;
    const creating = this.#options.room.createSession(this.#options.userId, createOptions);
    this.#creating = creating.catch(() => {});
    try {
      const place = await creating;
      this.#waited = place.status === "queued";
      if (!signal.aborted && !this.#watch) this.#follow();
      return place;
    } catch (error) {
      if (!signal.aborted) this.#showRefusal(error as KeybeatError);
      if (first) this.#leave();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#leave();
    this.#notice.hide();
    await this.#creating; // or a place on its way would be left behind
    await this.#options.room.closeSession(this.#options.userId);
    this.#tell("closed", { user_id: this.#options.userId, reason: "closed" });
  }

  #joinPage(): void {
    this.#over = new AbortController();
    const { signal } = this.#over;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = () => this.#askLater();
    addEventListener("pagehide", ({ persisted }) => this.#goAway(persisted), { signal });
    addEventListener("pageshow", ({ persisted }) => persisted && this.#comeBack(), { signal });
    addEventListener("online", () => this.#watch?.check(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden || this.#watch?.check(), { signal });
  }

  #follow(): void {
    const { room, userId } = this.#options;
    this.#watch = room.watchPosition(userId, (event) => this.#hear(event));
    this.#askLater(); // the previous page's goodbye may still be on its way
  }

  #goAway(mayReturn: boolean): void {
    // In either case: a timer firing while the page goes down would count as a return.
    this.#watch?.pause();
    if (mayReturn) return;
    this.#channel?.postMessage("bye");
    this.#options.room.closeSession(this.#options.userId, { graceSeconds: GRACE_SECONDS }).catch(() => {});
  }

  #comeBack(): void {
    this.#watch?.resume();
  }

  #askLater(): void {
    for (const ms of ASK_AFTER_GOODBYE_MS) setTimeout(() => this.#over.signal.aborted || this.#watch?.check(), ms);
  }

  #leave(): void {
    this.#over.abort();
    this.#channel?.close();
    this.#watch?.stop();
    this.#watch = undefined;
  }

  #hear({ type, ...detail }: PlaceEvent): void {
    const event = { type, ...detail } as PlaceEvent;
    const active = event.type === "position" && event.status === "active";
    if (event.type === "promoted" || (active && this.#waited)) this.#showTurn();
    else if (event.type === "position" && !active) this.#showPlace(event);
    else if (event.type === "closed" || event.type === "expired") {
      this.#leave();
      this.#showEnd(event.type);
    } else if (event.type === "error") this.#complain(event.error);
    if (event.type === "error" && this.#waited) {
      this.#notice.show({ kind: "waiting", badge: "…", title: this.#texts.offline });
    }
    this.#tell(active && this.#waited ? "promoted" : type, detail);
    if (event.type !== "error") this.#waited = event.type === "position" && !active;
  }

  #showPlace(event: Extract<PlaceEvent, { type: "position" }>): void {
    const [title, detail] = describePlace(this.#texts, event);
    this.#notice.show({ kind: "waiting", badge: String(event.position), title, detail });
  }

  #showTurn(): void {
    const { turn: title, turnDetail: detail } = this.#texts;
    this.#notice.show({ kind: "turn", badge: "✓", title, detail });
  }

  #showEnd(type: "closed" | "expired"): void {
    const action = { label: this.#texts.again, run: () => void this.start().catch(() => {}) };
    this.#notice.show({ kind: "trouble", badge: "!", title: this.#texts[type], action });
  }

  #showRefusal(error: KeybeatError): void {
    const { broken, full, fullDetail, refused, retry } = this.#texts;
    const away = /^un(reachable|available)$/.test(error.code);
    const title = error.code === "queue_full" ? full : away ? broken : refused;
    const detail = error.code === "queue_full" ? fullDetail : away ? "" : error.message;
    const action = { label: retry, run: () => void this.start().catch(() => {}) };
    this.#notice.show({ kind: "trouble", badge: "!", title, detail, action });
    this.#complain(error);
    this.#tell("error", { error });
  }

  /** Tells the page's developer in the console, the same thing once; the visitor sees a notice instead. */
  #complain({ code, message }: KeybeatError): void {
    const text = `${code}: ${message}`;
    if (this.#complained !== text) console.error(`keybeat-waiting-room, ${text}`);
    this.#complained = text;
  }

  #tell(name: string, detail: object): void {
    this.#options.target.dispatchEvent(new CustomEvent(`keybeat-${name}`, { detail, bubbles: true, composed: true }));
  }
}
