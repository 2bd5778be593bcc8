/** `npm run demo:batch` tells what it promises, and leaves nothing behind. */
import { expect, it } from "vitest";
import { runDemo } from "./support/demo.ts";

const STORY = [
  /a session of 40 nodes is made/,
  /Worker A +claims it: attempt 1/,
  /Worker A is killed \(kill -9\)/,
  /Worker B +wants it, and is told: Worker A has it, last heard of [\d.]+ s ago/,
  /Worker B +claims it: attempt 2, \d+ nodes still to do/,
  /its next call would be refused: 409 attempt_replaced/,
  /Worker B +is through: 39 done, 1 failed, so the session is partial_failure/,
  /a new session carries the 39 results/,
  /Worker C +claims it: 1 node to do/,
  /Worker C +does page-31, and nothing else/,
  /Worker C +is through: 40 of 40 done, the session is completed/,
  /that is all/,
];

it("shows a run that outlives its worker, a node that fails, and a resume of that node alone", async () => {
  const output = await runDemo("demo:batch", STORY);
  const stored = Number(/\b(\d{1,3}) results are in/.exec(output)?.[1]);
  expect(Number(/\b(\d{1,3}) nodes still to do/.exec(output)?.[1])).toBe(40 - stored);
  expect(output).toMatch(/sees page-31 fail/);
  expect([...output.matchAll(/is told of the end: (\w+)/g)].map(([, status]) => status)).toEqual([
    "partial_failure",
    "completed",
  ]);
}, 600_000); // seven processes from source, however slow the machine
