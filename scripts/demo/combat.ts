/**
 * One match, in under half a minute: four players fight, an action whose answer is lost counts once, the service is killed in
 * the middle and comes back, one player is left, and the replay of the events is the state. Everything is real: the service,
 * its database, the client, the crash. `npm run demo:combat`
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type CombatEvent, type CombatState, type Games, openGames } from "../../src/client/game/index.ts";
import { signToken } from "../../src/http/sign-token.ts";
import { startService } from "./service.ts";
import { createTell } from "./tell.ts";

const NAMES = ["Ada", "Bo", "Cleo", "Dan"] as const;
type Name = (typeof NAMES)[number];
const SECRET = randomUUID() + randomUUID();
const HEALTH = 60;
const PACE_MS = 60;
const HOUR_MS = 3_600_000;

const tell = createTell({ Ada: "36", Bo: "35", Cleo: "34", Dan: "32", watcher: "33" });
tell("story", "starting Keybeat with a database of its own");
const service = await startService(60, { JWT_SECRET: SECRET });
const { url } = service;
process.once("SIGINT", () => void finish(130));

interface Player {
  name: Name;
  id: string;
  games: Games;
}

const players: Player[] = NAMES.map((name) => {
  const id = randomUUID();
  const expiresAt = new Date(Date.now() + HOUR_MS).toISOString();
  const token = () => signToken({ secret: SECRET }, { subject: id, role: undefined, expiresAt });
  return { name, id, games: openGames({ url, token, fetch: fetchFor(name) }) };
});
/** Of whose next action the answer is to be lost. */
let unlucky: Name | undefined;
let match = "";
const nameOf = (id: unknown) => players.find((one) => one.id === id)?.name ?? "somebody";

try {
  await play();
  tell("story", "that is all: every action happened once, nothing was lost, and the events tell the whole match");
  await finish(0);
} catch (error) {
  tell("story", `something went wrong: ${(error as Error).message}`);
  await finish(1);
}

async function play(): Promise<void> {
  const [ada, bo, cleo, dan] = players as [Player, Player, Player, Player];
  const made = await ada.games.createMatch({
    mode: "arena",
    participants: players.map(({ id }) => id),
    settings: { rules: { health: HEALTH } },
  });
  match = made.session_id;
  tell("story", `a match of four is made, ${HEALTH} health each: an attack takes 10, an ability 20`);
  const events: CombatEvent[] = [];
  let first: CombatState | undefined;
  const watching = bo.games.follow(match, {
    onChange: (state) => (first ??= state),
    onEvent(event) {
      events.push(event);
      tellEvent(event);
    },
  });
  while (first === undefined) await sleep(20);

  await act(ada, "attack", bo);
  unlucky = "Bo";
  const { sequence, new_state } = await act(bo, "attack", dan);
  const left = new_state.participants.find(({ player_id }) => player_id === dan.id)?.health;
  tell(
    "story",
    `Bo's client has sent it again: it is action ${sequence}, and Dan has ${left} health, not ${HEALTH - 20}`,
  );
  await act(dan, "defend");
  await act(cleo, "attack", dan);
  await act(cleo, "ability", dan);

  tell("story", "the service is killed (kill -9), with four attacks on their way");
  await service.kill();
  const killedAt = Date.now();
  const pending = [act(ada, "ability", dan), act(bo, "attack", cleo), act(cleo, "attack", bo), act(dan, "attack", ada)];
  tell("story", "it is started again, at the same address");
  await service.restart();
  const results = await Promise.all(pending);
  const seconds = ((Date.now() - killedAt) / 1000).toFixed(1);
  const places = results.map((result) => result.sequence).sort((x, y) => x - y);
  tell("story", `${seconds} s after the crash all four are done, each once: they are actions ${places.join(", ")}`);
  tell("story", "its players and its watcher have noticed nothing but the wait");

  for (let state = await ada.games.readState(match); state.phase !== "finished"; ) {
    const rival = state.participants.find(({ player_id, status }) => player_id !== ada.id && status === "active");
    const target = players.find(({ id }) => id === rival?.player_id) as Player;
    state = (await act(ada, "ability", target)).new_state;
  }
  const end = await watching;
  const { stats } = await ada.games.readMatch(match);
  tell("story", `one is left: ${nameOf(stats.winner)} has won, after ${stats.total_actions} actions`);
  checkReplay(events, end, stats.total_actions);
}

async function act(who: Player, action_type: "attack" | "ability" | "defend", target?: Player) {
  await sleep(PACE_MS);
  return who.games.act(match, { action_type, player_id: who.id, target_id: target?.id });
}

/** What everybody began with, and nothing but the events since, must give what the service says. */
function checkReplay(events: CombatEvent[], end: CombatState, actions: number): void {
  const health = new Map(players.map(({ id }) => [id, HEALTH]));
  const score = new Map(players.map(({ id }) => [id, 0]));
  for (const { type, data } of events) {
    if (type !== "action") continue;
    const who = String(data.player_id);
    score.set(who, (score.get(who) ?? 0) + Number(data.score ?? 0));
    if (data.health !== undefined) health.set(String(data.target_id), Number(data.health));
  }
  const replayed = players.map(({ id }) => [id, health.get(id), score.get(id)]);
  const state = end.participants.map(({ player_id, health: left, score: won }) => [player_id, left, won]);
  const inOrder = events.every(({ sequence }, at) => sequence === at + 1);
  const counted = events.filter(({ type }) => type === "action").length === actions;
  if (JSON.stringify(replayed) !== JSON.stringify(state) || !inOrder || !counted) throw new Error("the replay differs");
  tell(
    "story",
    `the replay of ${events.length} events, 1 to ${events.length} without a gap, is the state that the service says`,
  );
}

function tellEvent({ sequence, type, data }: CombatEvent): void {
  const aim = data.target_id === undefined ? "" : ` at ${nameOf(data.target_id)}, who has ${data.health} health left`;
  const action = `${data.action_type}${aim}${data.eliminated ? ", and is out" : ""}`;
  if (type === "action") tell(nameOf(data.player_id), `${sequence}: ${action}`);
  else tell("watcher", `${sequence}: ${type}`);
}

/** The network of a player: loses the answer to an action, once it was carried out, where that is wanted. */
function fetchFor(name: Name): typeof fetch {
  return async (address, init) => {
    const response = await fetch(address, init);
    if (unlucky !== name || !String(address).endsWith("/actions")) return response;
    unlucky = undefined;
    await response.text();
    tell("story", `${name}'s action is carried out, but the answer gets lost on its way`);
    throw new TypeError("the connection was cut");
  };
}

async function finish(code: number): Promise<void> {
  await service.stop();
  process.exit(code);
}
