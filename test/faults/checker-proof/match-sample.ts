/** The part of matches in a correct history: a plain service, called by players whose calls get lost and are sent again. */
import type { MatchRow } from "../checker/history.ts";
import { type AskedOfMatch, HEALTH, type MatchAction, type MatchCall, SERVICE } from "../load/match-call.ts";
import { createMatchService } from "./match-service.ts";

const MATCHES = 16;
const STEPS = 60;
const PLAYERS = Array.from({ length: 7 }, (_, n) => `player-${n}`);
const STRANGER = "player-nobody";

export function playMatches(random: () => number, offsetMs: number): { matchCalls: MatchCall[]; matches: MatchRow[] } {
  const matchCalls: MatchCall[] = [];
  const matches = Array.from({ length: MATCHES }, (_, nth) => playMatch(nth, random, offsetMs, matchCalls));
  matchCalls.sort((a, b) => a.answeredAt - b.answeredAt);
  return { matchCalls, matches };
}

function playMatch(nth: number, random: () => number, offsetMs: number, calls: MatchCall[]): MatchRow {
  const pick = <T>(those: readonly T[]): T => those[Math.floor(random() * those.length)] as T;
  const founders = PLAYERS.slice(0, 2 + (nth % 3));
  const service = createMatchService(`match-${nth}`, founders, offsetMs);
  const [maker] = PLAYERS as [string];
  let at = 1_000 + nth * 700;

  const ask = (asked: Omit<AskedOfMatch, "match" | "server" | "sessionId">, isSure = false) => {
    at += 20 + random() * 180;
    const call: MatchCall = {
      ...asked,
      match: `match-${nth}`,
      server: random() < 0.5 ? 0 : 1,
      status: 200,
      sentAt: at - random() * 80,
      answeredAt: at + random() * 80,
      answer: { is: "unknown", why: "503" },
    };
    if (asked.operation !== "create") call.sessionId = service.sessionId;
    const lost = isSure ? 0.5 : random();
    if (lost >= 0.05) call.answer = service.ask(call, at);
    if (lost > 0.95) call.answer = { is: "unknown", why: "cut" };
    calls.push(call);
    return call.answer;
  };
  const done: MatchAction[] = [];
  const act = (action: MatchAction, isSure = false) => {
    const asked = { operation: "act" as const, by: action.damage === undefined ? action.player : SERVICE, action };
    const answer = ask(asked, isSure);
    if (answer.is === "unknown") ask(asked);
    if (answer.is === "happened") done.push(action);
  };
  const newAction = (player: string): MatchAction => ({
    id: `${nth} ${calls.length} ${player}`,
    player,
    type: pick(["attack", "attack", "attack", "defend", "ability", "item_use", "item_use"] as const),
    target: random() < 0.03 ? STRANGER : pick(random() < 0.9 ? founders : PLAYERS.slice(0, 5)),
  });
  const step = (draw: number) => {
    if (draw < 0.55) act(newAction(pick(PLAYERS.slice(0, random() < 0.9 ? founders.length : 6))));
    else if (draw < 0.6) act({ ...newAction(maker), damage: 7 });
    else if (draw < 0.65 && done.length > 0) act(pick(done));
    else if (draw < 0.69) pass(random() < 0.6 ? "join" : "leave", [pick(PLAYERS)]);
    else if (draw < 0.75) ask({ operation: "join", by: SERVICE, players: PLAYERS.slice(-2) });
    else if (draw < 0.82)
      ask({ operation: pick(["pause", "resume", "resume"]), by: maker, version: Math.ceil(random() * 5) });
    else if (draw < 0.84) ask({ operation: "resume", by: maker });
    else if (draw < 0.91) ask({ operation: pick(["read", "state"]), by: maker });
    else if (draw < 0.995) ask({ operation: "events", by: maker, after: random() < 0.5 ? 0 : 3 });
    else ask({ operation: pick(["complete", "terminate"]), by: maker });
  };
  const pass = (operation: "join" | "leave", players: string[], isSure = false) =>
    ask({ operation, by: players[0] as string, players }, isSure);

  ask({ operation: "create", by: maker, players: founders, preparationSeconds: 0 }, true);
  act(newAction(maker), true);
  if (nth % 2 === 0) ask({ operation: "join", by: SERVICE, players: PLAYERS.slice(-2) }, true);
  else pass("join", PLAYERS.slice(4, 5), true);
  ask({ operation: "pause", by: maker }, true);
  ask({ operation: "state", by: maker }, true);
  ask({ operation: "resume", by: maker }, true);
  for (let steps = 0; steps < STEPS; steps++) step(random());
  // One in four is still played when all is over, one fought to its end.
  if (nth % 4 === 1 || nth % 4 === 2) ask({ operation: nth % 4 === 1 ? "complete" : "terminate", by: maker }, true);
  if (nth % 4 === 3) {
    ask({ operation: "resume", by: maker }, true);
    for (const target of PLAYERS.slice(1)) act({ ...newAction(maker), type: "attack", target, damage: HEALTH }, true);
  }
  act(newAction(maker), true);
  for (const operation of ["read", "state", "events"] as const) ask({ operation, by: maker, after: 0 }, true);
  if (done.length > 0) act(pick(done), true);
  return service.row();
}
