import type { SessionEvent } from "../events.ts";
import type { SessionState } from "../handle.ts";

/** The messages between tabs. */
export type Message =
  /** A tab is here and wants the news. */
  | { type: "hello"; from: string }
  /** A tab is gone. */
  | { type: "bye"; from: string }
  /** The session's state, from its leader or from the tab that ended it. */
  | {
      type: "news";
      from: string;
      sessionId: string;
      generation: number;
      state: SessionState;
      /** How long the tabs may rely on it without further news, in ms. */
      deadlineInMs: number;
      event?: SessionEvent;
    };
