/** How the time that something takes grows with its input. */
import { expect } from "vitest";

const ROUNDS = 3;
const TRIES = 6;
/** A call is repeated until it takes so long: the clock of a process's CPU knows no less. */
const MEASURED_MS = 4;
/**
 * Of four times the input: linear is 4, quadratic 16. Linear work may once cost twice as much more, where what it keeps no
 * longer fits a cache or the young generation.
 */
const GROWTH_MAX = 9;

/**
 * From half of the size to twice: four times the input may not take nine times the CPU. A busy machine now and then says
 * otherwise, so it is asked again: what grows with the square of its input says so each time.
 */
export async function expectLinear(name: string, size: number, run: (size: number) => unknown): Promise<void> {
  const seen: number[] = [];
  do {
    seen.push(await growth(size, run));
  } while ((seen.at(-1) as number) >= GROWTH_MAX && seen.length < TRIES);
  expect(
    Math.min(...seen),
    `${name}: four times the input took ${seen.map((n) => n.toFixed(1)).join(", ")} times the CPU`,
  ).toBeLessThan(GROWTH_MAX);
}

async function growth(size: number, run: (size: number) => unknown): Promise<number> {
  let times = 1;
  while ((await cpuMs(times, size / 2, run)) < MEASURED_MS) times *= 2;
  const [once, more]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    once.push(await cpuMs(times, size / 2, run));
    more.push(await cpuMs(times, size * 2, run));
  }
  return median(more) / median(once);
}

async function cpuMs(times: number, size: number, run: (size: number) => unknown): Promise<number> {
  const began = process.cpuUsage();
  for (let n = 0; n < times; n++) {
    const result = run(size);
    if (result instanceof Promise) await result;
  }
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1000;
}

const median = (of: number[]) => [...of].sort((a, b) => a - b)[Math.floor(of.length / 2)] as number;
