/** Random stories: what users, operators and time may do to a small room, as data that shrinks and reads well. */
import fc from "fast-check";

/** A user, by number; or a permit, by how long ago it was granted, modulo how many there are. */
type Nth = number;

export type Command =
  | { do: "create"; user: Nth; priority: number }
  | { do: "position" | "close" | "remove" | "request" | "admit"; user: Nth }
  | { do: "prioritise"; user: Nth; priority: number }
  | { do: "give back"; permit: Nth }
  | { do: "capacity"; seats: number }
  | { do: "pause" | "resume" | "status" | "cleanup" }
  | { do: "pass"; seconds: number };

/** One more than the seats and the places in line, so that the line can be full. */
const USERS = 6;
const COMMANDS_MAX = 60;

const weighted = <T>(...choices: Array<[weight: number, value: T]>): fc.Arbitrary<T> =>
  fc.oneof(...choices.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })));

const user = fc.nat({ max: USERS - 1 });
const priority = weighted([5, 0], [2, 3], [1, 9]);
const toUser = <T extends string>(verb: T) => fc.record({ do: fc.constant(verb), user });
const alone = <T extends string>(verb: T) => fc.constant({ do: verb });

// Sums of these meet the timeouts (45, 50, 60 and 120 s) exactly, and come within a second of them from below.
const seconds = weighted([2, 1], [1, 14], [2, 15], [3, 29], [3, 30], [1, 31], [2, 44], [2, 59], [2, 60], [1, 121]);

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 18, arbitrary: fc.record({ do: fc.constant("create" as const), user, priority }) },
  { weight: 6, arbitrary: toUser("position" as const) },
  { weight: 4, arbitrary: toUser("close" as const) },
  { weight: 4, arbitrary: toUser("request" as const) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("pass" as const), seconds }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("give back" as const), permit: fc.nat({ max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("prioritise" as const), user, priority }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("capacity" as const), seats: fc.nat({ max: 4 }) }) },
  { weight: 1, arbitrary: toUser("admit" as const) },
  { weight: 1, arbitrary: toUser("remove" as const) },
  { weight: 1, arbitrary: alone("pause" as const) },
  { weight: 1, arbitrary: alone("resume" as const) },
  { weight: 1, arbitrary: alone("status" as const) },
  { weight: 2, arbitrary: alone("cleanup" as const) },
);

export const story: fc.Arbitrary<Command[]> = fc.array(command, {
  minLength: 1,
  maxLength: COMMANDS_MAX,
  size: "max",
});
