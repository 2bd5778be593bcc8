/**
 * Tells whoever watches something that it has ended: at once when PostgreSQL notifies (from whatever process), and by
 * looking in any case (see looks.ts). It knows neither sessions nor streams: a subject is an id, and `look` says what
 * became of it.
 *
 *   notification ─► the id has subscribers here? ─► look ─► ended: tell them, once
 *   round: everybody every 10 s, and within 1.5 s while the LISTEN connection is in doubt
 *
 * A subscriber that comes after the ending is told by its own first look, so no ending is missed.
 */
import { createHash } from "node:crypto";
import type { Listener } from "../database/listener.ts";
import type { Logger } from "../log.ts";
import { createLooks } from "./looks.ts";

const ROUND_MS = 10_000;
const ROUND_MS_IN_DOUBT = 1_500;
const LOOK_SIZE_MAX = 1000;

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

  const look = async () => {
    const digests = [...wanted].slice(0, LOOK_SIZE_MAX);
    const present = digests.flatMap((digest) => subjects.get(digest) ?? []);
    for (const digest of digests) wanted.delete(digest);
    if (wanted.size > 0) looks.want();
    if (present.length === 0) return;
    try {
      const endings = await deps.look(present.map((subject) => subject.id));
      for (const subject of present) {
        const ending = endings.get(subject.id);
        if (ending === undefined) continue;
        subjects.delete(digestOf(subject.id));
        for (const tell of subject.tells) tell(ending);
      }
    } catch (error) {
      for (const digest of digests) wanted.add(digest);
      throw error;
    }
  };
  const lookAtAll = () => lookAt(subjects.keys());
  const looks = createLooks({
    look,
    onRound: lookAtAll,
    roundMs: ROUND_MS,
    roundMsInDoubt: ROUND_MS_IN_DOUBT,
    listener: deps.listener,
    log: deps.log,
  });
  const lookAt = (digests: Iterable<string>) => {
    for (const digest of digests) wanted.add(digest);
    if (wanted.size > 0) looks.want();
  };
  deps.listener.on(deps.channel, {
    hear: (digest) => subjects.has(digest) && lookAt([digest]),
    onDoubt: lookAtAll,
  });

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
    close: looks.close,
  };
}

/** The digest that the trigger tell_ending sends: the id itself is a secret. */
const digestOf = (id: string) => createHash("sha256").update(id, "utf8").digest("hex");
