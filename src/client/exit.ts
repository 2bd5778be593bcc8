/** Gives the key back when the app goes away. Best effort: after a crash or a power cut the session expires. */
import type { PageEvents } from "./platform.ts";

interface PageLife {
  /** The page goes away; `mayReturn`: it may be shown again as it is (the back/forward cache). */
  hide(mayReturn: boolean): void;
  /** It is shown again. */
  show(): void;
  /** The browser thinks that the network is back. */
  online(): void;
}

/** Follows the page, if there is one, until `over` fires. */
export function followPage(page: PageEvents | undefined, life: PageLife, over: AbortSignal): void {
  const target = page ?? (globalThis as Partial<PageEvents>);
  const options = { signal: over };
  target.addEventListener?.("pagehide", (event) => life.hide(event.persisted === true), options);
  target.addEventListener?.("pageshow", (event) => event.persisted && life.show(), options);
  target.addEventListener?.("online", () => life.online(), options);
}

interface ProcessLike {
  pid: number;
  on(signal: string, listener: (signal: string) => void): unknown;
  off(signal: string, listener: (signal: string) => void): unknown;
  listenerCount(signal: string): number;
  kill(pid: number, signal: string): unknown;
}

/** The process's sessions that end on signals. One listener serves all, even if the app has several copies of this. */
interface Ends extends Set<() => Promise<void>> {
  stop?(signal: string): void;
}

const ENDS = Symbol.for("keybeat.endOnSignals");

/** Ends the session on SIGINT and SIGTERM, then re-sends the signal, unless the app has a handler of its own. */
export function endOnSignals(end: () => Promise<void>, over: AbortSignal): void {
  const shared = globalThis as { process?: ProcessLike; [ENDS]?: Ends };
  const { process } = shared;
  if (!process?.on) return;
  shared[ENDS] ??= new Set();
  const ends = shared[ENDS];
  ends.stop ??= async (signal) => {
    // Each session removes itself at once, and the last one the listener: a second Ctrl-C does not wait.
    await Promise.all([...ends].map((one) => one()));
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  const { stop } = ends;
  const each = (change: "on" | "off") => ["SIGINT", "SIGTERM"].forEach((signal) => void process[change](signal, stop));
  if (ends.size === 0) each("on");
  ends.add(end);
  over.addEventListener("abort", () => ends.delete(end) && ends.size === 0 && each("off"));
}
