/** The page's calls. The key is in their bodies alone. */
import type { HistoryReply, StatusReply } from "../../contract.ts";

/** What a call was refused with; `unavailable` also where nobody answered. */
export class Refused extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

export type Holder = Extract<StatusReply, { active: true }>["session"];
export type KeyEnding = HistoryReply["endings"][number];

export interface Seen {
  holder: Holder | undefined;
  /** Until when a device holds the key offline. */
  leasedUntil: string | undefined;
  endings: KeyEnding[];
}

const ANSWER_MS_MAX = 10_000;

export async function lookAtKey(access_key: string): Promise<Seen> {
  // One after the other: a key that does not exist is told by the first, and counted once.
  const { endings } = await post<HistoryReply>("history", { access_key });
  const status = await post<StatusReply>("status", { access_key });
  return { holder: status.active ? status.session : undefined, leasedUntil: status.leased_until, endings };
}

export async function signOut(access_key: string, expected_generation: number): Promise<boolean> {
  const { success } = await post<{ success: boolean }>("sign-out", { access_key, expected_generation });
  return success;
}

async function post<Reply>(call: string, body: object): Promise<Reply> {
  try {
    const response = await fetch(`api/session/${call}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    const reply = (await response.json()) as Reply & { code?: string };
    if (response.ok) return reply;
    throw new Refused(reply.code ?? "unavailable");
  } catch (error) {
    throw error instanceof Refused ? error : new Refused("unavailable");
  }
}
