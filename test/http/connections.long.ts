/**
 * How a connection goes on and ends, each way by which a request is answered: before Node's parser, past Hono, through
 * Hono; and how many there may be.
 */
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Hono } from "hono";
import { afterEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { BODY_BYTES_MAX, parseJson } from "../../src/http/json-body.ts";
import { type ListeningServer, listen } from "../../src/http/server.ts";
import { createLog } from "../../src/log.ts";
import { createCounts } from "../../src/metrics/counts.ts";
import { type Talk, useTalks } from "./support/talks.ts";

const PATH = "/api/session/heartbeat";

let servers: ListeningServer[] = [];
let log: Array<Record<string, unknown>> = [];
/** The requests that were carried out, each with what answers it. */
let asked: Array<{ n: unknown; done(): void }> = [];
let gone = 0;

afterEach(async () => {
  for (const { done } of asked) done();
  await Promise.all(servers.map((server) => server.drain(500)));
  [servers, log, asked, gone] = [[], [], [], 0];
});
const connectTo = useTalks(); // after that, so that its connections end before the servers do

const hold = (n: unknown) => new Promise<void>((done) => asked.push({ n, done }));

async function start(options: { connectionsMax?: number; drainSeconds?: number } = {}): Promise<ListeningServer> {
  const hono = new Hono();
  hono.post("/hono", async (c) => {
    const { n } = await c.req.json();
    await hold(n);
    return c.json({ n });
  });
  hono.post("/api/v1/session/requests", async (c) => {
    c.req.raw.signal.addEventListener("abort", () => gone++);
    await hold("a wait");
    return c.json({ n: "a wait" });
  });
  hono.get("/stream", (c) => {
    asked.push({ n: "a stream", done: () => {} });
    return c.body(
      new ReadableStream({ start: (it) => it.enqueue(new TextEncoder().encode("begun")), cancel: () => void gone++ }),
    );
  });
  const heartbeat = {
    path: PATH,
    run: async (text: string) => {
      const { n } = parseJson(text, z.object({ n: z.number() }));
      await hold(n);
      return { n };
    },
  };
  const app = {
    hono,
    heartbeat,
    counts: createCounts(),
    waits: (path: string) => path.endsWith("/requests"),
    bodyBytesMax: () => BODY_BYTES_MAX,
  };
  const lines = createLog("info", { write: (line: string) => log.push(JSON.parse(line)) });
  const server = await listen(app, { host: "127.0.0.1", port: 0, ...options }, lines);
  servers.push(server);
  return server;
}

/** A caller that reads on after the server's end, and then ends as well. */
function open(server: ListeningServer): Talk {
  const talk = connectTo(Number(new URL(server.url).port), { allowHalfOpen: true });
  talk.socket.on("end", () => talk.socket.end());
  return talk;
}

const WAYS: Array<[string, (n: number) => string]> = [
  ["before Node's parser", (n) => post(PATH, n)],
  ["past Hono", (n) => post(PATH, n, "X-More: 1\r\nX-More: 2\r\nConnection: keep-alive, x\r\n")],
  ["through Hono", (n) => post("/hono", n)],
];

function post(path: string, n: number, headers = ""): string {
  const body = JSON.stringify({ n });
  return `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** Waits until that many requests are in flight, and answers all of them. */
async function answer(count: number): Promise<unknown[]> {
  await vi.waitFor(() => expect(asked.length).toBeGreaterThanOrEqual(count), 3000);
  const all = asked.splice(0);
  for (const { done } of all) done();
  return all.map(({ n }) => n);
}

/** One by one as they arrive: before the parser there is one at a time. */
async function answerAll(count: number): Promise<unknown[]> {
  const all: unknown[] = [];
  while (all.length < count) all.push(...(await answer(1)));
  await sleep(50);
  return [...all, ...asked.map(({ n }) => n)];
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

describe.each(WAYS)("a request %s", (_, request) => {
  it("is answered where its sender says at once that it is done with sending", async () => {
    const talk = open(await start());
    talk.socket.end(request(1));
    await sleep(100);
    expect(await answerAll(1)).toEqual([1]);
    await talk.closed;
    expect(talk.bodies()).toEqual(['{"n":1}']);
  });

  it("is answered with all that came with it where they are many and the sender is done", async () => {
    const talk = open(await start());
    talk.socket.end(numbers(5).map(request).join(""));
    expect(await answerAll(5)).toEqual(numbers(5));
    await talk.closed;
    expect(talk.bodies()).toEqual(numbers(5).map((n) => `{"n":${n}}`));
  });

  it("is answered with the 31 after it where more come than may be under way, and those are not carried out", async () => {
    for (const count of [33, 40, 500]) {
      const talk = open(await start());
      talk.socket.write(numbers(count).map(request).join(""));
      const carriedOut = await answerAll(32);
      await talk.closed;
      expect(talk.bodies()).toEqual(carriedOut.map((n) => `{"n":${n}}`));
      expect(carriedOut).toEqual(numbers(carriedOut.length));
      asked = [];
    }
  });

  it("is answered before what comes after it and is no HTTP", async () => {
    const talk = open(await start());
    talk.socket.write(`${request(1)}NONSENSE\r\n\r\n`);
    await sleep(100);
    expect(await answerAll(1)).toEqual([1]);
    await talk.closed;
    expect(talk.received()).toMatch(/^HTTP\/1\.1 200[\s\S]*\{"n":1\}HTTP\/1\.1 400[\s\S]*"code":"invalid_request"/);
  });

  it("is answered before what comes after it and has no Host, and what follows that is not carried out", async () => {
    const talk = open(await start());
    talk.socket.write(request(1) + request(2).replace("Host: a\r\n", "") + request(3));
    await sleep(100);
    expect(await answerAll(1)).toEqual([1]);
    await talk.closed;
    expect(talk.received().match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 400"]);
  });

  it("during a drain is answered for the last time, with all that came before that was said", async () => {
    const server = await start({ drainSeconds: 1 });
    const [idle, one, several] = [open(server), open(server), open(server)];
    for (const talk of [idle, one, several]) talk.socket.write(request(0));
    await answerAll(3);
    const drained = server.drain(3000);
    one.socket.write(request(1));
    several.socket.write(request(1));
    await expect.poll(() => asked.length).toBe(2);
    several.socket.write(request(2) + request(3));
    await sleep(100);
    await answerAll(4);
    await Promise.all([one.closed, several.closed]);
    expect(one.bodies().slice(1)).toEqual(['{"n":1}']);
    expect(several.bodies().slice(1)).toEqual(['{"n":1}', '{"n":2}', '{"n":3}']);
    expect(several.received().match(/connection: close/gi)).toHaveLength(1);
    expect(idle.socket.destroyed).toBe(false);
    const late = open(server);
    late.socket.write(request(4));
    await answerAll(1);
    await late.closed;
    expect(late.bodies()).toEqual(['{"n":4}']);
    await drained;
    await idle.closed;
  });
});

it("a caller who hangs up in a wait or on a stream is gone at once, though it may look like one who reads on", async () => {
  const server = await start();
  for (const request of ["GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", post("/api/v1/session/requests", 1)]) {
    const before = gone;
    const talk = open(server);
    talk.socket.write(request);
    await expect.poll(() => asked.length).toBe(1);
    await sleep(50);
    talk.socket.end();
    await vi.waitFor(() => expect(gone).toBe(before + 1), 1000);
    for (const { done } of asked.splice(0)) done();
  }
});

describe("at the bound of connections", () => {
  const request = post(PATH, 1);

  it("those that have been idle for the longest make room for who comes, and it is said once", async () => {
    const server = await start({ connectionsMax: 16 });
    const talks: Talk[] = [];
    for (let n = 0; n < 16; n++) {
      const talk = open(server);
      talks.push(talk);
      talk.socket.write(request);
      await answerAll(1);
    }
    const [first, second] = talks as [Talk, Talk];
    first.socket.write(request); // so the second is the longest idle
    await answerAll(1);
    const newcomers = [open(server), open(server)];
    for (const talk of newcomers) talk.socket.write(request);
    await answerAll(2);
    await Promise.all([second.closed, talks[2]?.closed]);
    expect(talks.filter(({ socket }) => socket.destroyed)).toHaveLength(2);
    expect(newcomers.map((talk) => talk.bodies())).toEqual([['{"n":1}'], ['{"n":1}']]);
    expect(server.isFull()).toBe(false);
    expect(log).toMatchObject([{ level: 40, connections_max: 16, closed_quiet: 1 }]);
  });

  it("where none is idle who comes is told 503, and comes in when one has gone", async () => {
    const server = await start({ connectionsMax: 16 });
    const busy = Array.from({ length: 16 }, () => open(server));
    for (const talk of busy) talk.socket.write(request);
    await expect.poll(() => asked.length).toBe(16);
    for (let n = 0; n < 40; n++) {
      const late = open(server);
      late.socket.write(request);
      await late.closed;
      expect(late.received()).toMatch(/^HTTP\/1\.1 503 [\s\S]*Retry-After: [123]\r\n[\s\S]*"code":"unavailable"/);
    }
    expect(server.isFull()).toBe(true);
    expect(log).toMatchObject([{ connections_max: 16, refused: 1 }]);
    await answerAll(16);
    const next = open(server);
    next.socket.write(request);
    await answerAll(1);
    await expect.poll(() => next.bodies()).toEqual(['{"n":1}']);
    await vi.waitFor(() => expect(server.isFull()).toBe(false), 3000);
  });

  it("refusals that nobody takes do not pile up", async () => {
    const server = await start({ connectionsMax: 16 });
    for (let n = 0; n < 16; n++) open(server).socket.write(request);
    await expect.poll(() => asked.length).toBe(16);
    const deaf = Array.from({ length: 100 }, () => {
      const { socket } = connectTo(Number(new URL(server.url).port), { allowHalfOpen: true });
      return socket.pause();
    });
    await sleep(1500);
    // What is closed resets the first of these, and the second sees it.
    for (const _ of [1, 2]) {
      for (const socket of deaf) socket.write("are you there?");
      await sleep(100);
    }
    await Promise.all(
      deaf.map((socket) => socket.destroyed || new Promise((resolve) => socket.once("close", resolve))),
    );
  });
});

it("a connection that cannot be accepted ends nothing, and is said once a minute", async () => {
  const server = await start();
  const { port } = new URL(server.url);
  // What libuv tells of, and does not mend by itself, cannot be provoked here.
  const own = (
    process as unknown as { _getActiveHandles(): Array<{ address?(): AddressInfo; emit(...all: unknown[]): void }> }
  )
    ._getActiveHandles()
    .find((handle) => handle.address?.()?.port === Number(port));
  const error = Object.assign(new Error("accept ENOBUFS"), { code: "ENOBUFS" });
  for (let n = 0; n < 3; n++) own?.emit("error", error);
  expect(log).toMatchObject([{ level: 50, err: { code: "ENOBUFS" } }]);
});
