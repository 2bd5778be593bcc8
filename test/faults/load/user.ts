/**
 * The life of one simulated user of the waiting room: come, ask for the place, sometimes come once more as another tab does,
 * ask for permits and give them back, fall silent or close; after a while come again.
 *
 *   create ──► ask … ask, a permit now and then ──► closed, or told that there is no place ──► wait ──► create …
 *                 └─ silent for longer than the timeout ──► ask again
 *
 * What has an unknown outcome is asked again, at another server if there is one.
 */
import { randomUUID } from "node:crypto";
import type { Client } from "./client.ts";
import { createHabits } from "./habits.ts";
import type { RoomAnswer } from "./room-call.ts";

export interface UserOptions {
  client: Client;
  user: string;
  /** How long silence lasts when a user falls silent. */
  silenceMs: number;
  /** Until the user comes for the first time, at most. */
  firstWaitMs: number;
  /** Aborted: finish the call that is under way, and go. */
  signal: AbortSignal;
}

const ASK_MS = 500;
const AWAY_MS = 1_500;
const PERMIT_MS = 600;
/** In each asking: the chance to leave the seat, or the line; to fall silent; to come once more; to ask for a permit, for the counts. */
const CHANCES = {
  leavesSeat: 0.15,
  leavesLine: 0.02,
  fallsSilent: 0.02,
  comesAgain: 0.05,
  requests: 0.4,
  counts: 0.05,
};
const PREFERRED = 0.25;
const TRIES_MAX = 12;

export async function liveAsUser({ client, user, silenceMs, firstWaitMs, signal }: UserOptions): Promise<void> {
  const { chance, pause, at, other, move, insist } = createHabits(client.servers, TRIES_MAX, signal);

  const come = () => {
    const place = { sessionId: randomUUID(), priority: chance(PREFERRED) ? 2 + Math.floor(Math.random() * 8) : 1 };
    const create = (server: number) => client.askRoom({ operation: "create", user, server, ...place });
    // Now and then two tabs come at once: it must come out as one place.
    return insist(
      async () =>
        (chance(0.05) ? await Promise.all([create(at()), create(other())]) : [await create(at())])[0] as RoomAnswer,
    );
  };

  const askForPlace = () => {
    if (chance(0.4)) move();
    return client.askRoom({ operation: "position", user, server: at() });
  };

  const sendRequest = async () => {
    const answer = await client.askRoom({ operation: "request", user, server: at() });
    if (answer.is !== "granted") return;
    const { permitId } = answer;
    await pause(PERMIT_MS);
    await insist(() => client.askRoom({ operation: "give-back", user, server: at(), permitId }));
  };

  /** Resolves when the place is given up, or gone as far as the user knows. */
  const stay = async () => {
    for (;;) {
      await pause(ASK_MS);
      if (signal.aborted) return;
      if (chance(CHANCES.fallsSilent)) await pause(silenceMs * 1.4);
      if (chance(CHANCES.counts)) await client.askRoom({ operation: "status", user: "", server: at() });
      const answer = chance(CHANCES.comesAgain) ? await come() : await askForPlace();
      if (answer?.is === "nowhere") return;
      const seated = answer?.is === "seated";
      if (seated && chance(CHANCES.requests)) await sendRequest();
      if (chance(seated ? CHANCES.leavesSeat : CHANCES.leavesLine)) {
        await insist(() => client.askRoom({ operation: "close", user, server: at() }));
        return;
      }
    }
  };

  await pause(firstWaitMs);
  while (!signal.aborted) {
    if (await come()) await stay();
    await pause(AWAY_MS);
  }
}
