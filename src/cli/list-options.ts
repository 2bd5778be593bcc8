import { UsageError } from "../errors.ts";

const LIMIT_MAX = 100_000;

/** `--limit`: how many a list has at most. */
export function readLimit(text: string): number {
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > LIMIT_MAX) throw new UsageError(`--limit must be a whole number from 1 to ${LIMIT_MAX}`);
  return limit;
}

/** `--status`, or another word out of a list. */
export function readWord<Word extends string>(
  option: string,
  text: string | undefined,
  words: readonly Word[],
): Word | undefined {
  const word = words.find((each) => each === text);
  if (text !== undefined && word === undefined) throw new UsageError(`${option} must be one of ${words.join(", ")}`);
  return word;
}
