/** Random stories: what workers, clients, operators and time may do to a few runs, as data that shrinks and reads well. */
import fc from "fast-check";
import { BATCH_STATUSES, type NODE_STATUSES } from "../../../../src/sessions/batch/states.ts";

/** Which run: the latest one (0), the one before (1) …; modulo how many there are. */
type RunNumber = number | "unknown";
/** Relative to the run's own; none: the call names none. */
export type AttemptName = "none" | "present" | "stale" | "future";
export type NodeName = "a" | "b" | "c" | "d";
export type RequestKey = "k1" | "k2" | null;

export type Command =
  | { do: "create"; key: RequestKey; nodes: number; timeout: number | null }
  | { do: "execute"; key: RequestKey; shape: number; timeout: number }
  | { do: "claim"; run: RunNumber; worker: string | null; replace: boolean }
  | { do: "move"; run: RunNumber; to: (typeof BATCH_STATUSES)[number]; message: string | null; attempt: AttemptName }
  | { do: "complete"; run: RunNumber; message: string | null; percent: number | null; attempt: AttemptName }
  | { do: "progress"; run: RunNumber; percent: number | null; message: string | null; attempt: AttemptName }
  | {
      do: "put";
      run: RunNumber;
      node: NodeName;
      status: (typeof NODE_STATUSES)[number];
      /** The nth of a few results. */
      result: number;
      timed: boolean;
      attempt: AttemptName;
    }
  | { do: "cancel"; run: RunNumber; reason: string | null }
  | { do: "force end"; run: RunNumber; reason: string | null }
  | { do: "resume"; run: RunNumber }
  | { do: "read"; run: RunNumber }
  | { do: "status"; run: RunNumber }
  | { do: "erase"; run: RunNumber }
  | { do: "stats" }
  | { do: "cleanup" }
  | { do: "pass"; seconds: number };

/** The same with the run's id filled in, and with its attempt. */
export type Call = Filled<Exclude<Command, { do: "pass" }>>;
type Filled<C> = C extends { run: RunNumber }
  ? Omit<C, "run" | "attempt"> & { id: string } & (C extends { attempt: AttemptName }
        ? { attempt: number | null }
        : unknown)
  : C;

export interface Story {
  /** Whether somebody tidies after every step; else only when the story says so. */
  tidied: boolean;
  commands: Command[];
}

export const COMMANDS_MAX = 24;

/** The nodes of each group that `execute` names. */
export const SHAPES: ReadonlyArray<readonly (readonly NodeName[])[]> = [
  [["a", "b"], ["c"]],
  [["a"], ["b"]],
  [["c", "a"]],
];
export const RESULTS = [null, { file_path: "a.md" }, [1, null, "…"]] as const;

const weighted = <T>(...choices: Array<[weight: number, value: T]>): fc.Arbitrary<T> =>
  fc.oneof({ withCrossShrink: true }, ...choices.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })));
const is = <T extends string>(verb: T) => fc.constant(verb);

const run = weighted<RunNumber>([30, 0], [8, 1], [3, 2], [1, "unknown"]);
const key = weighted<RequestKey>([4, null], [2, "k1"], [1, "k2"]);
const attempt = weighted<AttemptName>([4, "none"], [4, "present"], [2, "stale"], [1, "future"]);
const message = weighted<string | null>([2, null], [1, "as told"], [1, "otherwise"]);
const percent = weighted<number | null>([2, null], [1, 40], [1, 100]);

const make: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    do: is("create"),
    key,
    nodes: weighted([1, 0], [2, 1], [3, 2], [3, 3]),
    timeout: weighted<number | null>([3, null], [1, 60], [1, 3600]),
  }),
  fc.record({ do: is("execute"), key, shape: fc.nat(SHAPES.length - 1), timeout: weighted([1, 60], [2, 3600]) }),
);

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: make },
  {
    weight: 8,
    arbitrary: fc.record({
      do: is("claim"),
      run,
      worker: weighted<string | null>([2, null], [2, "ann"], [2, "bob"]),
      replace: weighted([3, false], [1, true]),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: is("move"), run, to: fc.constantFrom(...BATCH_STATUSES), message, attempt }),
  },
  { weight: 4, arbitrary: fc.record({ do: is("complete"), run, message, percent, attempt }) },
  { weight: 7, arbitrary: fc.record({ do: is("progress"), run, percent, message, attempt }) },
  {
    weight: 20,
    arbitrary: fc.record({
      do: is("put"),
      run,
      node: weighted<NodeName>([4, "a"], [4, "b"], [3, "c"], [1, "d"]),
      status: weighted<(typeof NODE_STATUSES)[number]>([4, "success"], [2, "failed"], [1, "skipped"]),
      result: weighted([3, 0], [1, 1], [1, 2]),
      timed: weighted([4, false], [1, true]),
      attempt,
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: is("cancel"), run, reason: message }) },
  { weight: 1, arbitrary: fc.record({ do: is("force end"), run, reason: message }) },
  { weight: 6, arbitrary: fc.record({ do: is("resume"), run }) },
  { weight: 3, arbitrary: fc.record({ do: is("read"), run }) },
  { weight: 5, arbitrary: fc.record({ do: is("status"), run }) },
  { weight: 1, arbitrary: fc.record({ do: is("erase"), run }) },
  { weight: 1, arbitrary: fc.record({ do: is("stats") }) },
  { weight: 3, arbitrary: fc.record({ do: is("cleanup") }) },
  {
    weight: 10,
    arbitrary: fc.record({
      do: is("pass"),
      // Sums of these meet a minute, half an hour, an hour and a day exactly, and come within a second of them from below.
      seconds: weighted([6, 1], [6, 59], [4, 60], [3, 61], [2, 1739], [4, 1799], [2, 1800], [1, 84_600], [1, 691_200]),
    }),
  },
);

export const story: fc.Arbitrary<Story> = fc.record({
  tidied: weighted([2, false], [1, true]),
  // Before the first run is made there is not much to tell.
  commands: fc
    .tuple(make, fc.array(command, { minLength: 1, maxLength: COMMANDS_MAX, size: "max" }))
    .map(([first, rest]) => [first, ...rest]),
});
