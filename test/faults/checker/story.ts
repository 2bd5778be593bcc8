/**
 * The story of each session, gathered from every answer in which it is seen. An answer says what was true at some moment
 * between the sending of its call and the answer; so of each session three sightings are kept, the sharpest of each:
 *
 *   born  the earliest answer that knows it: by then it had begun
 *   live  the latest sending of a call that found it live: at or after then it lived
 *   gone  the earliest answer that knows it is over: by then it had ended
 *
 * "It is not live" tells that a session is gone only where it was born before the call was sent; before that it may just
 * not have begun.
 */
import { type Call, maskSessionId } from "../load/call.ts";
import type { ActiveRow, EndedRow, History } from "./history.ts";

/** A moment, and the call that shows it. */
export interface Sighting {
  at: number;
  call: Call;
}

export interface SessionStory {
  id: string;
  key: number;
  /** All calls that are about it. */
  calls: Call[];
  starts: Call[];
  /** As the answers say, then as the rows say; all should be one. */
  generations: Array<{ generation: number; by: Call | "the rows" }>;
  /** The first of them. */
  generation: number | undefined;
  born?: Sighting;
  live?: Sighting;
  /** Every call by which it was seen live. */
  lives: Call[];
  gone?: Sighting;
  active: ActiveRow[];
  ended: EndedRow[];
}

export interface KeyStory {
  key: number;
  calls: Call[];
  sessions: SessionStory[];
  byId: Map<string, SessionStory>;
  byMask: Map<string, SessionStory>;
  byGeneration: Map<number, SessionStory>;
}

export function tellStories(history: History): KeyStory[] {
  const keys = new Map(history.rows.keys.map(({ key }) => [key, createKeyStory(key)]));
  const keyOf = (key: number) => {
    const known = keys.get(key) ?? createKeyStory(key);
    keys.set(key, known);
    return known;
  };
  for (const call of history.calls) {
    const story = keyOf(call.key);
    story.calls.push(call);
    if (call.sessionId !== "") sessionOf(story, call.sessionId).calls.push(call);
  }
  for (const row of history.rows.active) sessionOf(keyOf(row.key), row.sessionId).active.push(row);
  for (const row of history.rows.history) sessionOf(keyOf(row.key), row.sessionId).ended.push(row);
  for (const story of keys.values()) {
    for (const session of story.sessions) learnGeneration(story, session);
    for (const call of story.calls) learnFrom(story, call);
    for (const call of story.calls) learnAbsence(story, call);
  }
  return [...keys.values()];
}

function createKeyStory(key: number): KeyStory {
  return { key, calls: [], sessions: [], byId: new Map(), byMask: new Map(), byGeneration: new Map() };
}

function sessionOf(story: KeyStory, id: string): SessionStory {
  const known = story.byId.get(id);
  if (known) return known;
  const session: SessionStory = {
    id,
    key: story.key,
    calls: [],
    starts: [],
    lives: [],
    active: [],
    ended: [],
    generations: [],
    generation: undefined,
  };
  story.sessions.push(session);
  story.byId.set(id, session);
  story.byMask.set(maskSessionId(id), session);
  return session;
}

function learnGeneration(story: KeyStory, session: SessionStory): void {
  session.starts = session.calls.filter((call) => call.operation === "start");
  for (const call of session.calls) {
    const { answer } = call;
    const own = answer.is === "started" || answer.is === "live" || (answer.is === "active" && answer.isCurrent);
    if (own) session.generations.push({ generation: answer.generation, by: call });
  }
  for (const row of [...session.active, ...session.ended]) {
    session.generations.push({ generation: row.generation, by: "the rows" });
  }
  session.generation = session.generations[0]?.generation;
  if (session.generation !== undefined) story.byGeneration.set(session.generation, session);
}

/** What an answer says outright. */
function learnFrom(story: KeyStory, call: Call): void {
  const { answer } = call;
  const own = story.byId.get(call.sessionId);
  switch (answer.is) {
    case "started":
      see(own, call, "born", "live");
      see(story.byMask.get(answer.previous ?? ""), call, "born", "live", "gone");
      break;
    case "live":
      see(own, call, "born", "live");
      break;
    case "ended":
      see(own, call, "born", "gone");
      break;
    case "done":
      if (answer.success) see(own, call, "born", "live", "gone");
      break;
    case "challenged":
    case "proof-required":
    case "leased":
      see(own, call, "born", "live");
      break;
    case "active":
      see(answer.isCurrent ? own : story.byMask.get(answer.sessionId), call, "born", "live");
      break;
    case "refused":
      if (answer.code === "session_id_used") see(own, call, "born", "gone");
      else if (answer.holderGeneration !== undefined) {
        // Who holds the key by a lease need not be live.
        const seen = answer.leasedUntil === undefined ? (["born", "live"] as const) : (["born"] as const);
        see(story.byGeneration.get(answer.holderGeneration), call, ...seen);
      }
      break;
  }
}

/** What an answer says of the sessions that it does not find. */
function learnAbsence(story: KeyStory, call: Call): void {
  const { answer } = call;
  const absent =
    answer.is === "inactive"
      ? story.sessions
      : (answer.is === "done" && !answer.success) || answer.is === "not-found"
        ? story.sessions.filter((session) => session.id === call.sessionId)
        : [];
  for (const session of absent) {
    if (session.born && session.born.at <= call.sentAt) see(session, call, "gone");
  }
}

function see(session: SessionStory | undefined, call: Call, ...what: Array<"born" | "live" | "gone">): void {
  if (!session) return;
  if (what.includes("live")) session.lives.push(call);
  for (const sighting of what) {
    const at = sighting === "live" ? call.sentAt : call.answeredAt;
    const known = session[sighting];
    const sharper = known === undefined || (sighting === "live" ? at > known.at : at < known.at);
    if (sharper) session[sighting] = { at, call };
  }
}
