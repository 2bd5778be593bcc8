/** How commands print: JSON for programs, tables for people. */

export interface OutputOptions {
  json?: boolean;
}

export function printJson(value: unknown): void {
  // JSON lets the second half of the control characters through; a terminal obeys them.
  const escaped = (character: string) => `\\u00${character.charCodeAt(0).toString(16)}`;
  console.log(JSON.stringify(value).replace(/[\x7f-\x9f]/g, escaped));
}

/** Columns as wide as their widest cell; numbers to the right. */
export function printTable(head: string[], rows: Array<Array<string | number | null>>): void {
  const cells = rows.map((row) => row.map((cell) => (cell === null ? "-" : clean(String(cell)))));
  const widths = head.map((title, at) => Math.max(title.length, ...cells.map((row) => [...(row[at] ?? "")].length)));
  const numeric = head.map((_, at) => rows.length > 0 && rows.every((row) => typeof row[at] === "number"));
  const line = (row: string[]) =>
    row
      .map((cell, at) => {
        const fill = " ".repeat(Math.max(0, (widths[at] ?? 0) - [...cell].length));
        return numeric[at] ? fill + cell : cell + fill;
      })
      .join("  ")
      .trimEnd();
  console.log([line(head), ...cells.map(line)].join("\n"));
}

/** A label or a device's name comes from outside: no control character of it may reach the terminal. */
function clean(text: string): string {
  return text.replace(/\p{Cc}/gu, "�");
}

/** "3 s", "4 min", "2 h", "5 d": how long ago. */
export function ago(moment: string | Date, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - new Date(moment).getTime()) / 1000));
  if (seconds < 100) return `${seconds} s ago`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} d ago`;
}
