import type { StartOptions } from "../options.ts";
import type { Message } from "./message.ts";

/** The part of the Web Locks API that is used. */
export interface TabLocks {
  request(name: string, options: { signal: AbortSignal }, whileHeld: () => Promise<void>): Promise<unknown>;
}

/** The part of a BroadcastChannel that is used. */
export interface TabChannel {
  onmessage: ((event: { data: Message }) => void) | null;
  postMessage(message: Message): void;
  close(): void;
}

/** As for startSession; `endOnSignals` has no meaning in a page. */
export type SharedOptions = StartOptions & {
  /** False: a session of its own for this tab, as by startSession. Default true. */
  shareTabs?: boolean;
  /** For tests; these two default to the browser's own. */
  locks?: TabLocks;
  openChannel?: (name: string) => TabChannel;
};
