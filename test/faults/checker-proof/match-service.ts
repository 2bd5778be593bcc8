/** One match of the service as the contract has it; every call happens at one moment. */
import type { MatchEvent, MatchRow } from "../checker/history.ts";
import {
  HEALTH,
  type MatchAction,
  type MatchAnswer,
  type MatchCall,
  type MatchView,
  PLACES,
} from "../load/match-call.ts";

interface Player {
  status: "active" | "eliminated" | "disconnected";
  health: number;
  score: number;
  readyAt: number;
}

const DAMAGE: Record<string, number> = { attack: 10, ability: 20 };
const COOLDOWN_MS = 1_500;

export function createMatchService(match: string, founders: string[], offsetMs: number) {
  const unhurt = (): Player => ({ status: "active", health: HEALTH, score: 0, readyAt: 0 });
  const players = new Map(founders.map((player) => [player, unhurt()]));
  const events: MatchEvent[] = [];
  const answers = new Map<string, MatchAnswer>();
  const now: Required<Pick<MatchView, "state" | "version" | "numbers" | "winner">> & { reason: string | null } = {
    state: "active",
    reason: null,
    version: 1,
    numbers: [0, 0, 0],
    winner: null,
  };
  const sessionId = `session of ${match}`;

  const standings = () => [...players].map(([id, { status, health, score }]) => `${id} ${status} ${health} ${score}`);
  const tell = (at: number, event: string, data: object) =>
    events.push({ id: events.length + 1, event, at: at + offsetMs, data: { data } });
  const show = (): MatchAnswer => {
    const { reason, ...shown } = now;
    return { is: "shown", ...structuredClone(shown), standings: standings() };
  };
  const showState = () => ({ standings: standings(), over: now.reason !== null, last: events.length });
  const end = (at: number, state: "completed" | "terminated", reason: string) => {
    Object.assign(now, { state, reason, version: now.version + 1 });
    tell(at, "ended", { status: state, ended_reason: reason, ...(now.winner && { winner: now.winner }) });
  };
  const decide = (at: number) => {
    const left = [...players].filter(([, { status }]) => status === "active");
    if (left.length > 1) return;
    now.winner = left[0]?.[0] ?? null;
    end(at, "completed", "decided");
  };
  const refuse = (code: string): MatchAnswer => ({
    is: "refused",
    code,
    ...(code === "session_over" && { state: now.state, reason: now.reason as string }),
  });

  const act = (action: MatchAction, at: number): MatchAnswer => {
    const known = answers.get(action.id);
    if (known) return structuredClone(known);
    const { id, player, type, target } = action;
    const actor = players.get(player);
    const aimedAt = players.get(target ?? "");
    if (!actor) return refuse("not_participant");
    if (actor.status !== "active") return refuse("not_active");
    if (type === "item_use" && at < actor.readyAt) return refuse("cooldown");
    if (now.state === "paused") return refuse("paused");
    if (now.reason !== null) return refuse("session_over");
    if (target !== undefined && !aimedAt) return refuse("unknown_target");
    if (type === "item_use") actor.readyAt = at + COOLDOWN_MS;
    const hit = aimedAt?.status === "active" ? aimedAt : undefined;
    const damage = hit ? (action.damage ?? DAMAGE[type] ?? 0) : 0;
    actor.score += damage;
    if (hit) hit.health = Math.max(0, hit.health - damage);
    const eliminated = hit?.health === 0;
    if (hit && eliminated) hit.status = "eliminated";
    now.numbers = now.numbers.map((number, which) => number + ([1, damage, eliminated ? 1 : 0][which] as number));
    tell(at, "action", {
      player_id: player,
      action_type: type,
      target_id: target,
      action_id: id,
      damage_dealt: damage,
      score: damage,
      ...(hit && { health: hit.health }),
      ...(eliminated && { eliminated }),
    });
    const sequence = events.length;
    if (eliminated) decide(at);
    const answer: MatchAnswer = { is: "happened", sequence, digest: `${id} ${sequence}`, ...showState() };
    answers.set(id, answer);
    return structuredClone(answer);
  };

  const pass = ({ operation, players: moving = [] }: MatchCall, at: number): MatchAnswer => {
    if (now.reason !== null) return refuse("session_over");
    const is = (player: string) => players.get(player)?.status;
    const isNew = moving.filter((player) => is(player) === undefined);
    if (operation === "leave" && isNew.length > 0) return refuse("not_participant");
    if (operation === "join" && moving.some((player) => is(player) === "eliminated")) return refuse("not_active");
    if (operation === "join" && players.size + isNew.length > PLACES) return refuse("full");
    const from = operation === "join" ? ["disconnected", undefined] : ["active"];
    const movers = moving.filter((player) => from.includes(is(player)));
    for (const player of movers) {
      const status = operation === "join" ? "active" : "disconnected";
      players.set(player, { ...(players.get(player) ?? unhurt()), status });
      tell(at, operation === "join" ? "joined" : "left", { player_id: player });
    }
    if (movers.length > 0) now.version++;
    if (movers.length > 0 && operation === "leave") decide(at);
    return show();
  };

  const move = ({ operation, version }: MatchCall, at: number): MatchAnswer => {
    const to = { pause: "paused", resume: "active", complete: "completed" }[operation as string] ?? "terminated";
    if (now.reason === null || to !== "terminated") {
      if (now.reason !== null) return refuse("session_over");
      if (version !== undefined && version !== now.version) return refuse("version_conflict");
      if (to === "completed" || to === "terminated") end(at, to, "requested");
      else if (to !== now.state) {
        tell(at, to === "paused" ? "paused" : "resumed", {});
        Object.assign(now, { state: to, version: now.version + 1 });
      }
    }
    return { is: "shown", state: now.state, version: now.version, ...(now.reason !== null && { reason: now.reason }) };
  };

  const ask = (call: MatchCall, at: number): MatchAnswer => {
    switch (call.operation) {
      case "create":
        return { ...show(), is: "made", sessionId };
      case "act":
        return act(call.action as MatchAction, at);
      case "join":
      case "leave":
        return pass(call, at);
      case "read":
        return show();
      case "state":
        return { is: "shown", ...showState() };
      case "events":
        return {
          is: "told",
          events: events.slice(call.after).map(({ id, event, data }) => structuredClone({ id, event, data })),
        };
      default:
        return move(call, at);
    }
  };
  const row = (): MatchRow => ({
    match,
    sessionId,
    founders,
    isPrepared: false,
    health: HEALTH,
    places: PLACES,
    ...now,
    standings: standings(),
    events,
  });
  return { ask, row, sessionId };
}
