/** Batch runs of Python apps and the real service: what a run reports, and when it stops. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { describeWithPython, FOLDER, python, usePython } from "./support/app.ts";
import { BATCH, useBatchService } from "./support/batch.ts";

usePython();

describeWithPython("a batch run of a Python app", () => {
  const service = useBatchService();
  const start = (script: string, ...args: string[]) => python(BATCH + script, [service.url, ...args]);
  const post = (path: string, body: object = {}) => service.server.post(`/api/v1/batch/sessions${path}`, body);

  it("reports every result, as many nodes at once as it may, in threads", async () => {
    const app = start(
      `
lock, running, peak, seen = threading.Lock(), 0, 0, []
eight = threading.Barrier(8)
def node(name, context):
    global running, peak
    with lock:
        running += 1
        peak = max(peak, running)
    eight.wait(60)
    time.sleep(0.05)
    with lock:
        running -= 1
    return {"name": name, "umlaut": "ü", "attempt": context.attempt, "nothing": None}
def tell(progress):
    seen.append(progress["completed_nodes"])
names = [f"a/{number} ü" for number in range(40)]
session = run_batch(url=url, canvas_path="a.canvas", nodes=names, run=node, concurrency=8, on_progress=tell,
                    worker="worker-a", metadata={"course": None}, timeout_seconds=3600)
show(session)
say("seen", peak=peak, in_order=seen == list(range(41)), threads=threading.active_count(), worker=session["worker"])`,
      "",
    );
    const { session_id, ...over } = await app.next("over");
    expect(over).toMatchObject({ status: "completed", completed_nodes: 40, failed_nodes: 0 });
    expect(await app.next("seen")).toMatchObject({ peak: 8, in_order: true, threads: 1, worker: "worker-a" });
    const { node_results, metadata, deadline_at } = await service.read(session_id);
    expect([metadata, deadline_at]).toEqual([{ course: null }, expect.any(String)]);
    const one = node_results["a/17 ü"];
    expect(one).toMatchObject({
      status: "success",
      result: { name: "a/17 ü", umlaut: "ü", attempt: 1, nothing: null },
    });
    expect(one.execution_time_ms).toBeGreaterThanOrEqual(49);
    expect(Object.keys(node_results)).toHaveLength(40);
    expect(new Set(Object.values(await service.timesStored(session_id)))).toEqual(new Set([1]));
    await app.ended();
  });

  it("does so as tasks of the app's own loop, which knows its context and is never held up", async () => {
    const app = start(
      `
import contextvars
who = contextvars.ContextVar("who")
running = peak = 0
async def node(name, context):
    global running, peak
    running += 1
    peak = max(peak, running)
    while peak < 10:
        await asyncio.sleep(0.01)
    running -= 1
    if name == "n7":
        raise ValueError("no such page")
    return [name, who.get(), asyncio.get_running_loop() is loop]
async def main():
    global loop
    loop = asyncio.get_running_loop()
    who.set("me")
    threads, pauses = set(), []
    async def tick():
        while True:
            begun = time.monotonic()
            await asyncio.sleep(0.01)
            pauses.append(time.monotonic() - begun)
    ticking = asyncio.ensure_future(tick())
    show(await run_batch_async(url=url, canvas_path="a.canvas", nodes=(f"n{number}" for number in range(30)), run=node,
                               concurrency=10, on_progress=lambda _: threads.add(threading.current_thread().name)))
    ticking.cancel()
    say("seen", peak=peak, threads=list(threads), longest=max(pauses))
asyncio.run(main())`,
      "",
    );
    const { session_id, ...over } = await app.next("over");
    expect(over).toMatchObject({ status: "partial_failure", completed_nodes: 29, failed_nodes: 1 });
    const seen = await app.next("seen");
    expect(seen).toMatchObject({ peak: 10, threads: ["MainThread"] });
    expect(seen.longest).toBeLessThan(2);
    const { node_results } = await service.read(session_id);
    expect(node_results.n3).toMatchObject({ status: "success", result: ["n3", "me", true] });
    expect(node_results.n7).toMatchObject({ status: "failed", error: "ValueError: no such page" });
    await app.ended();
  });

  it("goes on past nodes that fail, and past results that nobody can keep", async () => {
    const app = start(
      `
class Odd(Exception):
    def __str__(self):
        raise ZeroDivisionError
results = {"nan": float("nan"), "large": "x" * 300_000, "object": object(), "nul": {"a": "\\0"}, "half": "\\ud800", "none": None}
def node(name, context):
    if name == "text":
        raise ValueError("\\0bad \\ud800 page")
    if name == "odd":
        raise Odd
    if name == "exit":
        sys.exit(3)
    return results[name]
nodes = ["text", "odd", "exit", *results]
show(run_batch(url=url, canvas_path="a.canvas", nodes=nodes, run=node, concurrency=2))
show(run_batch(url=url, canvas_path="a.canvas", nodes=["odd"], run=node))
show(run_batch(url=url, canvas_path="a.canvas", nodes=[], run=node))`,
      "",
    );
    const { session_id, ...over } = await app.next("over");
    expect(over).toMatchObject({ status: "partial_failure", completed_nodes: 1, failed_nodes: 8 });
    expect(await app.next("over")).toMatchObject({ status: "failed", failed_nodes: 1 });
    expect(await app.next("over")).toMatchObject({ status: "completed", completed_nodes: 0 });
    const { node_results } = await service.read(session_id);
    const errors = Object.fromEntries(
      Object.values<{ node_id: string; error: string | null }>(node_results).map(({ node_id, error }) => [
        node_id,
        error,
      ]),
    );
    expect(errors).toMatchObject({
      text: "ValueError: bad ? page",
      odd: expect.stringContaining("Odd"),
      exit: "SystemExit: 3",
      nan: expect.stringContaining("no JSON"),
      large: "the result has 300135 bytes, and may have 262144",
      object: expect.stringContaining("not JSON serializable"),
      nul: expect.stringContaining("NUL"),
      half: expect.stringContaining("well-formed"),
      none: null,
    });
    await app.ended();
  });

  const STOPS = `
begun = threading.Event()
def in_thread(name, context):
    if name == "quick":
        return "done"
    say("begun", session_id=context.session_id)
    say("stopped", at_once=context.cancelled.wait(60))
    return "counts for nothing"
async def in_task(name, context):
    if name == "quick":
        return "done"
    say("begun", session_id=context.session_id)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        say("stopped", at_once=context.cancelled.is_set())
        raise
def run(how, **more):
    options = dict(url=url, canvas_path="a.canvas", nodes=["quick", "one", "two", "three", "four"], concurrency=3, **more)
    if how == "threads":
        attempt(run_batch, run=in_thread, **options)
    else:
        attempt(lambda: asyncio.run(run_batch_async(run=in_task, **options)))
`;

  it.each(["threads", "asyncio"])("stops its nodes at once when it is cancelled during them, with %s", async (how) => {
    const app = start(`${STOPS}\nrun(more[0])`, "", how);
    const { session_id } = await app.next("begun");
    await app.next("begun");
    await expect.poll(async () => (await service.read(session_id)).completed_nodes).toBe(1);
    await app.next("begun");
    const at = performance.now();
    await post(`/${session_id}/cancel`, { reason: "wrong course" });
    for (const _ of [1, 2, 3]) {
      const stopped = await app.next("stopped");
      expect(stopped.at_once).toBe(true);
      // Far below what the next beat would have told it.
      expect(stopped.at - at).toBeLessThan(5_000);
    }
    expect(await app.next("lost")).toMatchObject({
      code: "session_over",
      data: { status: "cancelled", ended_reason: "cancelled", error_message: "wrong course", session_id },
    });
    await app.ended();
    const { status, node_results } = await service.read(session_id);
    expect([status, Object.keys(node_results)]).toEqual(["cancelled", ["quick"]]);
  });

  it.each(["threads", "asyncio"])(
    "stops when another worker takes it over, which does only the rest, with %s",
    async (how) => {
      const app = start(`${STOPS}\nrun(more[0])`, "", how);
      const { session_id } = await app.next("begun");
      await expect.poll(async () => (await service.read(session_id)).completed_nodes).toBe(1);
      const refused = start('attempt(run_batch, url=url, nodes=["one"], run=print, resume=key)', session_id);
      expect(await refused.next("lost")).toMatchObject({ code: "claimed", data: { holder: { attempt: 1 } } });
      const large = start(
        "attempt(run_batch, url=url, nodes=list('abcdef'), run=print, resume=key, on_conflict='replace')",
        session_id,
      );
      expect(await large.next("lost")).toMatchObject({ code: "too_many_nodes" });
      const at = performance.now();
      const second = start(
        `
def node(name, context):
    say("did", name=name, attempt=context.attempt)
    return "by the second"
nodes = ["quick", "one", "two", "three", "four"]
attempt(run_batch, url=url, nodes=nodes, run=node, resume=key, worker="worker-b", on_conflict="replace")`,
        session_id,
      );
      const stopped = await app.next("stopped");
      expect(stopped.at - at).toBeLessThan(30_000);
      expect(await app.next("lost")).toMatchObject({
        code: "attempt_replaced",
        data: { holder: { attempt: 2, worker: "worker-b" }, session_id },
      });
      expect(await second.next("over")).toMatchObject({ session_id, status: "completed", completed_nodes: 5 });
      await Promise.all([app.ended(), second.ended()]);
      const did = second.said.filter(({ what }) => what === "did").map(({ name, attempt }) => `${name} ${attempt}`);
      expect(did.sort()).toEqual(["four 2", "one 2", "three 2", "two 2"]);
      const { node_results } = await service.read(session_id);
      expect(node_results.one.result).toBe("by the second");
      expect(new Set(Object.values(await service.timesStored(session_id)))).toEqual(new Set([1]));
    },
  );

  it("is resumed with only what has no success, however often, and not at all once it is completed", async () => {
    const app = start(
      `
bad = set()
def node(name, context):
    say("did", name=name)
    if name in bad:
        raise ValueError("not yet")
    return name
names = [f"n{number:03}" for number in range(250)]
options = dict(url=url, nodes=names, run=node)
bad = {"n001", "n002", "n249"}
first = run_batch(canvas_path="a.canvas", **options)
for fixed in ({"n002", "n249"}, {"n249"}, set(), set()):
    bad = fixed
    say("next")
    show(run_batch(resume=first["session_id"], **options))`,
      "",
    );
    const expected = [
      { status: "partial_failure", completed_nodes: 248, failed_nodes: 2 },
      { status: "partial_failure", completed_nodes: 249, failed_nodes: 1 },
      { status: "completed", completed_nodes: 250, failed_nodes: 0 },
      { status: "completed", completed_nodes: 250, failed_nodes: 0 },
    ];
    const overs = [];
    for (const over of expected) {
      const said = await app.next("over");
      expect(said).toMatchObject(over);
      overs.push(said.session_id);
    }
    await app.ended();
    expect(new Set(overs).size).toBe(3);
    expect(overs[3]).toBe(overs[2]);
    const runs = JSON.stringify(app.said.map(({ what, name }) => name ?? what))
      .split('"next"')
      .slice(1);
    const did = runs.map((run) => [...run.matchAll(/n\d{3}/g)].map(([name]) => name).sort());
    expect(did).toEqual([["n001", "n002", "n249"], ["n002", "n249"], ["n249"], []]);
  });

  it.each([
    ["threads", "SIGINT"],
    ["asyncio", "SIGINT"],
    ["threads", "SIGTERM"],
    ["asyncio", "SIGTERM"],
  ] as const)("with %s ends as cancelled at %s, with what is done", async (how, name) => {
    const app = start(`${STOPS}\nrun(more[0])\nsay("exits")`, "", how);
    const { session_id } = await app.next("begun");
    await app.next("begun");
    await app.next("begun");
    app.child.kill(name);
    await app.next("stopped");
    await app.next("interrupted");
    const { status, ended_reason, node_results } = await service.read(session_id);
    expect([status, ended_reason, Object.keys(node_results)]).toEqual(["cancelled", "cancelled", ["quick"]]);
    await app.next("exits");
    await app.ended();
  });

  it("leaves a signal to the app that handles it itself, and ends the run for that too", async () => {
    const app = start(
      `${STOPS}
import signal
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
run("threads")`,
      "",
    );
    const { session_id } = await app.next("begun");
    app.child.kill("SIGTERM");
    await app.ended();
    expect(await service.read(session_id)).toMatchObject({ status: "cancelled", ended_reason: "cancelled" });
  });

  it("says at once what is wrong with how it is called", async () => {
    const app = start(
      `
right = dict(url=url, canvas_path="a.canvas", nodes=["a"], run=lambda node, context: None)
wrong = [{"url": "keys.example.com"}, {"url": url + "/api/v1/batch"}, {"nodes": "abc"}, {"nodes": ["a", "a"]}, {"nodes": [".."]},
         {"nodes": [7]}, {"nodes": [" "]}, {"concurrency": 0}, {"canvas_path": None}]
for change in wrong:
    try:
        run_batch(**{**right, **change})
    except ValueError as error:
        say("wrong", message=str(error))
for change in ({"canvas_path": "x" * 501}, {"resume": "0b9f5f0e-52c3-4a8e-9d55-0d2f8f5f9a10"}, {"resume": "../x"}):
    attempt(run_batch, **{**right, **change})`,
      "",
    );
    for (const code of ["invalid_request", "session_not_found", "session_not_found"]) {
      expect(await app.next("lost")).toMatchObject({ code });
    }
    await app.ended();
    expect(app.said.filter(({ what }) => what === "wrong")).toHaveLength(9);
  });

  it("works as the README says", async () => {
    const readme = readFileSync(join(FOLDER, "README.md"), "utf8");
    const examples = [...readme.matchAll(/```python\n(.*?)```/gs)].map(([, example]) => example as string);
    const pasted = examples.filter((example) => example.includes("keybeat_batch"));
    expect(pasted).toHaveLength(3);
    const app = start(
      `
def print(*words, write=print, **how):
    write(*words, **how) if how else say("printed", words=words)
async def translate(page):
    return page.upper()
${pasted.join("\n").replaceAll("https://keys.example.com", service.url)}`,
      "",
    );
    await app.ended();
    const printed = app.said.filter(({ what }) => what === "printed").map(({ words }) => words.join(" "));
    expect(printed).toContain("completed 0 failed");
    expect(printed.at(-1)).toBe("completed 3 of 3");
  });
});
