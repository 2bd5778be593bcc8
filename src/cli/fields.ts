/** What is known of one thing, a field a line. */
import { ago, clean, span } from "./output.ts";

export type Field = [name: string, value: string | null];

/** Those that have a value. */
export function printFields(fields: Field[]): void {
  for (const [name, value] of fields) {
    if (value !== null) console.log(`${name.padEnd(13)} ${oneLine(value)}`);
  }
}

/** A moment as it is, and how far away. */
export function momentOf(moment: string | null): string | null {
  if (moment === null) return null;
  const seconds = (Date.parse(moment) - Date.now()) / 1000;
  return `${moment.slice(0, 19).replace("T", " ")} UTC (${seconds > 0 ? `in ${span(seconds)}` : ago(moment)})`;
}

/** A trace of an error has many lines. */
export const oneLine = (text: string): string => clean(text.replace(/\s+/g, " "));
