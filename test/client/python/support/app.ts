/** What the tests of the Python client need: apps, which are small programs that stand in the tests; each prints what happens to it as lines of JSON. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";

export const FOLDER = join(import.meta.dirname, "../../../../src/client/python");
const version = spawnSync("python3", ["--version"], { encoding: "utf8" });
const hasPython = version.status === 0;
/** What cannot be there is not written down as skipped: without Python one test says so, and fails where CI is set. */
export const describeWithPython = hasPython ? describe : () => {};

/** Every app begins with this. `say` tells the test, `tell` passes an event on to it. */
const PRELUDE = `
import json, logging, os, queue, sys, threading, time
from keybeat import FileStorage, KeybeatError, start_session
url, key, *more = sys.argv[1:]
def say(what, **fields):
    print(json.dumps({"what": what, "thread": threading.current_thread().name, **fields}), flush=True)
def tell(event):
    say(event.type, **{name: value for name, value in vars(event).items() if name != "type"})
`;

// biome-ignore lint/suspicious/noExplicitAny: whatever the app prints; the tests look at it
type Said = { what: string; at: number; thread: string } & Record<string, any>;

interface PythonApp {
  child: ChildProcess;
  said: Said[];
  stderr(): string;
  /** The next line of that kind, from the first one that no call has returned yet. */
  next(what: string): Promise<Said>;
  /** Waits until it has ended. Fails unless it ended well and wrote nothing to stderr. */
  ended(): Promise<void>;
}

const children = new Set<ChildProcess>();
const folders: string[] = [];

/** Ends after each test what it has started and left. */
export function usePython(): void {
  if (!hasPython) describe("without python3", sayThatItIsMissing);
  afterEach(() => {
    for (const child of children) child.kill("SIGKILL");
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });
}

function sayThatItIsMissing(): void {
  it("the Python client is not checked, which only a developer's own machine may leave at that", () => {
    console.error("python3 is not in the PATH: THE PYTHON CLIENT WAS NOT CHECKED");
    expect(version.error).toMatchObject({ code: "ENOENT" });
    expect(process.env.CI, "CI must have python3, or nothing proves the Python client").toBeUndefined();
  });
}

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "keybeat-python-"));
  folders.push(folder);
  return folder;
}

/** Without site-packages: nothing but the standard library. In dev mode: whatever is left open is complained of. */
export function python(script: string, args: string[] = [], env: Record<string, string> = {}): PythonApp {
  const child = spawn("python3", ["-S", "-X", "dev", "-c", PRELUDE + script, ...args], {
    env: { PATH: process.env.PATH, PYTHONPATH: FOLDER, PYTHONDONTWRITEBYTECODE: "1", ...env },
  });
  children.add(child);
  const said: Said[] = [];
  let [rest, stderr, taken] = ["", "", 0];
  let heard = () => {};
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  child.stdout.on("data", (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) said.push({ ...JSON.parse(line), at: performance.now() });
    heard();
  });
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  void exit.then(() => {
    children.delete(child);
    heard();
  });
  const find = async (what: string): Promise<Said> => {
    for (;;) {
      const index = said.findIndex((line, at) => at >= taken && line.what === what);
      if (index >= 0) {
        taken = index + 1;
        return said[index] as Said;
      }
      if (!children.has(child)) throw new Error(`ended without "${what}": ${JSON.stringify(said)} ${stderr}`);
      await new Promise<void>((resolve) => {
        heard = resolve;
      });
    }
  };
  return {
    child,
    said,
    stderr: () => stderr,
    next: find,
    async ended() {
      expect([await exit, stderr]).toEqual([0, ""]);
    },
  };
}

/** A main loop like Tk's and Qt's: runs what it is handed, ticks, and reports its longest pause. */
export const MAIN_LOOP = `
handed = queue.SimpleQueue()
longest = 0.0
def run_main_loop(until):
  global longest
  last = time.monotonic()
  while not until():
      try:
          handed.get(timeout=0.01)()
      except queue.Empty:
          pass
      now = time.monotonic()
      longest, last = max(longest, now - last), now
`;
