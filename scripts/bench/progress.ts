/** What goes on, on standard error: one line that changes on a terminal, a line each time elsewhere. And numbers for people. */
const isTerminal = process.stderr.isTTY === true;

/** A step that stays to be read. */
export function say(text: string): void {
  process.stderr.write(isTerminal ? `\r\x1b[K${text}\n` : `${text}\n`);
}

/** What the next one replaces. */
export function show(text: string): void {
  process.stderr.write(isTerminal ? `\r\x1b[K${text}` : `${text}\n`);
}

/** Ends the line that changes. */
export function clear(): void {
  if (isTerminal) process.stderr.write("\r\x1b[K");
}

export const thousands = (number: number): string => Math.round(number).toLocaleString("en-US");

export function round(value: number, digits = 2): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
