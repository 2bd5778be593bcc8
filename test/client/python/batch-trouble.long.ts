/** Batch runs of Python apps while the service, its database or the network between is in trouble. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort } from "../../support/free-port.ts";
import { startServer } from "../../support/process.ts";
import { type DatabaseProxy, startProxy } from "../../support/proxy.ts";
import { describeWithPython, python, usePython } from "./support/app.ts";
import { BATCH, type Carried, carry, useBatchService } from "./support/batch.ts";
import { useServers } from "./support/servers.ts";

usePython();

/** Runs so many nodes that each take a fifth of a second, by threads or by tasks. */
const RUN = `
def in_thread(name, context):
    time.sleep(0.2)
    return {"name": name, "text": "x" * 1000}
async def in_task(name, context):
    await asyncio.sleep(0.2)
    return {"name": name, "text": "x" * 1000}
def run(how, count, **more):
    options = dict(url=url, canvas_path="a.canvas", nodes=[f"n{number}" for number in range(count)], concurrency=4, **more)
    tell_of = lambda progress: say("progress", **progress)
    if how == "threads":
        attempt(run_batch, run=in_thread, on_progress=tell_of, **options)
    else:
        attempt(lambda: asyncio.run(run_batch_async(run=in_task, on_progress=tell_of, **options)))
`;

