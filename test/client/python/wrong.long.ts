/** Python apps that are wrong, or that run where they cannot. */
import { expect, it } from "vitest";
import { describeWithPython, python, usePython } from "./support/app.ts";

usePython();

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
