/** Python apps and the real service. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { useDatabase } from "../../support/database.ts";
import { type RunningServer, startServer } from "../../support/process.ts";
import { findSecrets } from "../../support/secrets.ts";
import { describeWithPython, FOLDER, newFolder, python, usePython } from "./support/app.ts";

usePython();

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
