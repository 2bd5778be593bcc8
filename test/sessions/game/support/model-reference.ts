/**
 * What the contract promises of game sessions and matches, as the plainest program that keeps it: one caller at a time,
 * everything in memory, a clock that only moves when it is told to. Written from the contract, not from the SQL that it judges.
 *
 * What time brings (an end, the end of a preparation) is there for whoever comes by; that it has come is noted by settle.
 */
import { type Call, type CallerName, type PlayerName, ROSTERS, RULES } from "./model-commands.ts";

const SILENCE_SECONDS = 86_400;
const KEY_SECONDS = 86_400;

interface Rules {
  health: number;
  open?: boolean;
  max_participants?: number;
  preparation_seconds?: number;
  damage?: Record<string, number>;
  defend_factor?: number;
  score?: Record<string, number>;
  cooldown_ms?: Record<string, number>;
}

export interface ModelParticipant {
  player: PlayerName;
  joinedAt: number;
  status: "active" | "eliminated" | "disconnected";
  score: number;
  health: number;
  defending: boolean;
  /** By type, since when it may come again. */
  readyAt: Record<string, number>;
}

export interface ModelMatch {
  mode: string;
  rules: Rules;
  startedAt: number | null;
  /** As how many it began. */
  beganAs: number;
  participants: ModelParticipant[];
  actions: number;
  refused: number;
  damage: number;
  eliminations: number;
  winner: string | null;
  events: Array<{ text: string; at: number }>;
  /** What was answered to each action, by its id. */
  answers: Map<string, { body: string; answer: Answer }>;
}

export interface ModelSession {
  /** The program makes it; learned from its answer. */
  id: string;
  creator: CallerName;
  type: string;
  status: "active" | "paused" | "completed" | "terminated";
  reason: string | null;
  version: number;
  createdAt: number;
  updatedAt: number;
  endedAt: number | null;
  pausedAt: number | null;
  pausedSeconds: number;
  calledAt: number;
  log: string[];
  /** Of its metadata and its settings. */
  notes: [metadata: number | null, settings: number | null];
  maxSeconds: number | null;
  match: ModelMatch | null;
}

/** The answer to a call in the fewest words that tell two different answers apart. */
export type Answer = { is: string } & Record<string, unknown>;

export interface Reference {
  nowSeconds: number;
  readonly sessions: ModelSession[];
  readonly keys: Map<string, { body: string; session: ModelSession; at: number }>;
  answer(call: Call): Answer;
  /** Notes whatever time has brought. */
  settleAll(): number;
}

