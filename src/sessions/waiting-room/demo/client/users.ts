/**
 * 25 simulated users: each has an id of its own, asks for a place and then for its position, as a page would. They poll,
 * as a browser can hold only a few event streams.
 */
import type { KeybeatError, PositionReply, WaitingRoom } from "../../../../client/waiting-room/index.ts";

const COUNT = 25;
const ASK_EVERY_MS = 2_000;
const AT_ONCE = 5;

type State = "coming" | "active" | "waiting" | "gone" | "trouble";

interface User {
  id: string;
  state: State;
  card: HTMLLIElement;
}

interface Surroundings {
  list: HTMLElement;
  onChange(): void;
  onTrouble(error?: KeybeatError): void;
}

export class Users {
  readonly #room: WaitingRoom;
  readonly #surroundings: Surroundings;
  #users: User[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  starting = false;

  constructor(room: WaitingRoom, surroundings: Surroundings) {
    this.#room = room;
    this.#surroundings = surroundings;
  }

  count(): { active: number; waiting: number } {
    const of = (state: State) => this.#users.filter((user) => user.state === state).length;
    return { active: of("active"), waiting: of("waiting") };
  }

  /** One after the other, so that they line up in the order of their numbers. */
  async start(): Promise<void> {
    this.starting = true;
    const run = Math.random().toString(36).slice(2, 8);
    this.#users = Array.from({ length: COUNT }, (_, n) => this.#makeUser(n + 1, run));
    this.#surroundings.list.replaceChildren(...this.#users.map(({ card }) => card));
    this.#surroundings.onTrouble();
    for (const user of this.#users) {
      if (user.state !== "coming") continue; // stopped meanwhile
      const asked = this.#try(user, () => this.#room.createSession(user.id));
      if (!(await asked)) break;
    }
    for (const user of this.#users) if (user.state === "coming") this.#show(user, "gone", "did not come");
    this.starting = false;
    this.#surroundings.onChange();
    this.#askLater();
  }

  /** A user with a seat if there is one, so that the next is let in. */
  async letOneLeave(): Promise<void> {
    const seated = this.#users.filter(({ state }) => state === "active");
    const from = seated.length > 0 ? seated : this.#present();
    const user = from[Math.floor(Math.random() * from.length)];
    if (user) await this.#leave(user);
    await this.#askAll();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    for (const user of this.#users) if (user.state === "coming") this.#show(user, "gone", "did not come");
    await inGroups(this.#present(), (user) => this.#leave(user));
  }

  /** On leaving the page, by requests that outlive it. */
  giveBack(): void {
    for (const user of this.#present()) {
      this.#room.closeSession(user.id, { graceSeconds: 0 }).catch(() => {});
      this.#show(user, "gone", "left");
    }
  }

  #makeUser(number: number, run: string): User {
    const card = document.createElement("li");
    card.append(...["strong", "span"].map((tag) => document.createElement(tag)));
    (card.firstChild as HTMLElement).textContent = `User ${number}`;
    const user: User = { id: `demo-${run}-${number}`, state: "coming", card };
    this.#show(user, "coming", "on the way");
    return user;
  }

  #present = () => this.#users.filter(({ state }) => state === "active" || state === "waiting" || state === "trouble");

  async #leave(user: User): Promise<void> {
    try {
      await this.#room.closeSession(user.id);
      this.#show(user, "gone", "left");
      this.#surroundings.onTrouble();
    } catch (error) {
      this.#surroundings.onTrouble(error as KeybeatError);
    }
    this.#surroundings.onChange();
  }

  #askLater(): void {
    clearTimeout(this.#timer);
    if (this.#present().length > 0) this.#timer = setTimeout(() => void this.#askAll(), ASK_EVERY_MS);
  }

  async #askAll(): Promise<void> {
    clearTimeout(this.#timer);
    await inGroups(this.#present(), async (user) => {
      // It may have been told to leave since.
      if (user.state !== "gone") await this.#try(user, () => this.#room.checkPosition(user.id));
    });
    this.#surroundings.onChange();
    this.#askLater();
  }

  /** Returns whether it worked. */
  async #try(user: User, ask: () => Promise<Partial<PositionReply> & Pick<PositionReply, "status">>): Promise<boolean> {
    try {
      const place = await ask();
      if (user.state === "gone") {
        // Stopped while asking for a place.
        await this.#room.closeSession(user.id);
        return true;
      }
      if (place.status === "active") this.#show(user, "active", "has a seat");
      else this.#show(user, "waiting", describePlace(place));
      this.#surroundings.onTrouble();
      return true;
    } catch (error) {
      const { code } = error as KeybeatError;
      if (code === "user_not_found") this.#show(user, "gone", "lost the place");
      else if (user.state !== "gone" && user.state !== "coming") this.#show(user, "trouble", "cannot ask");
      if (code !== "user_not_found") this.#surroundings.onTrouble(error as KeybeatError);
      return code === "user_not_found";
    } finally {
      this.#surroundings.onChange();
    }
  }

  #show(user: User, state: State, text: string): void {
    user.state = state;
    user.card.dataset.state = state;
    const line = user.card.lastChild as HTMLElement;
    if (line.textContent !== text) line.textContent = text;
  }
}

function describePlace({ position, ...place }: Partial<PositionReply>): string {
  const minutes = "estimated_wait_minutes" in place ? place.estimated_wait_minutes : null;
  return `number ${position}${minutes ? ` · ${minutes} min` : ""}`;
}

async function inGroups<T>(all: T[], run: (one: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < all.length; from += AT_ONCE) await Promise.all(all.slice(from, from + AT_ONCE).map(run));
}
