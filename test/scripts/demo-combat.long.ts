/** `npm run demo:combat` tells what it promises, and leaves nothing behind. */
import { expect, it } from "vitest";
import { runDemo } from "./support/demo.ts";

const STORY = [
  /a match of four is made, 60 health each/,
  /Ada +1: attack at Bo, who has 50 health left/,
  /Bo's action is carried out, but the answer gets lost/,
  /Bo's client has sent it again: it is action 2, and Dan has 50 health, not 40/,
  /the service is killed \(kill -9\)/,
  /it is started again/,
  /all four are done, each once: they are actions \d+, \d+, \d+, \d+/,
  /one is left: Ada has won, after \d+ actions/,
  /the replay of \d+ events, 1 to \d+ without a gap, is the state that the service says/,
  /that is all/,
];

it("shows a match that outlives its service, in which a retried action counts once and the replay is the state", async () => {
  const output = await runDemo("demo:combat", STORY);
  const told = [...output.matchAll(/^ *[\d.]+ s {2}\w+ +(\d+): /gm)].map(([, sequence]) => Number(sequence));
  expect(told).toEqual(told.map((_, at) => at + 1));
  const events = Number(/the replay of (\d+) events/.exec(output)?.[1]);
  expect(told).toHaveLength(events);
  expect(Number(/has won, after (\d+) actions/.exec(output)?.[1])).toBe(events - 1);
}, 600_000); // three processes from source, however slow the machine
