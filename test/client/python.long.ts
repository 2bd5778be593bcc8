/**
 * The Python client: the conformance table in virtual time, then what only real time, threads and sockets can show.
 * Its apps are small programs that stand in the tests; each prints what happens to it as lines of JSON.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type FakeServer, startFakeServer } from "../../src/client/testing/index.ts";
import { useDatabase } from "../support/database.ts";
import { type RunningServer, startServer } from "../support/process.ts";
import { findSecrets } from "../support/secrets.ts";
import { SELF_SIGNED } from "./support/certificate.ts";
import { table } from "./support/scenario.ts";

const FOLDER = join(import.meta.dirname, "../../src/client/python");
const version = spawnSync("python3", ["--version"], { encoding: "utf8" });
const hasPython = version.status === 0;
/** What cannot be there is not written down as skipped: without Python one test says so, and fails where CI is set. */
const describeWithPython = hasPython ? describe : () => {};
const describeWithoutPython = hasPython ? () => {} : describe;

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
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "keybeat-python-"));
  folders.push(folder);
  return folder;
}

/** Without site-packages: nothing but the standard library. In dev mode: whatever is left open is complained of. */
function python(script: string, args: string[] = [], env: Record<string, string> = {}): PythonApp {
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

describeWithoutPython("without python3", () => {
  it("the Python client is not checked, which only a developer's own machine may leave at that", () => {
    console.error("python3 is not in the PATH: THE PYTHON CLIENT WAS NOT CHECKED");
    expect(version.error).toMatchObject({ code: "ENOENT" });
    expect(process.env.CI, "CI must have python3, or nothing proves the Python client").toBeUndefined();
  });
});

describeWithPython("the files", () => {
  it.each(["keybeat.py", "conformance.py", "virtual_world.py"])(
    "%s compiles with warnings as errors, and has no syntax that Python 3.8 does not know",
    (name) => {
      const check = `
import ast, sys
with open(sys.argv[1], encoding="utf-8") as file:
    source = file.read()
compile(source, "keybeat.py", "exec")
ast.parse(source, feature_version=(3, 8))`;
      const checked = spawnSync("python3", ["-W", "error", "-c", check, join(FOLDER, name)], { encoding: "utf8" });
      expect([checked.status, checked.stderr]).toEqual([0, ""]);
    },
  );

  it("does nothing when it is imported", async () => {
    const app = python(
      `
import atexit, importlib, keybeat
before = atexit._ncallbacks()
importlib.reload(keybeat)
say("again", threads=threading.active_count(), exit_calls=atexit._ncallbacks() - before)`,
      ["", ""],
    );
    expect(await app.next("again")).toMatchObject({ threads: 1, exit_calls: 0 });
    await app.ended();
  });
});

describeWithPython("the conformance table, for Python", () => {
  const run = (folder: string, names: string[] = []) =>
    spawnSync("python3", ["-S", "-X", "dev", "-B", join(folder, "python/conformance.py"), ...names], {
      encoding: "utf8",
    });

  it("is met in every scenario, in virtual time", () => {
    const { status, stdout, stderr } = run(join(FOLDER, ".."));
    const n = table.scenarios.length;
    const lines = table.scenarios.map(({ name }) => `PASS ${name}`);
    expect([stdout.trimEnd().split("\n"), stderr, status]).toEqual([[...lines, `${n}/${n} passed`], "", 0]);
  });

  it("is found from any folder, also where the program is known by the name that was typed, as in Python 3.8", () => {
    const as38 = `
import sys
sys.argv, sys.path[0], __file__ = ["conformance.py", "happy-path"], ".", "conformance.py"
with open("conformance.py", encoding="utf-8") as file:
    exec(compile(file.read(), "conformance.py", "exec"))`;
    const passed = "PASS happy-path\n1/1 passed\n";
    expect(spawnSync("python3", ["-B", "-c", as38], { cwd: FOLDER, encoding: "utf8" }).stdout).toBe(passed);
    const relative = ["-B", "client/python/conformance.py", "happy-path"];
    expect(spawnSync("python3", relative, { cwd: join(FOLDER, "../.."), encoding: "utf8" }).stdout).toBe(passed);
  });

  it.each([
    ["counts its deadline from the answer", "deadline-counts-from-sending", "sent_at + timeout -", "now() + timeout -"],
    ["takes no answer for the end", "packet-loss", 'answer.kind == "failed":', 'answer.kind == "none":'],
    ["reclaims a key that was taken", "takeover-by-stream", 'reason != "expired", by', "False, by"],
    ["comes back by force", "sleep-expired-then-taken", 'id, on_conflict="refuse"', 'id, on_conflict="replace"'],
    ["replaces a holder that nobody has seen", "ask-yes", 'agreed.get("generation") if', "None if"],
    ["believes a proxy's 404", "garbage", "_REFUSAL.fullmatch(", 're.search("4.. ", '],
    ["does not hear the stream", "takeover-by-stream", "if event in _FINAL_EVENTS", "if event in ()"],
    ["does not notice a sleep", "sleep-clock-stands-key-taken", "_ASLEEP = 20.0", "_ASLEEP = 1e9"],
    ["does not obey Retry-After", "retry-after", "if answer.retry_after > 0:", "if False:"],
    ["logs a session id", "happy-path", "return session_id[:8]", "return session_id"],
    ["forgets to end", "happy-path", 'post("end", request', 'post("heartbeat", request'],
    [
      "starts anew where it should ask again",
      "start-outcome-unknown",
      "._start_request(self._session_id",
      "._start_request(secrets.token_hex(9)",
    ],
  ])("finds a client that %s", (_, scenario, right, wrong) => {
    const folder = newFolder();
    cpSync(FOLDER, join(folder, "python"), { recursive: true });
    cpSync(join(FOLDER, "../conformance"), join(folder, "conformance"), { recursive: true });
    expect(run(folder, [scenario]).stdout).toBe(`PASS ${scenario}\n1/1 passed\n`);
    const source = readFileSync(join(FOLDER, "keybeat.py"), "utf8");
    expect(source.split(right)).toHaveLength(2);
    writeFileSync(
      join(folder, "python/keybeat.py"),
      source.replace(right, wrong.replace("now()", "self._platform.now()")),
    );
    const { status, stdout } = run(folder, [scenario]);
    expect(stdout).toMatch(/^FAIL .+\n {5}with 0\.0: /);
    expect([stdout.trimEnd().split("\n").at(-1), status]).toEqual(["0/1 passed", 1]);
  });
});

describeWithPython("a Python app and the real service", () => {
  const db = useDatabase();
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ DATABASE_URL: db.url, CLEANUP_CRON: "" });
  });
  afterAll(async () => {
    await server.stop();
  });

  const isHeld = async (access_key: string) =>
    (await server.post("/api/session/status", { access_key })).body.active as boolean;
  const start = (access_key: string, more: object = {}) => server.post("/api/session/start", { access_key, ...more });

  it("holds the key inside its with block, and gives it back after it, also when the block raises", async () => {
    for (const failure of ["pass", "raise ZeroDivisionError"]) {
      const { key } = await db.makeKey();
      const app = python(
        `
try:
    with start_session(url, key, device={"name": "Office PC"}) as session:
        say("inside", generation=session.generation, state=session.state, lost=session.lost)
        sys.stdin.readline()
        ${failure}
except ZeroDivisionError:
    pass
say("outside", state=session.state, signal=session.signal.is_set(), again=session.end())`,
        [server.url, key],
      );
      const inside = await app.next("inside");
      const { body } = await server.post("/api/session/status", { access_key: key });
      expect(body.session).toMatchObject({ generation: inside.generation, device: { name: "Office PC" } });
      expect(inside).toMatchObject({ state: "live", lost: null });
      app.child.stdin?.write("\n");
      expect(await app.next("outside")).toMatchObject({ state: "ended", signal: true, again: null });
      expect(await isHeld(key)).toBe(false);
      await app.ended();
    }
  });

  it("stops as the first example of the README says, when another device takes the key", async () => {
    const readme = readFileSync(join(FOLDER, "README.md"), "utf8");
    const example = /```python\n(.*?)```/s.exec(readme)?.[1]?.replace("https://keys.example.com", server.url) ?? "";
    const { key } = await db.makeKey();
    const app = python(
      `
access_key = key
def print(*words, write=print, **how):
    write(*words, **how) if how else say("printed", words=words)
def do_some_work():
    say("works")
${example}`,
      [server.url, key],
    );
    await app.next("works");
    await start(key);
    expect(await app.next("printed")).toMatchObject({ words: ["Stopped:", "replaced"] });
    await app.ended();
  });

  it("learns through the stream that another device took the key, in well under a second, and logs no secret", async () => {
    const { key } = await db.makeKey();
    const app = python(
      `
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, format="%(message)s")
logging.getLogger().handlers[0].emit = lambda record: say("log", by=record.name, text=record.getMessage(), level=record.levelname)
session = start_session(url, key, on_live=tell, on_lost=tell)
say("secret", session_id=session.session_id, printed=repr(session))
woken = session.wait_lost()
say("woken", woken=woken, state=session.state, reason=session.lost.reason)
sys.stdin.readline()`,
      [server.url, key],
    );
    const { session_id, printed } = await app.next("secret");
    await sleep(300); // for its stream to open
    const taken = await start(key, { device: { name: "Laptop" } });
    const takenAt = performance.now();
    const lost = await app.next("lost");
    expect(lost.at - takenAt).toBeLessThan(800);
    expect(lost).toMatchObject({
      reason: "replaced",
      final: true,
      code: "session_replaced",
      ended_at: taken.body.started_at,
      by: { started_at: taken.body.started_at, device: { name: "Laptop" } },
      thread: "keybeat-callbacks",
    });
    app.child.stdin?.write("\n");
    await app.ended();
    expect(app.said.find(({ what }) => what === "woken")).toMatchObject({
      woken: true,
      state: "lost",
      reason: "replaced",
    });
    const log = app.said.filter(({ what }) => what === "log");
    expect(log.filter(({ by }) => by === "keybeat").map(({ level }) => level)).toEqual(["INFO", "WARNING"]);
    for (const text of [JSON.stringify(log), printed]) {
      expect(text).not.toContain(session_id);
      expect(findSecrets(text)).toEqual([]);
    }
    expect(await isHeld(key)).toBe(true);
  });

  it("is refused with the holder, asked with the holder in the thread that starts, and takes over what was shown", async () => {
    const { key } = await db.makeKey();
    const first = await start(key, { device: { name: "Laptop" } });
    const app = python(
      `
try:
    start_session(url, key, on_conflict="refuse")
except KeybeatError as error:
    say("refused", code=error.code, message=str(error), holder=error.data["holder"])
def ask(holder):
    say("asked", holder=holder)
    return sys.stdin.readline() == "yes\\n"
try:
    start_session(url, key, on_conflict="ask", ask=ask)
except KeybeatError as error:
    say("declined", code=error.code)
session = start_session(url, key, on_conflict="ask", ask=ask)
say("live", generation=session.generation)
session.end()`,
      [server.url, key],
    );
    const holder = { generation: first.body.generation, device: { name: "Laptop" } };
    expect(await app.next("refused")).toMatchObject({
      code: "key_in_use",
      message: "Another device is using this access key",
      holder,
    });
    expect(await app.next("asked")).toMatchObject({ holder, thread: "MainThread" });
    app.child.stdin?.write("no\n");
    expect(await app.next("declined")).toMatchObject({ code: "key_in_use" });
    await app.next("asked");
    const second = await start(key, { device: { name: "Phone" } });
    app.child.stdin?.write("yes\n");
    expect(await app.next("asked")).toMatchObject({ holder: { generation: second.body.generation } });
    app.child.stdin?.write("yes\n");
    expect((await app.next("live")).generation).toBeGreaterThan(second.body.generation);
    await app.ended();
  });

  it("that was killed and is started again resumes its session from the file, which only its user may read", async () => {
    const { key } = await db.makeKey();
    const path = join(newFolder(), "of the app", "session");
    const script = `
session = start_session(url, key, storage=FileStorage(more[0]), on_live=tell)
sys.stdin.readline()
session.end()
say("ended")`;
    const killed = python(script, [server.url, key, path]);
    const first = await killed.next("live");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    killed.child.kill("SIGKILL");
    await new Promise((resolve) => killed.child.once("close", resolve));
    const app = python(script, [server.url, key, path]);
    expect(await app.next("live")).toMatchObject({ generation: first.generation, resumed: true, recovered: false });
    app.child.stdin?.write("\n");
    await app.next("ended");
    expect(existsSync(path)).toBe(false);
    await app.ended();
  });

  it("gives the key back when the interpreter exits, promptly, also where no thread can be started any more", async () => {
    for (const more of [
      "",
      "import atexit; atexit.register(lambda: setattr(threading.Thread, 'start', no_more))",
      "raise SystemExit",
    ]) {
      const { key } = await db.makeKey();
      const app = python(
        `
def no_more(thread):
    raise RuntimeError("can't create new thread at interpreter shutdown")
session = start_session(url, key)
say("live")
${more}`,
        [server.url, key],
      );
      const live = await app.next("live");
      await app.ended();
      expect(performance.now() - live.at).toBeLessThan(2_500);
      expect(await isHeld(key)).toBe(false);
    }
  });

  it("lets a callback finish what it prints when the interpreter exits, and waits for none that never ends", async () => {
    for (const middle of ["time.sleep(0.2)", "time.sleep(60)"]) {
      const { key } = await db.makeKey();
      const app = python(
        `
def slowly(event):
    say("called")
    ${middle}
    if event.type == "live":
        say("through")
session = start_session(url, key, end_at_exit=${middle === "time.sleep(0.2)" ? "False" : "True"}, on_event=slowly)
sys.stdin.readline()`,
        [server.url, key],
      );
      const called = await app.next("called");
      app.child.stdin?.write("\n");
      await app.ended();
      expect(performance.now() - called.at).toBeLessThan(3_000);
      expect(app.said.some(({ what }) => what === "through")).toBe(middle === "time.sleep(0.2)");
    }
  });

  it("exits without giving it back where the app says so", async () => {
    const { key } = await db.makeKey();
    const app = python("session = start_session(url, key, end_at_exit=False)\nsay('live')", [server.url, key]);
    const live = await app.next("live");
    await app.ended();
    expect(performance.now() - live.at).toBeLessThan(2_500);
    expect(await isHeld(key)).toBe(true);
  });

  (process.platform === "win32" ? () => {} : it)("leaves its session to the parent in a forked child", async () => {
    const { key } = await db.makeKey();
    const app = python(
      `
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
session = start_session(url, key)
child = os.fork()
if child == 0:
    session.end()
    say("child", state=session.state, signal=session.signal.is_set())
    sys.exit(0)
os.waitpid(child, 0)
say("parent", state=session.state, signal=session.signal.is_set())
sys.stdin.readline()`,
      [server.url, key],
    );
    expect(await app.next("child")).toMatchObject({ state: "ended", signal: true });
    expect(await app.next("parent")).toMatchObject({ state: "live", signal: false });
    expect(await isHeld(key)).toBe(true);
    app.child.stdin?.write("\n");
    await app.ended();
    expect(await isHeld(key)).toBe(false);
  });
});

