/**
 * The life of a table at which one match after the other is played: made by a player, fought by those who began it and by who
 * comes later, beside whom its maker pauses and ends it and a service acts; then everybody looks at what came of it.
 *
 *   create ──► fight (fighter.ts), pause ⇄ resume, join, leave ──► decided | completed | terminated ──► look ──► create …
 *
 * What has an unknown outcome is asked again, at another server if there is one: an action by its action_id.
 */
import { randomUUID } from "node:crypto";
import type { Client } from "./client.ts";
import { type AskedInMatch, fight, type Match } from "./fighter.ts";
import { createHabits } from "./habits.ts";
import { type AskedOfMatch, type MatchAction, type MatchAnswer, SERVICE } from "./match-call.ts";

export interface TableOptions {
  client: Client;
  /** A name for each of its matches. */
  newName(): string;
  /** Until its first match, at most. */
  firstWaitMs: number;
  /** Aborted: finish the call that is under way, and go. */
  signal: AbortSignal;
}

const STEP_MS = 500;
const REST_MS = 700;
const PAUSE_MS = 700;
/** Those who sit at a table: more than the places that a match has. */
const PLAYERS = 7;
const TRIES_MAX = 20;
/** In each step of the maker: the chance to pause it, to end it, to look; of a service to act, or to bring two players. */
const CHANCES = { prepared: 0.2, twice: 0.1, pauses: 0.1, ends: 0.04, looks: 0.3, serves: 0.1, brings: 0.2 };

export async function playAtTable({ client, newName, firstWaitMs, signal }: TableOptions): Promise<void> {
  const habits = createHabits(client.servers, TRIES_MAX, signal);
  const { chance, pause, other, insist } = habits;
  const players = Array.from({ length: PLAYERS }, () => randomUUID());

  const sendSome = async (at: number, asked: AskedOfMatch): Promise<MatchAnswer> => {
    const send = (server: number) => client.askMatch({ ...asked, server });
    return (chance(CHANCES.twice) ? await Promise.all([send(at), send(other())]) : [await send(at)])[0] as MatchAnswer;
  };

  const play = async () => {
    const name = newName();
    const [maker] = players as [string];
    const began = players.slice(0, 2 + Math.floor(Math.random() * 3));
    const preparationSeconds = chance(CHANCES.prepared) ? 1 : 0;
    const create = { operation: "create" as const, match: name, by: maker, players: began, preparationSeconds };
    const made = await insist((at) => sendSome(at, { ...create, server: at }));
    if (made?.is !== "made") return;
    const { sessionId } = made;
    let over = false;
    const ask = async (at: number, asked: AskedInMatch) => {
      const answer = await sendSome(at, { ...asked, match: name, sessionId, server: at });
      over ||= "over" in answer && answer.over === true;
      over ||= "state" in answer && (answer.state === "completed" || answer.state === "terminated");
      return answer;
    };
    const act = (by: string, action: MatchAction) => insist((at) => ask(at, { operation: "act", by, action }));
    const match: Match = { ...habits, players, isOver: () => over || signal.aborted, ask, act };

    const acts = await Promise.all([
      ...players.map((player, at) => fight(match, player, at < began.length)),
      lead(match, maker),
    ]);
    for (const by of [maker, players.at(-1) as string]) {
      await insist((at) => ask(at, { operation: "read", by }));
      await insist((at) => ask(at, { operation: "state", by }));
      await ask(habits.at(), { operation: "events", by, after: 0 });
    }
    const [again] = acts.flat();
    if (again) await act(again.player, again);
  };

  await pause(firstWaitMs);
  while (!signal.aborted) {
    await play();
    await pause(REST_MS);
  }
}

/** What a match's maker does beside the fight, and a service. */
async function lead(match: Match, maker: string): Promise<MatchAction[]> {
  const { chance, pause, insist, ask } = match;
  const [one, two, ...others] = match.players as [string, string, ...string[]];
  const move = (operation: "pause" | "resume" | "complete" | "terminate", version?: number) =>
    insist((at) => ask(at, { operation, by: maker, ...(version !== undefined && { version }) }));
  let version: number | undefined;
  let heard = 0;
  while (!match.isOver()) {
    await pause(STEP_MS);
    if (chance(CHANCES.looks)) {
      const seen = await insist((at) => ask(at, { operation: chance(0.5) ? "read" : "state", by: maker }));
      if (seen?.is === "shown") version = seen.version;
      const told = await ask(match.at(), { operation: "events", by: maker, after: heard });
      if (told.is === "told") heard = told.events.at(-1)?.id ?? heard;
    }
    if (chance(CHANCES.pauses)) {
      // Whoever has not looked for long may be told that it has changed since.
      await move("pause", version);
      await pause(PAUSE_MS);
      await move("resume");
    }
    if (chance(CHANCES.brings)) {
      const players = others.slice(-2);
      await insist((at) => ask(at, { operation: "join", by: SERVICE, players }));
    }
    if (chance(CHANCES.serves)) {
      await match.act(SERVICE, { id: randomUUID(), player: one, type: "ability", target: two, damage: 7 });
    }
    if (chance(CHANCES.ends)) await move(chance(0.5) ? "complete" : "terminate");
  }
  return [];
}
