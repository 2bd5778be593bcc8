/** An app with the TypeScript client, in virtual time, against a scripted server. */
import { type Session, type SessionEvent, type StartOptions, startSession } from "../../../src/client/index.ts";
import { type Rule, type StreamAct, table } from "./scenario.ts";
import { ScriptedServer } from "./scripted-server.ts";
import { VirtualTime } from "./virtual-time.ts";

export interface VirtualApp {
  time: VirtualTime;
  server: ScriptedServer;
  events: SessionEvent[];
  options: StartOptions;
  start(): Promise<Session>;
  /** Waits for a promise that needs no more time than that. */
  settled<T>(promise: Promise<T>, withinMs?: number): Promise<T>;
  /** "27000 heartbeat A", …; without the stream's. */
  asked(): string[];
}

export function virtualApp(
  script: { server?: Rule[]; stream?: StreamAct[]; signs_with?: string[] } = {},
  more: Partial<StartOptions> = {},
): VirtualApp {
  const time = new VirtualTime();
  const rest = { name: "", promise: "", run_for: 0, events: [], ends_as: { state: "live" as const } };
  const server = new ScriptedServer(time, table, { ...rest, ...script });
  const events: SessionEvent[] = [];
  const options = {
    url: "https://keys.test",
    accessKey: "a-key",
    onEvent: (event: SessionEvent) => void events.push(event),
    fetch: server.fetch,
    clock: time.clock,
    timers: time.timers,
    random: () => 0.5,
    ...more,
  } as StartOptions;
  const settled = async <T>(promise: Promise<T>, withinMs = 0): Promise<T> => {
    // The waiting test handles it; until then a rejection must not count as unhandled.
    promise.catch(() => {});
    await time.runUntil(time.now + withinMs);
    return promise;
  };
  return {
    time,
    server,
    events,
    options,
    settled,
    start: () => settled(startSession(options)),
    asked: () =>
      server.requests
        .filter(({ request }) => request !== "watch")
        .map(({ at, request, session }) => `${at} ${request} ${session}`),
  };
}

/** What localStorage is to a page. */
export function memoryStorage() {
  let stored: string | undefined;
  return {
    get: () => stored,
    set(sessionId: string) {
      stored = sessionId;
    },
    remove() {
      stored = undefined;
    },
  };
}

/** A window as far as the client looks at it. */
export class FakePage {
  readonly #target = new EventTarget();

  addEventListener(type: string, listener: (event: never) => void, options: { signal: AbortSignal }): void {
    this.#target.addEventListener(type, listener as never, options as never);
  }

  dispatch(type: "pagehide" | "pageshow" | "online", persisted = false): void {
    this.#target.dispatchEvent(Object.assign(new Event(type), { persisted }));
  }
}
