/**
 * Tells watchers that their subject has ended: at once when PostgreSQL notifies (whichever process ended it), and by
 * polling in any case. It knows neither sessions nor streams: a subject is an id, and `look` says what became of it.
 *
 *   notification ─► the id has subscribers here? ─► look ─► ended: tell them, once
 *   poll: everybody every 10 s, and within 1.5 s while the LISTEN connection is in doubt
 *
 * A subscriber that comes after the ending is told by its own first look, so no ending is missed.
 */
import { createHash } from "node:crypto";
import type { Listener } from "../database/listener.ts";
import type { Logger } from "../log.ts";

const POLL_MS = 10_000;
const POLL_IN_DOUBT_MS = 1_500;
const LOOK_SIZE_MAX = 1000;
const AGAIN_MS = 250;

export interface Endings<Ending> {
  /** `tell` is called at most once, with the ending. Returns a function that unsubscribes. */
  subscribe(id: string, tell: (ending: Ending) => void): () => void;
  close(): void;
}

export function createEndings<Ending>(deps: {
  /** Looks these up. The answer holds only those that have ended. */
  look(ids: string[]): Promise<Map<string, Ending>>;
  /** The shared listener, and the channel on which endings are notified. */
  listener: Listener;
  channel: string;
  log: Logger;
}): Endings<Ending> {
  const subjects = new Map<string, { id: string; tells: Set<(ending: Ending) => void> }>();
  const wanted = new Set<string>();
  let looking = false;

  const lookAt = (digests: Iterable<string>) => {
    for (const digest of digests) wanted.add(digest);
    if (!looking && wanted.size > 0) void run();
  };

  /** One look at a time; ids that arrive meanwhile are in the next one. */
  const run = async () => {
    looking = true;
    while (wanted.size > 0) {
      const digests = [...wanted].slice(0, LOOK_SIZE_MAX);
      for (const digest of digests) wanted.delete(digest);
      const present = digests.flatMap((digest) => subjects.get(digest) ?? []);
      if (present.length === 0) continue;
      try {
        const endings = await deps.look(present.map((subject) => subject.id));
        for (const subject of present) {
          const ending = endings.get(subject.id);
          if (ending === undefined) continue;
          subjects.delete(digestOf(subject.id));
          for (const tell of subject.tells) tell(ending);
        }
      } catch (err) {
        deps.log.debug({ err }, "could not look at what ended, will look again");
        for (const digest of digests) wanted.add(digest);
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref());
      }
    }
    looking = false;
  };

  const { listener } = deps;
  listener.on(deps.channel, {
    hear: (digest) => subjects.has(digest) && lookAt([digest]),
    onDoubt: () => lookAt(subjects.keys()),
  });

  let timer: NodeJS.Timeout;
  let lastRoundAt = performance.now();
  const poll = () => {
    const roundMs = listener.proven() ? POLL_MS : POLL_IN_DOUBT_MS;
    if (performance.now() - lastRoundAt >= roundMs - 50) {
      lastRoundAt = performance.now();
      lookAt(subjects.keys());
    }
    timer = setTimeout(poll, 250);
    timer.unref();
  };
  timer = setTimeout(poll, 250);

  return {
    subscribe(id, tell) {
      const digest = digestOf(id);
      const subject = subjects.get(digest) ?? { id, tells: new Set() };
      subjects.set(digest, subject);
      subject.tells.add(tell);
      return () => {
        subject.tells.delete(tell);
        if (subject.tells.size === 0 && subjects.get(digest) === subject) subjects.delete(digest);
      };
    },
    close: () => clearTimeout(timer),
  };
}

/** The digest that the trigger tell_ending sends: the id itself is a secret. */
const digestOf = (id: string) => createHash("sha256").update(id, "utf8").digest("hex");
