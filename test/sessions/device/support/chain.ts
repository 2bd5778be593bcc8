/** What the answers to all starts of one key say together: who took the key over from whom. */
import type { StartReply } from "../../../../src/sessions/device/contract.ts";

export type Link = Pick<StartReply, "session_id" | "generation" | "previous_session">;

/**
 * The faults of the chain that all starts of one fresh key form in the order of their generations. In a sound chain
 * the first one replaced nobody and every other one exactly the one before it: no gap, no fork, nobody twice.
 * The sessions' ids must differ in their first 8 characters, as replies show no more of the replaced one.
 */
export function findChainFaults(links: Link[]): string[] {
  const chain = links.toSorted((a, b) => a.generation - b.generation);
  return chain.flatMap((link, i) => {
    const before = chain[i - 1];
    if (before?.generation === link.generation) return [`generation ${link.generation} was given out twice`];
    const named = link.previous_session?.session_id ?? "nobody";
    const due = before ? maskSessionId(before.session_id) : "nobody";
    return named === due ? [] : [`start ${i + 1} of ${chain.length} names ${named} as the one it replaced, not ${due}`];
  });
}

export const maskSessionId = (sessionId: string): string => `${sessionId.slice(0, 8)}…`;