describeWithPython("a Python app and a service with a timeout of 3 seconds", () => {
  const db = useDatabase();
  const settings = () => ({ DATABASE_URL: db.url, CLEANUP_CRON: "", SESSION_TIMEOUT_SECONDS: "3" });
  const script = `
session = start_session(url, key, on_event=tell)
sys.stdin.readline()`;

  it("stops at its deadline when the server is killed, and goes on by itself when the server is back", async () => {
    const { key } = await db.makeKey();
    const server = await startServer(settings());
    const app = python(script, [server.url, key]);
    const first = await app.next("live");
    const killedAt = performance.now();
    await server.stop("SIGKILL");
    const degraded = await app.next("degraded");
    const lost = await app.next("lost");
    expect(lost).toMatchObject({ reason: "unreachable", final: false, code: null });
    expect(lost.at - killedAt).toBeLessThan(3_000);
    expect(lost.at - first.at).toBeGreaterThan(2_000);
    expect(lost.at - degraded.at - degraded.deadline_in * 1_000).toBeLessThan(800);
    const again = await startServer({ ...settings(), PORT: new URL(server.url).port });
    expect(await app.next("live")).toMatchObject({ recovered: true });
    app.child.stdin?.write("\n");
    await app.ended();
    expect((await again.post("/api/session/status", { access_key: key })).body.active).toBe(false);
    await again.stop();
  });

  it("comes back after a stop only if nobody else has taken the key", async () => {
    const server = await startServer(settings());
    const comeBack = async (isTaken: boolean) => {
      const { key } = await db.makeKey();
      const app = python(script, [server.url, key]);
      const first = await app.next("live");
      app.child.kill("SIGSTOP");
      await sleep(4_000);
      if (isTaken) await server.post("/api/session/start", { access_key: key });
      app.child.kill("SIGCONT");
      expect(await app.next("lost")).toMatchObject({ final: false });
      if (isTaken) {
        expect(await app.next("lost")).toMatchObject({ reason: "replaced", final: true });
      } else {
        const live = await app.next("live");
        expect(live).toMatchObject({ recovered: true, resumed: false });
        expect(live.generation).toBeGreaterThan(first.generation);
      }
      app.child.stdin?.write("\n");
      await app.ended();
    };
    await Promise.all([comeBack(false), comeBack(true)]);
    await server.stop();
  });
});