describeWithPython("a batch run of a Python app in trouble", () => {
  const service = useBatchService();
  const { listen } = useServers();

  const expectWhole = async (id: string, nodes: number) => {
    const session = await service.read(id);
    expect(session).toMatchObject({ status: "completed", completed_nodes: nodes, progress_percent: 100 });
    for (const [name, { result }] of Object.entries<{ result: object }>(session.node_results)) {
      expect(result).toEqual({ name, text: "x".repeat(1000) });
    }
    const times = Object.values(await service.timesStored(id));
    expect(times).toHaveLength(nodes);
    expect(new Set(times)).toEqual(new Set([1]));
  };

  it.each(["threads", "asyncio"])(
    "outlives a service that is killed twice and started again, with every result stored once, with %s",
    async (how) => {
      const port = String(await freePort());
      const again = () =>
        startServer({ DATABASE_URL: service.db.url, CLEANUP_CRON: "", PORT: port, HOST: "127.0.0.1" });
      let server = await again();
      const app = python(`${BATCH}${RUN}\nrun(more[0], 100)`, [server.url, "", how]);
      for (const done of [10, 50]) {
        while ((await app.next("progress")).completed_nodes < done);
        await server.stop("SIGKILL");
        await sleep(1_500);
        server = await again();
      }
      const { session_id } = await app.next("over");
      await expectWhole(session_id, 100);
      await app.ended();
      await server.stop();
    },
  );

  it("waits, with as many results as it has places, while PostgreSQL is away for 20 s, and one that begins then waits too", async () => {
    const proxy: DatabaseProxy = await startProxy(service.db.url);
    const server = await startServer({ DATABASE_URL: proxy.url, CLEANUP_CRON: "" });
    const app = python(`${BATCH}${RUN}\nrun("threads", 60)`, [server.url, ""]);
    while ((await app.next("progress")).completed_nodes < 20);
    await proxy.set("blackhole");
    await sleep(10_000);
    const during = app.said.length;
    await proxy.set("refuse");
    await sleep(10_000);
    expect(app.said.length).toBe(during);
    // This one begins while it is away.
    const second = python(`${BATCH}${RUN}\nrun("asyncio", 8)`, [server.url, ""]);
    await sleep(3_000);
    await proxy.set("pass");
    const [first, late] = await Promise.all([app.next("over"), second.next("over")]);
    await expectWhole(first.session_id, 60);
    await expectWhole(late.session_id, 8);
    await Promise.all([app.ended(), second.ended()]);
    await server.stop();
    await proxy.close();
  });

  it("loses and doubles nothing where one answer in twenty is lost after it was carried out, the first of each kind too", async () => {
    const seen = new Map<string, number>();
    let lost = 0;
    const decide = ({ method, url }: { method?: string; url?: string }): Carried => {
      if (method === "GET") return "pass";
      const kind = /nodes/.test(url as string) ? "nodes" : ((url as string).split("/").at(-1) as string);
      const count = (seen.get(kind) ?? 0) + 1;
      seen.set(kind, count);
      if (count % 20 !== 1) return "pass";
      lost++;
      return "lose";
    };
    const [, url] = await listen(carry(service.url, decide));
    const app = python(`${BATCH}${RUN}\nrun("threads", 200, worker="worker-a")`, [url, ""]);
    const { session_id } = await app.next("over");
    await expectWhole(session_id, 200);
    expect([...seen.keys()].sort()).toEqual(["claim", "complete", "nodes", "progress", "sessions"]);
    expect(lost).toBeGreaterThanOrEqual(14);
    // It was made once.
    const made = await service.db
      .sql`SELECT FROM batch_sessions WHERE session_id = ${session_id} OR (canvas_path = 'a.canvas' AND node_count = 200)`;
    expect(made).toHaveLength(1);
    await app.ended();
  });

  it("resumes once where the answer to that is lost", async () => {
    const seen = new Set<string>();
    const decide = ({ method, url = "" }: { method?: string; url?: string }): Carried => {
      if (method === "GET" || seen.has(url)) return "pass";
      seen.add(url);
      return "lose";
    };
    const [, url] = await listen(carry(service.url, decide));
    const { body: old } = await service.server.post("/api/v1/batch/sessions", { canvas_path: "b", node_count: 4 });
    await service.server.post(`/api/v1/batch/sessions/${old.session_id}/cancel`, {});
    const app = python(`${BATCH}${RUN}\nrun("threads", 4, resume=key)`, [url, old.session_id]);
    const { session_id, resumed_from } = await app.next("over");
    expect(resumed_from).toBe(old.session_id);
    await expectWhole(session_id, 4);
    await app.ended();
  });

  it("beats while its nodes take longer than the service bears silence, and is told of its end without the stream", async () => {
    const db = service.db;
    const server = await startServer({ DATABASE_URL: db.url, CLEANUP_CRON: "", BATCH_SILENCE_SECONDS: "3" });
    const [, url] = await listen((request, response) => {
      if (request.url?.endsWith("/events")) response.writeHead(502).end();
      else carry(server.url, () => "pass")(request, response);
    });
    const app = python(
      `${BATCH}
def node(name, context):
    say("begun", session_id=context.session_id)
    if name == "long":
        time.sleep(10)
        return "done"
    say("stopped", told=context.cancelled.wait(60))
attempt(run_batch, url=url, canvas_path="a.canvas", nodes=["long", "never"], run=node, concurrency=1)`,
      [url, ""],
    );
    const { session_id } = await app.next("begun");
    await app.next("begun");
    expect(await service.read(session_id)).toMatchObject({ status: "running", completed_nodes: 1 });
    await server.post(`/api/v1/batch/sessions/${session_id}/cancel`, {});
    expect(await app.next("stopped")).toMatchObject({ told: true });
    expect(await app.next("lost")).toMatchObject({ code: "session_over", data: { status: "cancelled" } });
    await app.ended();
    await server.stop();
    // Other tests of this file share the database, and its limit.
    await (await startServer({ DATABASE_URL: db.url, CLEANUP_CRON: "" })).stop();
  });

  it("stops at its limit though nothing is to be heard of the service, and ends when it is told to", async () => {
    const session = {
      session_id: "0b9f5f0e-52c3-4a8e-9d55-0d2f8f5f9a10",
      status: "running",
      node_count: 1,
      completed_nodes: 0,
      attempt: 1,
      updated_at: "2026-03-02T09:00:00.000Z",
      deadline_at: "2026-03-02T09:00:02.000Z",
    };
    const [, url] = await listen((request, response) => {
      if (!/sessions$|claim$/.test(request.url as string)) return;
      response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(session));
    });
    const script = `${BATCH}
begun = time.monotonic()
def node(name, context):
    say("begun")
    context.cancelled.wait(60)
    say("stopped", took=time.monotonic() - begun)
attempt(run_batch, url=url, canvas_path="a.canvas", nodes=["a"], run=node)
say("returned", took=time.monotonic() - begun)`;
    const app = python(script, [url, ""]);
    expect((await app.next("stopped")).took).toBeGreaterThan(2);
    expect(await app.next("lost")).toMatchObject({ code: "session_over", data: { ended_reason: "deadline" } });
    expect((await app.next("returned")).took).toBeLessThan(15);
    await app.ended();
    session.deadline_at = "2027-03-02T09:00:02.000Z";
    const hanging = python(script, [url, ""]);
    await hanging.next("begun");
    hanging.child.kill("SIGINT");
    const at = performance.now();
    await hanging.next("stopped");
    // It has tried for 10 s to say so.
    expect((await hanging.next("interrupted")).at - at).toBeLessThan(20_000);
    hanging.child.kill("SIGKILL");
  });

  it("does not wait for answers that never end, nor take another's page for one", async () => {
    let [trickled, pages] = [0, 0];
    const [, url] = await listen((request, response) => {
      if (request.method !== "GET" && pages++ < 2) {
        response.writeHead(pages === 1 ? 404 : 200, { "Content-Type": "text/html" }).end("<h1>Hotel</h1>");
      } else
        carry(service.url, () => (request.url?.endsWith("claim") && trickled++ === 0 ? "trickle" : "pass"))(
          request,
          response,
        );
    });
    const app = python(`${BATCH}${RUN}\nrun("threads", 4)`, [url, ""]);
    const { session_id } = await app.next("over");
    await expectWhole(session_id, 4);
    expect([trickled, pages > 2]).toEqual([2, true]);
    await app.ended();
  });

  it("gets through where the host's first addresses lead nowhere, and through the system's proxy", async () => {
    const app = python(
      `${BATCH}${RUN}
import socket
def find(host, port, *_, **__):
    return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("100::1", port, 0, 0))] + [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("198.51.100.1", "127.0.0.1")]
socket.getaddrinfo = find
begun = time.monotonic()
run("threads", 4)
say("took", seconds=time.monotonic() - begun)`,
      [service.url.replace("127.0.0.1", "keys.test"), ""],
    );
    await expectWhole((await app.next("over")).session_id, 4);
    expect((await app.next("took")).seconds).toBeLessThan(20);
    await app.ended();

    const seen: string[] = [];
    const [, proxyUrl] = await listen((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers["proxy-authorization"]}`);
      carry(service.url, () => "pass")(request, response);
    });
    const env = { http_proxy: proxyUrl.replace("://", "://me:p%40ss@"), no_proxy: "" };
    const through = python(
      `${BATCH}${RUN}\nrun("threads", 4)`,
      [service.url.replace("127.0.0.1", "keys.test"), ""],
      env,
    );
    await through.next("over");
    const credentials = `Basic ${Buffer.from("me:p@ss").toString("base64")}`;
    const port = new URL(service.url).port;
    expect(seen[0]).toBe(`POST http://keys.test:${port}/api/v1/batch/sessions ${credentials}`);
    await through.ended();
  });
});

describeWithPython("a batch run of a Python app, where a token is wanted", () => {
  const TOKEN = "a-token-of-batch-sessions-0123456789";
  const service = useBatchService({ BATCH_AUTH: "token", BATCH_TOKEN: TOKEN });
  let port: string;
  beforeAll(() => {
    port = new URL(service.url).port;
  });
  afterAll(() => expect(service.server.output()).not.toContain(TOKEN));

  it("sends it, logs nothing of it, and hears at once that it is wrong", async () => {
    const app = python(
      `${BATCH}
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, format='{"what": "log", "thread": "", "text": "%(message)s"}')
for token in ("wrong", more[0]):
    attempt(run_batch, url=url, canvas_path="a.canvas", nodes=["a"], run=lambda node, context: 1, token=token)`,
      [`http://127.0.0.1:${port}`, "", TOKEN],
    );
    expect(await app.next("lost")).toMatchObject({ code: "unauthorized" });
    const { session_id } = await app.next("over");
    await app.ended();
    const logged = JSON.stringify(app.said.filter(({ what }) => what === "log"));
    expect(logged).toContain("attempt 1");
    expect(logged).not.toContain(TOKEN);
    expect(logged).not.toContain(session_id);
  });
});
