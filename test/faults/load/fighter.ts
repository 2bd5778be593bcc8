/**
 * What one player does in a match: act, sometimes send an old action once more, go and come back, until the match is over or
 * the player is out. Who has not begun it comes when there is a place.
 */
import { randomUUID } from "node:crypto";
import type { ActionType } from "../../../src/sessions/game/combat/contract.ts";
import type { Habits } from "./habits.ts";
import type { AskedOfMatch, MatchAction, MatchAnswer } from "./match-call.ts";

/** A match that is being played, as those who play it share it. */
export interface Match extends Habits {
  /** All who may come to this table, whether or not they take part. */
  players: string[];
  /** Whether somebody was told that it has ended, or the load ends. */
  isOver(): boolean;
  /** Sends one call, or now and then the same to two servers at once. */
  ask(at: number, asked: AskedInMatch): Promise<MatchAnswer>;
  /** Acts, until the outcome is known. */
  act(by: string, action: MatchAction): Promise<MatchAnswer | undefined>;
}

export type AskedInMatch = Omit<AskedOfMatch, "match" | "sessionId" | "server">;

const STEP_MS = 500;
const WAIT_MS = 2_500;
/** In each step: the chance to act against a stranger, to send an old action again, to go. */
const CHANCES = { stranger: 0.02, repeats: 0.08, leaves: 0.03 };

/** Resolves with what the player did, as far as it is known to have happened. */
export async function fight(match: Match, player: string, takesPart: boolean): Promise<MatchAction[]> {
  const { chance, pause, insist, ask, act } = match;
  const done: MatchAction[] = [];
  const pass = (operation: "join" | "leave") => insist((at) => ask(at, { operation, by: player, players: [player] }));

  let isIn = takesPart;
  while (!match.isOver()) {
    await pause(isIn ? STEP_MS : WAIT_MS);
    if (!isIn) {
      const answer = match.isOver() ? undefined : await pass("join");
      if (answer?.is === "refused" && answer.code === "not_active") return done; // eliminated
      isIn = answer?.is === "shown";
      continue;
    }
    if (chance(CHANCES.leaves)) {
      await pass("leave");
      isIn = false;
      continue;
    }
    const action = { id: randomUUID(), player, type: chooseType(), target: chooseTarget(match, player) };
    const answer = await act(player, action);
    if (answer?.is === "happened") done.push(action);
    if (answer?.is === "refused" && ["not_active", "not_participant"].includes(answer.code)) isIn = false;
    const again = done.at(Math.floor(Math.random() * done.length));
    if (again && chance(CHANCES.repeats)) await act(player, again);
  }
  return done;
}

function chooseType(): ActionType {
  const draw = Math.random();
  if (draw < 0.55) return "attack";
  return draw < 0.7 ? "ability" : draw < 0.8 ? "defend" : draw < 0.95 ? "item_use" : "move";
}

function chooseTarget({ chance, players }: Match, player: string): string {
  if (chance(CHANCES.stranger)) return randomUUID();
  // Those who began it are the first; not all others take part.
  const others = players.slice(0, chance(0.8) ? 3 : undefined).filter((other) => other !== player);
  return others[Math.floor(Math.random() * others.length)] as string;
}