describeWithPython("a Python app that is wrong, or where it cannot run", () => {
  const TRY = `
def attempt(what, url, **more):
    begun = time.monotonic()
    try:
        start_session(url, key, **{"start_timeout": 3, **more})
    except Exception as error:
        say(what, kind=type(error).__name__, code=getattr(error, "code", None), message=str(error),
            cause=type(error.__cause__).__name__, took=time.monotonic() - begun)
`;

  it("hears at once which url to write instead", async () => {
    const right = {
      "keys.example.com": "https://keys.example.com",
      "localhost:3000/": "http://localhost:3000",
      "//keys.example.com": "https://keys.example.com",
      "wss://keys.example.com": "https://keys.example.com",
      "https://me:secret@keys.example.com/x": "https://keys.example.com/x",
      "https://keys.example.com/?key=secret": "https://keys.example.com",
      "https://keys.example.com/api/session": "https://keys.example.com",
    };
    const app = python(
      `${TRY}
for url in json.loads(more[0]):
    attempt("wrong", url)
attempt("timeout", "https://keys.example.com", start_timeout=float("nan"))
attempt("timeout", "https://keys.example.com", request_timeout=0)`,
      ["", "some-key", JSON.stringify(Object.keys(right))],
    );
    for (const url of Object.values(right)) {
      expect(await app.next("wrong")).toMatchObject({ kind: "ValueError", message: `url must be as in "${url}"` });
    }
    for (const _ of [1, 2]) expect(await app.next("timeout")).toMatchObject({ kind: "ValueError" });
    await app.ended();
  });

  it.each([
    ["no thread can be started", "threading.Thread.start = refuse", "RuntimeError"],
    [
      "the second thread cannot be started",
      "start, count = threading.Thread.start, iter([1])\nthreading.Thread.start = lambda self: start(self) if next(count, 0) else refuse()",
      "RuntimeError",
    ],
    ["its thread never runs", "threading.Thread.start = lambda self: self._started.set()", "TimeoutError"],
    [
      "no loop runs in its thread",
      "import asyncio\nasyncio.SelectorEventLoop.run_until_complete = refuse",
      "RuntimeError",
    ],
    ["no loop can be made", "import asyncio\nasyncio.SelectorEventLoop = refuse", "RuntimeError"],
    ["nothing can be run at all", "import keybeat\nkeybeat._Keeper.run = refuse", "RuntimeError"],
  ])("hears within its start's time that no session can be kept, and why: %s", async (_, mischief, cause) => {
    const app = python(
      `${TRY}
def refuse(*_, **__):
    raise RuntimeError("not here")
${mischief}
attempt("failed", "http://127.0.0.1:1")
failures = []
session = start_session("http://127.0.0.1:1", key, wait=False, on_failed=failures.append)
time.sleep(0.3)
say("later", state=session.state, failures=[error.code for error in failures])
sys.stdout.flush()
os._exit(0)`,
      ["", "some-key"],
    );
    const failed = await app.next("failed");
    expect(failed).toMatchObject({ kind: "KeybeatError", code: "unreachable", cause });
    expect(failed.message).toMatch(/^no session can be kept in this process: /);
    expect(failed.took).toBeLessThan(6);
    const silent = cause === "TimeoutError"; // nobody is there to say so
    expect(await app.next("later")).toMatchObject(
      silent ? { state: "starting", failures: [] } : { state: "failed", failures: ["unreachable"] },
    );
  });
});

