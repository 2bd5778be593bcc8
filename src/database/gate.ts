/**
 * Admits a bounded number of calls and queues a few more; the rest are turned away. Calls that share a turn (starts of
 * one key, say) run one at a time, so that a thousand of them, or one that hangs, take one place and not all.
 */
export interface GateOptions {
  insideMax: number;
  waitingMax: number;
  /** How many calls of one turn may queue. */
  turnWaitingMax: number;
}

export interface Gate {
  /**
   * Calls `begin` as soon as there is room, now or later. Returns a function that gives up the place in the queue
   * (harmless once begun), or undefined if the call was turned away.
   */
  enter(begin: () => void, turn?: string): (() => void) | undefined;
  /** Whether no call is inside. */
  isEmpty(): boolean;
  /** Must be called exactly once for each call that began, with the same turn. */
  leave(turn?: string): void;
}

interface Waiter {
  begin(): void;
  turn: string | undefined;
}

export function createGate(options: GateOptions): Gate {
  const waiting: Waiter[] = [];
  const turns = new Set<string>();
  let inside = 0;

  const isFree = (turn: string | undefined) => inside < options.insideMax && (turn === undefined || !turns.has(turn));

  const letIn = (waiter: Waiter) => {
    inside++;
    if (waiter.turn !== undefined) turns.add(waiter.turn);
    waiter.begin();
  };

  return {
    enter(begin, turn) {
      const waiter = { begin, turn };
      if (isFree(turn)) {
        letIn(waiter);
        return () => {};
      }
      const ofTurn = turn === undefined ? 0 : waiting.filter((other) => other.turn === turn).length;
      if (waiting.length >= options.waitingMax || ofTurn >= options.turnWaitingMax) return undefined;
      waiting.push(waiter);
      return () => {
        const place = waiting.indexOf(waiter);
        if (place >= 0) waiting.splice(place, 1);
      };
    },
    isEmpty: () => inside === 0,
    leave(turn) {
      inside--;
      if (turn !== undefined) turns.delete(turn);
      const next = waiting.findIndex((waiter) => isFree(waiter.turn));
      if (next >= 0) letIn(waiting.splice(next, 1)[0] as Waiter);
    },
  };
}
