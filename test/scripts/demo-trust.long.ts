/** `npm run demo:trust` tells what it promises, and leaves nothing behind. */
import { expect, it } from "vitest";
import { runDemo } from "./support/demo.ts";

const STORY = [
  /Laptop A +works; it holds the key/,
  /its profile is copied to another machine/,
  /Its copy +goes on with the same session/,
  /Laptop A +loses it [\d.]+ s later: cloned, final: true/,
  /Its copy +loses it [\d.]+ s later: cloned, final: true/,
  /a fake server that says yes to everything/,
  /Cracked PC +asks for no signature: it runs/,
  /Careful PC +knows the service's public key: unreachable, not live/,
  /whoever has but its session id asks for a lease: proof_required/,
  /Laptop A +works, and takes a lease: until .* UTC/,
  /Laptop A +works on, offline, until .* UTC at most/,
  /Careful PC +wants the key meanwhile: key_in_use, leased until .* UTC/,
  /Laptop A +is online again, with a new generation; its lease is over/,
  /Careful PC +takes the key over, as ever; Laptop A is told: replaced/,
  /that is all/,
];

it("shows a copy that is caught, a forgery that is refused, and a device that works on offline", async () => {
  const output = await runDemo("demo:trust", STORY);
  const untils = [...output.matchAll(/until (\d{4}-\d\d-\d\d \d\d:\d\d) UTC/g)].map(([, until]) => until);
  expect(untils).toHaveLength(3);
  expect(new Set(untils).size).toBe(1);
}, 600_000); // five processes from source, however slow the machine
