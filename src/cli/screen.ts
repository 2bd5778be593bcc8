/** The whole terminal, borrowed from the shell and always given back as it was. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
  draw(lines: string[]): void;
  /** Gives the terminal back. Calling it again does nothing. */
  close(): void;
}

// The alternate screen, no cursor, and no wrapping of lines wider than the terminal.
const OPEN = "\u001b[?1049h\u001b[?25l\u001b[?7l";
const CLOSE = "\u001b[?7h\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";
/** q, and Ctrl-C and Ctrl-D, which arrive as characters in raw mode. */
const QUIT = ["q", "Q", "\u0003", "\u0004"];
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** `on.quit` is called for q, Ctrl-C and the signals that end a program; `on.resize` after a change of size. */
export function openScreen(on: { quit(): void; resize(): void }): Screen {
  const { stdin, stdout } = process;
  const onKey = (keys: Buffer) => QUIT.some((key) => keys.includes(key)) && on.quit();
  let closed = false;

  const close = () => {
    if (closed) return;
    closed = true;
    stdout.off("resize", on.resize);
    for (const signal of SIGNALS) process.off(signal, on.quit);
    stdin.off("data", onKey);
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.pause();
    stdout.write(CLOSE);
  };

  stdout.write(OPEN);
  process.once("exit", close);
  if (stdin.isTTY) {
    stdin.setRawMode(true);
    stdin.on("data", onKey);
    stdin.on("error", on.quit); // the terminal was closed
  }
  for (const signal of SIGNALS) process.on(signal, on.quit);
  stdout.on("resize", on.resize);

  return {
    // A terminal of unknown size says 0.
    get columns() {
      return stdout.columns || 80;
    },
    get rows() {
      return stdout.rows || 24;
    },
    draw(lines) {
      // In one write, line over line, so that the screen never flickers.
      if (!closed) stdout.write(HOME + lines.map((line) => line + CLEAR_LINE).join("\r\n") + CLEAR_BELOW);
    },
    close,
  };
}