describeWithPython("a Python app and a network that does not do as it should", () => {
  const servers: { close(): unknown }[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  async function fake(options = {}): Promise<FakeServer> {
    const server = await startFakeServer(options);
    servers.push(server);
    return server;
  }

  async function listen(
    handle: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<[Server, string]> {
    const server = createHttpServer(handle);
    servers.push({ close: () => [server.closeAllConnections(), server.close()] });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
  }

  /** A main loop as Tk and Qt have one: calls what is handed to it, ticks, and tells its longest pause. */
  const MAIN_LOOP = `
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

  it("goes on ticking while the start hangs, and hears of its failure in its own thread", async () => {
    const server = await fake();
    server.hang();
    const app = python(
      `${MAIN_LOOP}
begun = time.monotonic()
failures = []
def on_failed(error):
    say("failed", code=error.code, took=time.monotonic() - begun)
    failures.append(error)
session = start_session(url, key, wait=False, dispatch=handed.put, start_timeout=2, request_timeout=1, on_failed=on_failed)
say("returned", took=time.monotonic() - begun, state=session.state)
run_main_loop(lambda: failures)
say("done", longest=longest, state=session.state)`,
      [server.url, "key-that-hangs"],
    );
    const returned = await app.next("returned");
    expect(returned.state).toBe("starting");
    expect(returned.took).toBeLessThan(0.5);
    const failed = await app.next("failed");
    expect(failed).toMatchObject({ code: "unreachable", thread: "MainThread" });
    expect(failed.took).toBeLessThan(2.5);
    expect((await app.next("done")).longest).toBeLessThan(0.5);
    await app.ended();
  });

  it("goes on ticking while heartbeats hang until its session is lost, and while it ends it without waiting", async () => {
    const server = await fake({ timeoutSeconds: 3 });
    const app = python(
      `${MAIN_LOOP}
losses = []
session = start_session(url, key, wait=False, dispatch=handed.put, request_timeout=1, on_event=tell, on_lost=losses.append)
run_main_loop(lambda: losses)
session.end(wait=False)
until = time.monotonic() + 0.5
run_main_loop(lambda: time.monotonic() > until)
say("done", longest=longest)`,
      [server.url, "key-that-hangs"],
    );
    await app.next("live");
    server.hang();
    expect(await app.next("degraded")).toMatchObject({ error: "no answer within 1 s", thread: "MainThread" });
    expect(await app.next("lost")).toMatchObject({ reason: "unreachable", thread: "MainThread" });
    expect((await app.next("done")).longest).toBeLessThan(0.5);
    await app.ended();
    // The exit waited for the end that was under way, and no longer than it may take.
    expect(server.requests.at(-1)?.path).toBe("/api/session/end");
  });

  it("has no session that nobody looks after, also where it has a mistake itself", async () => {
    const server = await fake({ timeoutSeconds: 3 });
    const app = python(
      `
import keybeat
def mistaken(*more):
    raise ZeroDivisionError
right, keybeat._Keeper._started = keybeat._Keeper._started, mistaken
try:
    start_session(url, "another-key")
except ZeroDivisionError:
    say("raised")
keybeat._Keeper._started, keybeat._Keeper._beaten = right, mistaken
session = start_session(url, key, on_event=tell)
sys.stdin.readline()`,
      [server.url, "some-key"],
    );
    await app.next("raised");
    const live = await app.next("live");
    const lost = await app.next("lost");
    expect(lost.reason).toBe("unreachable");
    expect(lost.at - live.at).toBeLessThan(3_000);
  });

  it("sends nothing more once it is replaced, and closes its stream", async () => {
    const server = await fake();
    const app = python("session = start_session(url, key, on_lost=tell)\nsys.stdin.readline()", [
      server.url,
      "some-key",
    ]);
    while (!server.requests.some(({ path }) => path.endsWith("/watch"))) await sleep(10);
    await sleep(100);
    server.takeOver("some-key", { name: "Laptop" });
    await app.next("lost");
    await sleep(1_200);
    expect(server.requests.map(({ path }) => path)).toEqual(["/api/session/start", "/api/session/watch"]);
    app.child.stdin?.write("\n");
    await app.ended();
    expect(server.requests).toHaveLength(2);
  });

  it("exits within 5 seconds while the server hangs, whatever it is in the middle of", async () => {
    const exit = async (wait: "True" | "False") => {
      const server = await fake();
      if (wait === "False") server.hang();
      const app = python(`start_session(url, key, wait=${wait})\nsay("started")\nsys.stdin.readline()`, [
        server.url,
        "a-key",
      ]);
      await app.next("started");
      server.hang();
      await sleep(200);
      const closedAt = performance.now();
      app.child.stdin?.write("\n");
      await app.ended();
      expect(performance.now() - closedAt).toBeLessThan(5_000);
    };
    await Promise.all([exit("True"), exit("False")]);
  });

  it("gives up an answer that trickles in when the request's time is over", async () => {
    const [, url] = await listen((_, response) => {
      response.writeHead(200, { "Content-Type": "application/json" });
      const drip = setInterval(() => response.write(" "), 100);
      response.on("close", () => clearInterval(drip));
    });
    const app = python(
      `
begun = time.monotonic()
try:
    start_session(url, key, start_timeout=1, request_timeout=0.5)
except KeybeatError as error:
    say("failed", code=error.code, message=str(error), took=time.monotonic() - begun)`,
      [url, "some-key"],
    );
    const failed = await app.next("failed");
    expect(failed).toMatchObject({ code: "unreachable", message: "no answer within 0.5 s" });
    expect(failed.took).toBeLessThan(1.5);
    await app.ended();
  });

  it("gets through where the first addresses of the host lead nowhere, in about a second, its heartbeats and stream too", async () => {
    const server = await fake({ timeoutSeconds: 8, heartbeatSeconds: 1 });
    const app = python(
      `
import socket
def find(host, port, *_, **__):
    return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("100::1", port, 0, 0))] + [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("198.51.100.1", "127.0.0.1")]
socket.getaddrinfo = find
begun = time.monotonic()
session = start_session(url, key, on_event=tell)
say("started", took=time.monotonic() - begun)
sys.stdin.readline()
begun = time.monotonic()
session.end()
say("over", took=time.monotonic() - begun)`,
      [server.url.replace("127.0.0.1", "keys.test"), "some-key"],
    );
    expect((await app.next("started")).took).toBeLessThan(3);
    const count = (path: string) => server.requests.filter((request) => request.path.endsWith(path)).length;
    await expect.poll(() => count("/heartbeat")).toBeGreaterThanOrEqual(2);
    expect(count("/watch")).toBe(1);
    app.child.stdin?.write("\n");
    expect((await app.next("over")).took).toBeLessThan(3);
    await app.ended();
    expect(app.said.map(({ what }) => what)).not.toContain("degraded");
  });

  it("is told at once of a certificate that nobody vouches for, and of a redirect to https", async () => {
    const tls = createTlsServer(SELF_SIGNED, (_, response) => response.end("{}"));
    servers.push({ close: () => [tls.closeAllConnections(), tls.close()] });
    await new Promise<void>((resolve) => tls.listen(0, "127.0.0.1", resolve));
    const [, plain] = await listen((request, response) => {
      response.writeHead(301, { Location: `https://${request.headers.host}${request.url}` }).end();
    });
    const [, apex] = await listen((request, response) => {
      response.writeHead(308, { Location: `https://www.keys.test${request.url}` }).end();
    });
    const script = `
begun = time.monotonic()
try:
    start_session(url, key)
except KeybeatError as error:
    say("failed", code=error.code, message=str(error), cause=type(error.__cause__).__name__, took=time.monotonic() - begun)`;
    for (const [url, message, cause] of [
      [
        `https://127.0.0.1:${(tls.address() as AddressInfo).port}`,
        /self.signed certificate/,
        "SSLCertVerificationError",
      ],
      [plain, /a redirect to https:/, "NoneType"],
      [apex, /a redirect to https:\/\/www/, "NoneType"],
    ] as const) {
      const app = python(script, [url, "some-key"]);
      const failed = await app.next("failed");
      expect(failed).toMatchObject({ code: "unreachable", message: expect.stringMatching(message), cause });
      expect(failed.took).toBeLessThan(10);
      await app.ended();
    }
  });

  it("reads no answer without end, and asks no faster than once a second whatever the service wants", async () => {
    let [beats, sent] = [0, 0];
    const reply = { success: true, generation: 1, expires_in: 60, heartbeat_in: 1e-9, resumed: false };
    const [, url] = await listen((request, response) => {
      response.writeHead(200, { "Content-Type": "application/json" });
      if (request.url?.endsWith("/heartbeat")) beats++;
      if (!request.url?.endsWith("/watch")) return void response.end(JSON.stringify(reply));
      const piece = Buffer.alloc(65_536, ":\n");
      const pour = () => {
        while (!response.destroyed && response.write(piece)) sent += piece.length;
        response.once("drain", pour);
      };
      pour();
    });
    const app = python("session = start_session(url, key)\nsay('live')\nsys.stdin.readline()\nsession.end()", [
      url,
      "k",
    ]);
    await app.next("live");
    await sleep(3_500);
    app.child.stdin?.write("\n");
    await app.ended();
    expect(beats).toBeGreaterThanOrEqual(1);
    expect(beats).toBeLessThanOrEqual(5);
    expect(sent).toBeLessThan(32 * 1_048_576);
  });

  it("sends the key without what was pasted along, and a device cut to whole characters", async () => {
    const server = await fake();
    const app = python(
      `
device = {"name": "x" * 99 + "\\U0001f600" * 2, "platform": "y" * 49 + "e\\u0301", "app_version": 12}
start_session(url, "\\ufeff \\u00a0\\u200b ab-cd\\u2060\\u3164\\n", device=device).end()`,
      [server.url, ""],
    );
    await app.ended();
    const device = { name: `${"x".repeat(99)}😀`, platform: "y".repeat(49), app_version: "12" };
    expect(server.requests[0]?.body).toMatchObject({ access_key: "ab-cd", device });
  });

  it("follows no redirect", async () => {
    const followed: string[] = [];
    const [, target] = await listen((request, response) => {
      followed.push(request.url ?? "");
      response.end("{}");
    });
    const [, url] = await listen((request, response) => {
      response.writeHead(request.method === "POST" ? 307 : 302, { Location: target }).end();
    });
    const app = python(
      `
try:
    start_session(url, key, start_timeout=1)
except KeybeatError as error:
    say("failed", code=error.code, message=str(error))`,
      [url, "some-key"],
    );
    const message = `HTTP 307, a redirect to ${target}, which is not followed`;
    expect(await app.next("failed")).toMatchObject({ code: "unreachable", message });
    expect(followed).toEqual([]);
    await app.ended();
  });

  it("goes through the system's proxy, with its password, and past it where the system says so", async () => {
    const server = await fake();
    const seen: string[] = [];
    const [proxy, proxyUrl] = await listen((request, response) => {
      seen.push(`${request.url} ${request.headers["proxy-authorization"]}`);
      response.writeHead(502).end();
    });
    proxy.on("connect", (request, socket) => {
      seen.push(`CONNECT ${request.url} ${request.headers["proxy-authorization"]}`);
      // The client may be gone before it has read that.
      socket.on("error", () => {}).end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    });
    const script = `
try:
    say("live", generation=start_session(url, key, start_timeout=0.5).generation)
except KeybeatError as error:
    say("failed", code=error.code)`;
    const withPassword = proxyUrl.replace("://", "://me:p%40ss@");
    const credentials = `Basic ${Buffer.from("me:p@ss").toString("base64")}`;
    const env = { http_proxy: withPassword, https_proxy: withPassword };
    for (const [url, expected] of [
      ["http://keys.test:81/base", "http://keys.test:81/base/api/session/start"],
      ["https://keys.test", "CONNECT keys.test:443"],
    ] as const) {
      seen.length = 0;
      const app = python(script, [url, "some-key"], env);
      await app.next("failed");
      expect(seen[0]).toBe(`${expected} ${credentials}`);
      await app.ended();
    }
    const past = python(script, [server.url, "some-key"], { ...env, no_proxy: "127.0.0.1" });
    await past.next("live");
    await past.ended();
  });
});
