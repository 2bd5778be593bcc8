/** Progress on standard error: one changing line on a terminal, a line each time elsewhere. Also numbers for people. */
const isTerminal = process.stderr.isTTY === true;

/** A step that stays on the screen. */
export function say(text: string): void {
  process.stderr.write(isTerminal ? `\r\x1b[K${text}\n` : `${text}\n`);
}

/** A line that the next one replaces. */
export function show(text: string): void {
  process.stderr.write(isTerminal ? `\r\x1b[K${text}` : `${text}\n`);
}

/** Ends the changing line. */
export function clear(): void {
  if (isTerminal) process.stderr.write("\r\x1b[K");
}

export const thousands = (number: number): string => Math.round(number).toLocaleString("en-US");

export function round(value: number, digits = 2): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
