/** What all have in common who make load: chances, pauses of no certain length, and that an unknown outcome is asked for again. */
import { setTimeout as sleep } from "node:timers/promises";

export interface Habits {
  /** The server that is asked at present. */
  at(): number;
  /** Another, if there is one. */
  other(): number;
  /** From now on the other one is asked. */
  move(): void;
  chance(share: number): boolean;
  /** Half of that time, or up to all of it; over at once when the load ends. */
  pause(ms: number): Promise<void>;
  /** Asks again, at the other server, until the answer is known; undefined: given up. */
  insist<A extends { is: string }>(ask: (at: number) => Promise<A>): Promise<A | undefined>;
}

const AGAIN_MS = 400;

export function createHabits(servers: number, triesMax: number, signal: AbortSignal): Habits {
  let server = Math.floor(Math.random() * servers);
  const other = () => (server + 1) % servers;
  const move = () => {
    server = other();
  };
  const pause = (ms: number) => sleep(ms * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
  return {
    at: () => server,
    other,
    move,
    chance: (share) => Math.random() < share,
    pause,
    async insist(ask) {
      for (let tries = 0; tries < triesMax && !signal.aborted; tries++) {
        const answer = await ask(server);
        if (answer.is !== "unknown") return answer;
        move();
        await pause(AGAIN_MS);
      }
      return undefined;
    },
  };
}
