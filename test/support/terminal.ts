/**
 * A terminal with somebody before it: a program runs on a pseudo-terminal of a given size, is typed at, and what
 * stands on its screen is read. By `script` and `stty`, which every Linux has.
 */
import { spawn, spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

const OTHER_SCREEN = "\u001b[?1049h";
const OWN_SCREEN = "\u001b[?1049l";
const CURSOR_SHOWN = "\u001b[?25h";
const LINES_BREAK = "\u001b[?7h";
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal is told by
const SEQUENCES = /\u001b\[[?\d;]*[A-Za-z]/g;

export interface Terminal {
  /** Everything that was printed, with the sequences that a terminal obeys. */
  output(): string;
  /** The lines of the last whole drawing, without colours. */
  screen(): string[];
  /** Resolves when the screen is so; rejects with all that was printed if the program ends before. */
  shows(wanted: RegExp | ((lines: string[]) => boolean)): Promise<string[]>;
  type(keys: string): void;
  resize(columns: number, rows: number): void;
  signal(name: "SIGTERM" | "SIGINT"): void;
  /** What the program left behind when it ended. */
  ended(): Promise<{ code: number; restored: boolean }>;
}

export async function openTerminal(
  command: string[],
  size: { columns: number; rows: number },
  env: Record<string, string> = {},
): Promise<Terminal> {
  const { PATH = "", HOME = "" } = process.env;
  const line = [
    "tty",
    `stty cols ${size.columns} rows ${size.rows}`,
    "before=$(stty -g)",
    // In the background its process id can be told; its input would be /dev/null if it were not named.
    `${command.join(" ")} </dev/tty & echo pid $!; wait $!; code=$?`,
    '[ "$before" = "$(stty -g)" ] && same=yes || same=no',
    "echo ended $code $same",
  ].join("; ");
  const child = spawn("script", ["-qfc", line, "/dev/null"], {
    env: { PATH, HOME, SHELL: "/bin/sh", TERM: "xterm-256color", ...env },
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk) => {
    output += chunk;
  });
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const find = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = pattern.exec(output)?.[1];
      if (found !== undefined) return found;
      if (child.exitCode !== null) throw new Error(`it ended: ${JSON.stringify(output)}`);
      await sleep(20);
    }
  };
  const device = await find(/^(\/dev\/\S+)/m);
  const pid = Number(await find(/^pid (\d+)/m));

  const screen = () => {
    // The last piece may still be under way.
    const drawings = output.slice(output.lastIndexOf(OTHER_SCREEN)).split("\u001b[H");
    const last = drawings.findLast((drawing) => drawing.includes("\u001b[J")) ?? "";
    return last.slice(0, last.indexOf("\u001b[J")).replace(SEQUENCES, "").replaceAll("\r", "").split("\n");
  };
  return {
    output: () => output,
    screen,
    async shows(wanted) {
      const isSo = (lines: string[]) => (wanted instanceof RegExp ? wanted.test(lines.join("\n")) : wanted(lines));
      while (!isSo(screen())) {
        if (child.exitCode !== null) throw new Error(`it ended: ${JSON.stringify(output)}`);
        await sleep(20);
      }
      return screen();
    },
    type: (keys) => child.stdin.write(keys),
    resize: (columns, rows) => spawnSync("stty", ["-F", device, "cols", String(columns), "rows", String(rows)]),
    signal: (name) => process.kill(pid, name),
    async ended() {
      const [, code, same] = /ended (\d+) (yes|no)/.exec(await find(/(ended \d+ (?:yes|no))/)) ?? [];
      await closed;
      const last = (sequence: string) => output.lastIndexOf(sequence);
      const isBack = last(OWN_SCREEN) >= last(OTHER_SCREEN) && last(CURSOR_SHOWN) >= last("\u001b[?25l");
      return { code: Number(code), restored: isBack && last(LINES_BREAK) >= last("\u001b[?7l") && same === "yes" };
    },
  };
}
