/** The terminal as a whole, while somebody looks on: lent by the shell, and given back as it was, whatever happens. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
  draw(lines: string[]): void;
  /** Gives the terminal back. Calling it again does nothing. */
  close(): void;
}

// The other screen, no cursor, and no breaking of lines that are wider than the terminal is by now.
const OPEN = "\u001b[?1049h\u001b[?25l\u001b[?7l";
const CLOSE = "\u001b[?7h\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";
/** q, and Ctrl-C and Ctrl-D, which arrive as characters while the keyboard is read raw. */
const QUIT = ["q", "Q", "\u0003", "\u0004"];
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** `on.quit` is called for q, Ctrl-C and the signals that end a program; `on.resize` after the size has changed. */
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
    // A terminal that does not know its size says 0.
    get columns() {
      return stdout.columns || 80;
    },
    get rows() {
      return stdout.rows || 24;
    },
    draw(lines) {
      // In one write, line over line: the screen never blinks empty.
      if (!closed) stdout.write(HOME + lines.map((line) => line + CLEAR_LINE).join("\r\n") + CLEAR_BELOW);
    },
    close,
  };
}
