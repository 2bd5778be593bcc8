/**
 * Follows one session to its end: by its event stream while that is this tab's turn, else by asking. Of a browser's tabs the
 * first three hold a stream, as all of them together may have six connections to a host.
 */
import { type CallLink, pause } from "./calls.ts";
import { onAbort } from "./on-abort.ts";
import { StreamTurn } from "./stream-turn.ts";

const STREAMS_MAX = 3;
const POLL_MS = 5_000;
/** A new tab knows by then whether there is a stream for it. */
const FIRST_POLL_MS = 300;

export interface Followed {
  /** Tabs that follow something of the same kind share their turns. */
  kind: string;
  /** Until the end, a cut that nothing mends, or `signal`. `onBytes`: to be called when something came. */
  stream(signal: AbortSignal, onBytes: () => void): Promise<void>;
  ask(signal: AbortSignal): Promise<void>;
  isKnown(): boolean;
  isOver(): boolean;
}

/** Resolves when it is over. Rejects with the reason of `signal`, or what `stream` or `ask` threw. */
export async function followInTurn(link: CallLink, followed: Followed, signal: AbortSignal): Promise<void> {
  /** Fires when the tab's turn changes, or the app stops following. */
  let change = new AbortController();
  let streams = false;
  const turn = new StreamTurn({
    name: `${followed.kind} ${link.url}`,
    max: STREAMS_MAX,
    onChange: () => turn.isMine() !== streams && change.abort(),
  });
  const stopFollowing = onAbort(signal, () => change.abort());
  try {
    for (;;) {
      change = new AbortController();
      streams = turn.isMine();
      if (streams) await followed.stream(change.signal, () => void (turn.isMine() && turn.tell()));
      else await pause(link, followed.isKnown() ? POLL_MS : FIRST_POLL_MS, change.signal);
      signal.throwIfAborted();
      if (followed.isOver()) return;
      if (!turn.isMine()) await followed.ask(signal);
    }
  } finally {
    stopFollowing();
    turn.leave();
  }
}