export function createReference(): Reference {
  const reference: Reference = { nowSeconds: 0, sessions: [], keys: new Map(), answer, settleAll };
  const { sessions, keys } = reference;
  const now = () => reference.nowSeconds;

  function answer(call: Call): Answer {
    if (call.do === "create" || call.do === "create plain") return create(call);
    if (call.do === "list") return list(call);
    if (call.do === "cleanup") {
      const ended = sessions.filter((session) => overdue(session) !== undefined).length;
      settleAll();
      return { is: ended > 0 ? "ends some" : "finds none", ended };
    }
    const session = sessions.find(({ id }) => id === call.session);
    if (session) settle(session);
    if (session === undefined || !sees(session, call.as, call)) return { is: "session_not_found" };
    if (call.do === "read plain") {
      hear(session);
      return { is: "shown", ...showSession(session) };
    }
    if (call.do === "update" || call.do === "terminate") return put(session, call);
    if (session.match === null) {
      // To look for a match is a call for the session too.
      if (call.do === "read" || call.do === "state") hear(session);
      return { is: "session_not_found" };
    }
    hear(session);
    const match = session as Match;
    switch (call.do) {
      case "read":
        return { is: "shown", ...showMatch(match) };
      case "state":
        return { is: "shown", ...showState(match) };
      case "act":
        return act(match, call);
      default:
        return pass(match, call);
    }
  }

  function create(call: Call & { do: "create" | "create plain" }): Answer {
    const { key, ...body } = call;
    const asked = JSON.stringify(body);
    const known = key === null ? undefined : keys.get(`${call.as} ${key}`);
    if (known && now() - known.at < KEY_SECONDS) {
      if (known.body !== asked) return { is: "idempotency_conflict" };
      return { is: "made", id: known.session.id, ...asMade(known.session, call) };
    }
    const session: ModelSession = {
      id: "",
      creator: call.as,
      type: call.do === "create" ? "combat" : call.type,
      status: "active",
      reason: null,
      version: 1,
      createdAt: now(),
      updatedAt: now(),
      endedAt: null,
      pausedAt: null,
      pausedSeconds: 0,
      calledAt: now(),
      log: ["created"],
      notes: [null, null],
      maxSeconds: call.do === "create" ? call.minutes * 60 : null,
      match: call.do === "create" ? newMatch(call) : null,
    };
    sessions.push(session);
    if (key !== null) keys.set(`${call.as} ${key}`, { body: asked, session, at: now() });
    return { is: "made", id: "", ...asMade(session, call) };
  }

  function newMatch(call: Call & { do: "create" }): ModelMatch {
    const rules = RULES[call.rules] as Rules;
    const founders = ROSTERS[call.players] as readonly PlayerName[];
    return {
      mode: call.mode,
      rules,
      startedAt: rules.preparation_seconds ? null : now(),
      beganAs: founders.length,
      participants: founders.map((player) => newcomer(player, rules)),
      actions: 0,
      refused: 0,
      damage: 0,
      eliminations: 0,
      winner: null,
      events: [],
      answers: new Map(),
    };
  }

  const newcomer = (player: PlayerName, { health }: Rules): ModelParticipant => ({
    player,
    joinedAt: now(),
    status: "active",
    score: 0,
    health,
    defending: false,
    readyAt: {},
  });

  /** As it was when it was made, whatever has become of it. */
  function asMade(session: ModelSession, call: Call & { do: "create" | "create plain" }) {
    const since = now() - session.createdAt;
    if (call.do === "create plain") return { status: "active", version: 1, created: since };
    const { health, preparation_seconds } = RULES[call.rules] as Rules;
    return {
      status: preparation_seconds ? "initializing" : "active",
      version: 1,
      created: since,
      participants: (ROSTERS[call.players] as readonly PlayerName[]).map((player) => `${player} active ${health} 0`),
    };
  }

  const sees = ({ creator, match }: ModelSession, as: CallerName | "self", call: Call) => {
    const who = as === "self" ? (call as Call & { do: "act" }).player : as;
    if (who === "service" || who === creator || match?.rules.open) return true;
    return match?.participants.some(({ player }) => player === who) ?? false;
  };

  function hear(session: ModelSession): void {
    if (session.endedAt === null) session.calledAt = now();
  }

  /** How long it has been played. */
  const playedAt = ({ createdAt, endedAt, pausedAt, pausedSeconds }: ModelSession, at: number) =>
    (endedAt ?? pausedAt ?? at) - createdAt - pausedSeconds;

  const remainingOf = (session: ModelSession) =>
    session.endedAt === null ? (session.maxSeconds as number) - playedAt(session, now()) : 0;

  /** Which limit it has passed, and when. */
  function overdue(session: ModelSession): { reason: string; at: number } | undefined {
    if (session.endedAt !== null) return undefined;
    const silent = session.calledAt + SILENCE_SECONDS;
    const played =
      session.maxSeconds === null || session.pausedAt !== null
        ? Number.POSITIVE_INFINITY
        : session.createdAt + session.maxSeconds + session.pausedSeconds;
    if (Math.min(silent, played) > now()) return undefined;
    return played <= silent ? { reason: "max_duration", at: played } : { reason: "silence", at: silent };
  }

  function startOf(session: ModelSession): number | null {
    const { match } = session;
    if (match === null || match.startedAt !== null) return match?.startedAt ?? null;
    if (session.endedAt !== null || session.pausedAt !== null) return null;
    return session.createdAt + (match.rules.preparation_seconds ?? 0) + session.pausedSeconds;
  }

  function settle(session: ModelSession): void {
    const over = overdue(session);
    const start = startOf(session);
    const { match } = session;
    if (match && match.startedAt === null && start !== null && start <= (over?.at ?? now())) {
      match.startedAt = start;
      match.beganAs = active(match).length;
      tell(match, `started ${match.beganAs}`, start);
      session.log.push("started");
    }
    if (over) end(session, over.reason === "silence" ? "terminated" : "completed", over.reason, over.at);
  }

  function settleAll(): number {
    for (const session of sessions) settle(session);
    return sessions.length;
  }

  function end(session: ModelSession, status: "completed" | "terminated", reason: string, at: number, more = ""): void {
    if (session.pausedAt !== null) session.pausedSeconds += at - session.pausedAt;
    Object.assign(session, { status, reason, endedAt: at, pausedAt: null, updatedAt: at });
    session.version++;
    session.log.push(`${status}${more}`);
    const { match } = session;
    if (match) tell(match, `ended ${status} ${reason}${match.winner ? ` ${match.winner}` : ""}`, at);
  }

  function tell(match: ModelMatch, text: string, at: number): void {
    match.events.push({ text: `${match.events.length + 1} ${text}`, at });
  }

  /** What PUT and DELETE do. The version that a demand means is the one of this moment. */
  function put(session: ModelSession, call: Call & { do: "update" | "terminate" }): Answer {
    hear(session);
    if (call.as !== "service" && call.as !== session.creator) return { is: "forbidden" };
    const answer = () => ({ is: `now ${session.status}`, ...showSession(session) });
    if (session.endedAt !== null) {
      return call.do === "update" ? { is: "session_over", ...endingOf(session) } : answer();
    }
    if (call.demands === "another match") return { is: "precondition_failed" };
    if (call.demands === "another version") return { is: "version_conflict" };
    if (call.do === "update") update(session, call);
    else end(session, "terminated", "requested", now(), call.reason === null ? "" : `: ${call.reason}`);
    return answer();
  }

  function update(session: ModelSession, { status, metadata, settings }: Call & { do: "update" }): void {
    const replaced = `${metadata === null ? "" : " metadata"}${settings === null ? "" : " settings"}`;
    session.notes = [metadata ?? session.notes[0], settings ?? session.notes[1]];
    if (status === "completed" || status === "terminated") {
      end(session, status, "requested", now(), replaced);
      return;
    }
    const word = status === null || status === session.status ? undefined : status === "paused" ? "paused" : "resumed";
    if (word === undefined && replaced === "") return;
    if (word !== undefined) move(session, status as "active" | "paused", word);
    change(session, `${word ?? "updated"}${replaced}`);
  }

  function move(session: ModelSession, status: "active" | "paused", word: string): void {
    if (status === "paused") session.pausedAt = now();
    else {
      session.pausedSeconds += now() - (session.pausedAt as number);
      session.pausedAt = null;
    }
    session.status = status;
    if (session.match) tell(session.match, word, now());
  }

  function change(session: ModelSession, entry: string): void {
    session.version++;
    session.updatedAt = now();
    session.log.push(entry);
    hear(session);
  }

  function pass(session: Match, { do: verb, as, players }: Call & { do: "join" | "leave" }): Answer {
    const { match } = session;
    const { rules, participants } = match;
    const find = (player: PlayerName) => participants.find((one) => one.player === player);
    if (as !== "service" && (players.length > 1 || players[0] !== as)) return { is: "forbidden" };
    if (!rules.open) return { is: "not_open" };
    if (session.endedAt !== null) {
      const isDone = verb === "leave" && players.every((player) => find(player)?.status === "disconnected");
      return isDone ? { is: "left", ...showMatch(session) } : { is: "session_over", ...endingOf(session) };
    }
    const moved: PlayerName[] = [];
    if (verb === "leave") {
      if (!players.every(find)) return { is: "not_participant" };
      for (const one of participants) {
        if (one.status !== "active" || !players.includes(one.player)) continue;
        one.status = "disconnected";
        moved.push(one.player);
      }
    } else {
      if (players.some((player) => find(player)?.status === "eliminated"))
        return { is: "not_active", standing: "eliminated" };
      const fresh = players.filter((player) => !find(player));
      const left = (rules.max_participants ?? 100) - participants.length;
      if (fresh.length > left) return { is: "full", left };
      for (const one of participants) {
        if (one.status !== "disconnected" || !players.includes(one.player)) continue;
        one.status = "active";
        moved.push(one.player);
      }
      for (const player of fresh) participants.push(newcomer(player, rules));
      moved.push(...fresh);
    }
    for (const player of moved) tell(match, `${verb === "join" ? "joined" : "left"} ${player}`, now());
    if (moved.length > 0) change(session, `${verb === "join" ? "joined" : "left"} ${moved.join(" ")}`);
    if (verb === "leave" && moved.length > 0) decide(session);
    return { is: verb === "join" ? "joined" : "left", ...showMatch(session) };
  }

  /** Whether the fight is over, and how. */
  function decision({ participants, mode, startedAt, beganAs }: ModelMatch): { winner: string | null } | undefined {
    const remaining = participants.filter(({ status }) => status === "active");
    if (remaining.length === 0) return { winner: null };
    if (remaining.length > 1 || mode === "pve" || startedAt === null || beganAs === 1) return undefined;
    return { winner: remaining[0]?.player ?? null };
  }

  function decide(session: Match): void {
    const decided = decision(session.match);
    if (!decided) return;
    session.match.winner = decided.winner;
    end(session, "completed", "decided", now());
  }

  function act(session: Match, call: Call & { do: "act" }): Answer {
    const { match } = session;
    const { player, type, as } = call;
    const id = (call as { actionId?: string }).actionId as string;
    const body = (call as { body?: string }).body as string;
    const actor = match.participants.find((one) => one.player === player);
    const refuse = (is: string, more: object = {}): Answer => {
      if (actor && (as === "service" || as === "self" || as === player)) match.refused++;
      return { is, ...more };
    };
    const known = match.answers.get(id);
    if (known) return known.body === body ? { ...known.answer, is: "repeated" } : refuse("action_conflict");
    if (as !== "service" && as !== "self" && as !== player) return { is: "forbidden" };
    if (!actor) return { is: "not_participant" };
    if (actor.status !== "active") return refuse("not_active", { standing: actor.status });
    const waits = Math.max(
      (actor.readyAt[type] ?? now()) - now(),
      match.startedAt === null && session.endedAt === null
        ? (match.rules.preparation_seconds ?? 0) - playedAt(session, now())
        : 0,
    );
    if (waits > 0) return refuse("cooldown", { waits });
    if (session.pausedAt !== null) return refuse("paused");
    if (session.endedAt !== null) return refuse("session_over", endingOf(session));
    const target = match.participants.find((one) => one.player === call.target);
    if (call.target !== null && !target) return refuse("unknown_target");
    const answer = carryOut(session, call, actor, target);
    match.answers.set(id, { body, answer });
    return answer;
  }

  function carryOut(
    session: Match,
    call: Call & { do: "act" },
    actor: ModelParticipant,
    target: ModelParticipant | undefined,
  ): Answer {
    const { match } = session;
    const { rules } = match;
    const { type } = call;
    const given = call.as === "service" ? call.given : { damage: null, eliminated: null, score: null };
    actor.defending = type === "defend";
    const remaining = remainingOf(session);
    let damage = 0;
    let falls = false;
    const hit = target?.status === "active" ? target : undefined;
    if (hit) {
      const plain = { attack: 10, ability: 20, ...rules.damage }[type as string] ?? 0;
      const shielded = hit !== actor && hit.defending;
      damage = given.damage ?? Math.floor(shielded ? plain * (rules.defend_factor ?? 0.5) + 1e-9 : plain);
      hit.health = Math.max(0, hit.health - damage);
      falls = given.eliminated ?? (damage > 0 && hit.health === 0);
      if (falls) hit.status = "eliminated";
    }
    const gained = given.score ?? rules.score?.[type] ?? damage;
    actor.score += gained;
    const cooldown = rules.cooldown_ms?.[type] ?? 0;
    if (cooldown > 0) actor.readyAt[type] = now() + cooldown / 1000;
    match.actions++;
    match.damage += damage;
    if (falls) match.eliminations++;
    const decides = falls && decision(match) !== undefined;
    const aim = call.target === null ? "" : ` ${call.target}`;
    const left = hit ? ` ${hit.health}` : "";
    const effect = `${damage} +${gained}${left}${falls ? " falls" : ""}${decides ? " decides" : ""}`;
    tell(match, `action ${call.player} ${type}${aim} ${effect} ${remaining}`, now());
    const sequence = match.events.length;
    if (decides) decide(session);
    return { is: "happened", sequence, damage, ...showState(session) };
  }

  function list({ as, status, mode }: Call & { do: "list" }): Answer {
    for (const session of sessions) if (overdue(session)) settle(session);
    const ids = sessions
      .filter((session) => session.match !== null && sees(session, as, { do: "cleanup" }))
      .filter((session) => mode === null || session.match?.mode === mode)
      .filter((session) => {
        const word = statusOf(session as Match);
        return word === status || (status === "active" && word === "initializing");
      })
      .map(({ id }) => id);
    return { is: ids.length > 0 ? "shown" : "empty", ids: ids.reverse() };
  }

  const statusOf = (session: Match) => {
    const start = startOf(session);
    return session.status === "active" && (start === null || start > now()) ? "initializing" : session.status;
  };

  function showMatch(session: Match) {
    const { match } = session;
    return {
      status: statusOf(session),
      version: session.version,
      participants: showParticipants(match),
      played: playedAt(session, now()),
      stats: [match.actions, match.damage, match.eliminations, match.winner],
      created: now() - session.createdAt,
      started: match.startedAt === null ? null : now() - match.startedAt,
      ended: session.endedAt === null ? null : now() - session.endedAt,
    };
  }

  function showState(session: Match) {
    const { match } = session;
    return {
      phase: session.endedAt !== null ? "finished" : match.startedAt === null ? "preparation" : "active",
      remaining: remainingOf(session),
      participants: showParticipants(match),
      events: match.events.slice(-50).map(({ text }) => text),
    };
  }

  const showSession = (session: ModelSession) => ({
    notes: session.notes,
    status: session.status,
    reason: session.reason,
    version: session.version,
    type: session.type,
    created: now() - session.createdAt,
    updated: now() - session.updatedAt,
    ended: session.endedAt === null ? null : now() - session.endedAt,
  });

  const endingOf = ({ status, reason, endedAt }: ModelSession) => ({
    ending: [status, reason, now() - (endedAt as number)],
  });

  return reference;
}

type Match = ModelSession & { match: ModelMatch };

const active = ({ participants }: ModelMatch) => participants.filter(({ status }) => status === "active");

export const showParticipants = ({ participants }: ModelMatch) =>
  participants.map(({ player, status, health, score }) => `${player} ${status} ${health} ${score}`);
