/** Python apps while the server hangs or trickles. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { describeWithPython, MAIN_LOOP, python, usePython } from "./support/app.ts";
import { useServers } from "./support/servers.ts";

usePython();

describeWithPython("a Python app and a server that hangs or is slow", () => {
  const { fake, listen } = useServers();

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
});
