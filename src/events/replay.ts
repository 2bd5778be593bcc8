/**
 * Event streams with replay: events that are kept in the database in order, each with an id, told to whoever follows
 * their subject from whatever process, at once when PostgreSQL notifies and by looking in any case (see looks.ts).
 *
 *   reader's place ──► look: what came after it ──► told, once, in order ──► the last one: the stream ends
 *
 * A reader that does not keep up is left where it stands, and given the rest when it has taken what it has: nobody else
 * waits, and nothing is kept for it. What every reader of a subject wants is read and written once.
 */
import type { Listener } from "../database/listener.ts";
import type { Logger } from "../log.ts";
import { createLooks } from "./looks.ts";
import { type EventStream, writeEvent } from "./sse.ts";

const ROUND_MS = 10_000;
const ROUND_MS_IN_DOUBT = 1_500;
const SUBJECTS_MAX = 500;
/** How soon a reader that did not keep up is looked at again. */
const BEHIND_MS = 100;
/** What has no id is told so often at most. */
const NEWS_MS = 250;

export interface KeptEvent {
  id: number;
  event: string;
  data: unknown;
}

/** What is to be told of a subject after some id. */
export interface Tidings {
  /** In order; perhaps not yet all. */
  events: KeptEvent[];
  complete: boolean;
  /** How things stand now; has no id, and is told when `values` are others than before. Undefined: the events say all. */
  state: { event: string; values: unknown; data: unknown } | undefined;
  /** The last of these events is the last of all. */
  over: boolean;
  /** In so many milliseconds something will happen that nobody notifies. */
  dueInMs: number | undefined;
}

export interface Replay {
  /** `after`: the id of the last event that the reader has; `values`: of the state then, undefined if it must be told. */
  follow(subject: string, from: { after: number; values: unknown }, stream: EventStream): () => void;
  close(): void;
}

interface Reader {
  stream: EventStream;
  after: number;
  state: string | undefined;
}

interface Subject {
  readers: Set<Reader>;
  stateToldAt: number;
  timer: NodeJS.Timeout | undefined;
}

export function createReplay(deps: {
  /** Reads a bounded number of events of each of these after its id. A subject that is missing in the answer is gone. */
  look(subjects: Array<{ subject: string; after: number }>): Promise<Map<string, Tidings>>;
  listener: Listener;
  /** Whose payload is the subject. */
  channel: string;
  log: Logger;
}): Replay {
  const subjects = new Map<string, Subject>();
  const wanted = new Set<string>();

  const want = (ids: Iterable<string>) => {
    for (const id of ids) if (subjects.has(id)) wanted.add(id);
    if (wanted.size > 0) looks.want();
  };
  const wantIn = (id: string, subject: Subject, ms: number) => {
    clearTimeout(subject.timer);
    subject.timer = setTimeout(() => want([id]), ms).unref();
  };

  const look = async () => {
    const ids = [...wanted].slice(0, SUBJECTS_MAX);
    for (const id of ids) wanted.delete(id);
    if (wanted.size > 0) looks.want();
    const asked = ids.flatMap((id) => {
      const subject = subjects.get(id);
      const ready = [...(subject?.readers ?? [])].filter(({ stream }) => stream.keepsUp());
      if (subject && ready.length === 0) wantIn(id, subject, BEHIND_MS);
      return ready.length === 0 ? [] : [{ subject: id, after: Math.min(...ready.map(({ after }) => after)) }];
    });
    if (asked.length === 0) return;
    try {
      const found = await deps.look(asked);
      for (const { subject: id, after } of asked) {
        const subject = subjects.get(id);
        if (subject) tell(id, subject, after, found.get(id));
      }
    } catch (error) {
      for (const id of ids) wanted.add(id);
      throw error;
    }
  };

  const tell = (id: string, subject: Subject, after: number, tidings: Tidings | undefined) => {
    if (tidings === undefined) {
      for (const { stream } of [...subject.readers]) stream.end();
      return;
    }
    const { events, complete, state, over, dueInMs } = tidings;
    const written = events.map((event) => ({ id: event.id, bytes: writeEvent(event.event, event.data, event.id) }));
    const stateText = state && JSON.stringify(state.values);
    const stateBytes = state && writeEvent(state.event, state.data);
    const stateWaitMs = over ? 0 : subject.stateToldAt + NEWS_MS - performance.now();
    const writtenAfter = joinOnce(written);
    let behind = false;
    let stateTold = false;
    for (const reader of [...subject.readers]) {
      // One that came, or was left behind, since the look began: it is looked for on its own.
      if (reader.after < after || !reader.stream.keepsUp()) {
        behind = true;
        continue;
      }
      // What it has missed is not kept any more. Coming back it begins with how things stand.
      if ((written[0]?.id ?? 0) > reader.after + 1) {
        reader.stream.end();
        continue;
      }
      const { rest, last } = writtenAfter(reader.after, over && complete);
      if (rest.length > 0) reader.stream.sendWritten(rest);
      if (stateBytes && complete && reader.state !== stateText && stateWaitMs <= 0) {
        if (reader.state !== undefined || !over) reader.stream.sendWritten(stateBytes);
        reader.state = stateText;
        stateTold = true;
      }
      reader.after = Math.max(reader.after, written.at(-1)?.id ?? 0);
      if (last) reader.stream.sendWritten(last);
      if (over && complete) reader.stream.end();
    }
    if (stateTold) subject.stateToldAt = performance.now();
    if (!complete) want([id]);
    else if (behind) wantIn(id, subject, BEHIND_MS);
    else if (state && stateWaitMs > 0 && [...subject.readers].some((reader) => reader.state !== stateText)) {
      wantIn(id, subject, stateWaitMs);
    } else if (dueInMs !== undefined) wantIn(id, subject, Math.min(Math.max(dueInMs, BEHIND_MS), 2 ** 31 - 1));
  };

  const lookAtAll = () => want(subjects.keys());
  const looks = createLooks({
    look,
    onRound: lookAtAll,
    roundMs: ROUND_MS,
    roundMsInDoubt: ROUND_MS_IN_DOUBT,
    listener: deps.listener,
    log: deps.log,
  });
  deps.listener.on(deps.channel, { hear: (id) => want([id]), onDoubt: lookAtAll });

  return {
    follow(id, { after, values }, stream) {
      const subject = subjects.get(id) ?? { readers: new Set<Reader>(), stateToldAt: 0, timer: undefined };
      subjects.set(id, subject);
      const reader = { stream, after, state: values === undefined ? undefined : JSON.stringify(values) };
      subject.readers.add(reader);
      want([id]);
      return () => {
        subject.readers.delete(reader);
        if (subject.readers.size > 0 || subjects.get(id) !== subject) return;
        clearTimeout(subject.timer);
        subjects.delete(id);
      };
    },
    close() {
      looks.close();
      for (const { timer } of subjects.values()) clearTimeout(timer);
    },
  };
}

/** What comes after an id as one piece, made once for all readers that stand there; the last event apart, if asked for. */
function joinOnce(written: Array<{ id: number; bytes: Uint8Array }>) {
  const made = new Map<number, { rest: Uint8Array; last: Uint8Array | undefined }>();
  return (after: number, lastApart: boolean) => {
    const known = made.get(after);
    if (known) return known;
    const pieces = written.filter(({ id }) => id > after).map(({ bytes }) => bytes);
    const last = lastApart ? pieces.pop() : undefined;
    const joined = { rest: Buffer.concat(pieces), last };
    made.set(after, joined);
    return joined;
  };
}
