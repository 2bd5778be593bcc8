/** Random stories: what devices, operators and time may do to a few keys, as data that shrinks and reads well. */
import fc from "fast-check";

/** Which session: the latest one whose id was used in a start (0), the one before (1) …; modulo how many there are. */
type SessionNumber = number;
/** 0 and 1: ordinary keys; 2: the odd one, see OddKey; 3: a key that was never made. */
type KeyNumber = number;

export type Command =
  | {
      do: "start";
      /** A retry is mostly made with the key that the session was started with. */
      key: KeyNumber | "its own";
      session: SessionNumber | "new";
      refuse: boolean;
      /** expected_generation: none sent, the live holder's (the last one, where nobody is live), or another one. */
      expect: "nothing" | "holder" | "other";
      device: string | null;
      /** The last lease of the key, over or not, or one that was never given. */
      lease: "none" | "of the key" | "made up";
      proof: Proving | null;
    }
  | { do: "heartbeat"; session: SessionNumber | "never used"; proof: Proving | null }
  | { do: "lease"; session: SessionNumber | "never used"; seconds: number; proof: Proving | null }
  | { do: "return"; key: KeyNumber }
  | { do: "end" | "kick"; session: SessionNumber | "never used" }
  | { do: "status"; key: KeyNumber; session: SessionNumber | "none" }
  | { do: "revoke" | "erase"; key: KeyNumber }
  /** By the owner: of the live holder's generation (the last one, where nobody is live), or of another one. */
  | { do: "sign-out"; key: KeyNumber; expect: "holder" | "other" }
  | { do: "pass"; seconds: number }
  | { do: "cleanup" };

/** A beat with proof of one of the processes that have the session's id. */
export interface Proving {
  /** 2 is the twin of 0: it has the same instance, and counts for itself. */
  by: 0 | 1 | 2;
  /** Its next beat; its last one again, as after a lost answer; or that one with its challenge, whatever came meanwhile. */
  sends: "next" | "last" | "answer";
  /** Whether it answers at once where it is challenged. */
  answers: boolean;
}

/** The third key: like the others, over before the story begins, revoked before it begins, or over in its course. */
export type OddKey = "ordinary" | "expired" | "revoked" | "expires after 30 s";

export interface Story {
  oddKey: OddKey;
  commands: Command[];
}

export const COMMANDS_MAX = 20;

const weighted = <T>(...choices: Array<[weight: number, value: T]>): fc.Arbitrary<T> =>
  fc.oneof(...choices.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })));

const key = weighted<KeyNumber>([5, 0], [2, 1], [3, 2], [1, 3]);
const session = weighted<SessionNumber>([6, 0], [3, 1], [2, 2], [1, 3], [1, 4]);

/** Many processes are as of old; of the others the first one runs most of the time. */
const proof: fc.Arbitrary<Proving | null> = fc.oneof(
  { weight: 2, arbitrary: fc.constant(null) },
  {
    weight: 3,
    arbitrary: fc.record({
      by: weighted<0 | 1 | 2>([5, 0], [2, 1], [1, 2]),
      sends: weighted<"next" | "last" | "answer">([4, "next"], [1, "last"], [2, "answer"]),
      answers: weighted([3, true], [2, false]),
    }),
  },
);

const how = {
  do: fc.constant("start" as const),
  refuse: weighted([5, false], [1, true]),
  expect: weighted<"nothing" | "holder" | "other">([5, "nothing"], [1, "holder"], [1, "other"]),
  device: weighted<string | null>([1, null], [1, "Office PC"], [1, "Laptop"]),
  lease: weighted<"none" | "of the key" | "made up">([4, "none"], [3, "of the key"], [3, "made up"]),
  proof,
};
const start = fc.record({ ...how, key, session: fc.constant("new" as const) });
const retry = fc.record({
  ...how,
  key: fc.oneof({ weight: 3, arbitrary: fc.constant("its own" as const) }, { weight: 1, arbitrary: key }),
  session,
});

const aSession = fc.oneof(
  { weight: 12, arbitrary: session },
  { weight: 1, arbitrary: fc.constant("never used" as const) },
);

const toSession = <T extends string>(verb: T) => fc.record({ do: fc.constant(verb), session: aSession });

const heartbeat = fc.record({ do: fc.constant("heartbeat" as const), session: aSession, proof });

/** Some end while their session is live, most do not. */
const lease = fc.record({
  do: fc.constant("lease" as const),
  session: aSession,
  seconds: weighted([1, 36], [2, 60], [3, 90], [3, 600]),
  proof,
});

const status = fc.record({
  do: fc.constant("status" as const),
  key,
  session: fc.oneof({ weight: 2, arbitrary: fc.constant("none" as const) }, { weight: 2, arbitrary: session }),
});

const signOut = fc.record({
  do: fc.constant("sign-out" as const),
  key,
  expect: weighted<"holder" | "other">([3, "holder"], [1, "other"]),
});

// Sums of these meet 60 s exactly, and come within a second of it from below.
const pass = fc.record({
  do: fc.constant("pass" as const),
  seconds: weighted([3, 61], [1, 60], [1, 59], [2, 1], [4, 29], [4, 30], [4, 31]),
});

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: start },
  { weight: 3, arbitrary: retry },
  { weight: 6, arbitrary: pass },
  { weight: 9, arbitrary: heartbeat },
  { weight: 3, arbitrary: status },
  { weight: 2, arbitrary: toSession("end") },
  { weight: 2, arbitrary: fc.constant({ do: "cleanup" as const }) },
  { weight: 2, arbitrary: toSession("kick") },
  { weight: 4, arbitrary: lease },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("return" as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("revoke" as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("erase" as const), key }) },
  { weight: 3, arbitrary: signOut },
);

export const story: fc.Arbitrary<Story> = fc.record({
  oddKey: weighted<OddKey>([2, "ordinary"], [1, "expired"], [1, "revoked"], [3, "expires after 30 s"]),
  commands: fc.array(command, { minLength: 1, maxLength: COMMANDS_MAX, size: "max" }),
});
