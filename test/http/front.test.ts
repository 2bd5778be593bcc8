/** The fast path before Node's parser, on a server whose answers the test gives at will. */
import { Agent, createServer, request as httpRequest, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Answer } from "../../src/http/answer.ts";
import { type Connections, createConnections } from "../../src/http/connections.ts";
import type { DirectRoute } from "../../src/http/direct.ts";
import { type Front, placeFront } from "../../src/http/front.ts";
import { createLog } from "../../src/log.ts";
import { stall } from "../support/stall.ts";
import { type Talk, useTalks } from "./support/talks.ts";

const PATH = "/api/session/heartbeat";
const ANSWER = { success: true };

type Send = Parameters<DirectRoute["answer"]>[1];

let server: Server;
let front: Front;
let connections: Connections;
/** The requests before Node's parser that were not answered yet, in their order. */
let asked: Array<{ body: string; send: Send }>;
/** The addresses of those that Node's parser has seen. */
let parsed: string[];
/** The server's side of a connection with a body that it does not read. */
let unread: Socket | undefined;

beforeEach(async () => {
  [asked, parsed] = [[], []];
  server = createServer(
    { headersTimeout: 300, keepAliveTimeout: 2500, connectionsCheckingInterval: 50 },
    (request, response) => {
      parsed.push(request.url as string);
      if (request.url === "/unread") unread = request.socket;
      if (request.url === "/unread") return;
      request.resume().once("end", () => response.end("ordinary"));
    },
  );
  connections = createConnections(1000, createLog("silent"));
  front = placeFront(
    server,
    { path: PATH, answer: ({ body }, send) => asked.push({ body: body.toString(), send }) },
    connections,
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  connections.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
const connectTo = useTalks(); // after that, so that its connections end before the servers do

const port = () => (server.address() as AddressInfo).port;

const open = (options: { allowHalfOpen?: boolean } = {}) => connectTo(port(), options);

const plain = (body: string) =>
  `POST ${PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const GET = "GET /other HTTP/1.1\r\nHost: a\r\n\r\n";

/** Waits for it, and gives the answer to the request that came first. */
async function answer(given: Partial<Answer> = {}): Promise<string> {
  await expect.poll(() => asked.length).toBeGreaterThan(0);
  const [first] = asked.splice(0, 1) as [(typeof asked)[number]];
  first.send({ status: 200, requestId: "r", body: ANSWER, headers: {}, ...given });
  return first.body;
}

const answers = (talk: Talk) => talk.received().match(/HTTP\/1\.1 \d+|ordinary|\{[^{}]*\}/g) ?? [];
const waitForAnswers = (talk: Talk, ...expected: string[]) => expect.poll(() => answers(talk)).toEqual(expected);

describe("a plain request", () => {
  it("is answered in a form that Node's own client reads, again and again on one connection", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    const given = { status: 410, requestId: "req-1", body: { note: "Zoë 🚀" }, headers: { "Retry-After": "2" } };
    for (let n = 0; n < 3; n++) {
      const reply = new Promise((resolve, reject) => {
        const call = httpRequest({
          port: port(),
          path: PATH,
          method: "POST",
          agent,
          headers: { "Content-Type": "application/json" },
        });
        call.once("error", reject).once("response", (response) => {
          ports.add(response.socket.localPort);
          let body = "";
          response.setEncoding("utf8").on("data", (part) => (body += part));
          response.once("end", () =>
            resolve({ status: response.statusCode, message: response.statusMessage, headers: response.headers, body }),
          );
        });
        call.end(`{"n":${n}}`);
      });
      expect(await answer(given)).toBe(`{"n":${n}}`);
      expect(await reply).toEqual({
        status: 410,
        message: "Gone",
        body: '{"note":"Zoë 🚀"}',
        headers: {
          "content-type": "application/json",
          "content-length": "20",
          "x-request-id": "req-1",
          "retry-after": "2",
          connection: "keep-alive",
          "keep-alive": "timeout=2",
          date: expect.stringMatching(/^\w{3}, \d{2} \w{3} \d{4} [\d:]{8} GMT$/),
        },
      });
    }
    agent.destroy();
    expect([ports.size, parsed]).toEqual([1, []]);
  });

  it("is what fetch sends, and with it the client of ours", async () => {
    const replied = fetch(`http://127.0.0.1:${port()}${PATH}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
    });
    await answer();
    expect(await (await replied).json()).toEqual(ANSWER);
    expect(parsed).toEqual([]);
  });
});

describe("a connection", () => {
  it("becomes an ordinary one with the first request of another kind, which loses nothing, and stays one", async () => {
    const talk = open();
    talk.socket.write(plain("{}"));
    await answer();
    await waitForAnswers(talk, "HTTP/1.1 200", '{"success":true}');
    talk.socket.write(GET);
    await waitForAnswers(talk, "HTTP/1.1 200", '{"success":true}', "HTTP/1.1 200", "ordinary");
    talk.socket.write(plain("{}"));
    await expect.poll(() => parsed).toEqual(["/other", PATH]);
  });

  it("may be an ordinary one from the start, whatever its first bytes are and in how many pieces", async () => {
    const talk = open();
    talk.socket.setNoDelay();
    const text = GET + plain("{}");
    // Letter by letter to its end, it would take longer on a slow machine than a request's head may.
    for (const piece of [...text.slice(0, 20), ...(text.slice(20).match(/.{1,8}/gs) ?? [])]) {
      talk.socket.write(piece);
      await sleep(1);
    }
    await expect.poll(() => parsed).toEqual(["/other", PATH]);
  });

  it("on which the next request comes before the answer gets its answers in order", async () => {
    const talk = open();
    talk.socket.write(plain('{"n":1}'));
    await expect.poll(() => asked.length).toBe(1);
    talk.socket.write(GET);
    talk.socket.write(GET);
    await sleep(100);
    expect([talk.received(), parsed]).toEqual(["", []]);
    await answer();
    await waitForAnswers(
      talk,
      "HTTP/1.1 200",
      '{"success":true}',
      "HTTP/1.1 200",
      "ordinary",
      "HTTP/1.1 200",
      "ordinary",
    );
  });

  it("that sends on and on without a look at its answers is stopped, not collected", async () => {
    const talk = open();
    talk.socket.pause();
    const flood = Buffer.from(plain("{}").repeat(500));
    talk.socket.write(plain("{}"));
    await expect.poll(() => asked.length).toBe(1);
    let waiting = false;
    for (let n = 0; n < 400 && !waiting; n++)
      waiting = !talk.socket.write(flood) && talk.socket.writableLength > 8 * 2 ** 20;
    await sleep(200);
    expect(waiting).toBe(true);
    expect([asked.length, connections.underWay(), parsed]).toEqual([1, 1, []]);
  });

  it("whose answers pile up goes to Node, which waits for whom it answers", async () => {
    const talk = open();
    talk.socket.pause();
    // More than the kernel buffers for a reader that does not read.
    const large = { body: { text: "x".repeat(32 * 2 ** 20) } };
    talk.socket.write(plain("{}"));
    await answer(large);
    talk.socket.write(plain("{}"));
    await expect.poll(() => parsed).toEqual([PATH]);
    expect(asked).toEqual([]);
  });

  it("with a body that nobody reads is stopped as any of Node's is, however much came with its head", async () => {
    for (const before of [0, 1000, 60_000, 1_000_000]) {
      unread = undefined;
      const talk = open();
      const head = Buffer.from(`POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: ${2 ** 30}\r\n\r\n`);
      talk.socket.write(Buffer.concat([head, Buffer.alloc(before)]));
      const piece = Buffer.alloc(65_536);
      const pour = () => {
        while (talk.socket.writable && talk.socket.write(piece));
      };
      talk.socket.on("drain", pour);
      pour();
      await expect.poll(() => unread).toBeDefined();
      await sleep(200);
      expect((unread as Socket | undefined)?.bytesRead).toBeLessThan(2 ** 20);
      talk.socket.destroy();
    }
  });

  it("that says it is done with sending gets its answer still", async () => {
    const talk = open({ allowHalfOpen: true });
    talk.socket.end(plain("{}"));
    await sleep(50);
    await answer();
    await talk.closed;
    expect(answers(talk)).toEqual(["HTTP/1.1 200", '{"success":true}']);
    expect(talk.received()).toContain("\r\nConnection: close\r\n");
  });

  it("that breaks while its request is under way leaves nothing behind", async () => {
    const talk = open();
    talk.socket.write(plain("{}"));
    await expect.poll(() => connections.underWay()).toBe(1);
    talk.socket.resetAndDestroy();
    await expect.poll(() => connections.underWay()).toBe(0);
    await answer();
    expect(connections.underWay()).toBe(0);
  });

  it("that brings nothing is answered 408 after the time for headers; one that was used is kept longer, and then cut", async () => {
    const [silent, used] = [open(), open()];
    used.socket.write(plain("{}"));
    await answer();
    await silent.closed;
    expect(silent.received()).toMatch(/^HTTP\/1\.1 408 [\s\S]*"code":"request_timeout"/);
    await sleep(500);
    used.socket.write(plain("{}"));
    await answer();
    await waitForAnswers(used, "HTTP/1.1 200", '{"success":true}', "HTTP/1.1 200", '{"success":true}');
    await used.closed;
    expect(answers(used).length).toBe(4);
  });

  it("that brings its first request in time is answered, though this process comes to read it late", async () => {
    const accepted = new Promise((resolve) => server.once("connection", resolve));
    const talk = open();
    await accepted;
    await sleep(100);
    await stall(500, () => talk.socket.write(plain("{}")));
    await answer();
    await waitForAnswers(talk, "HTTP/1.1 200", '{"success":true}');
  });

  it("that was refused has nothing carried out any more", async () => {
    const talk = open({ allowHalfOpen: true });
    await expect.poll(talk.received).toMatch(/^HTTP\/1\.1 408 /);
    talk.socket.write(plain("{}"));
    talk.socket.end(GET);
    await talk.closed;
    expect([asked, parsed]).toEqual([[], []]);
  });

  it("with half of a request has the time for headers that any has", async () => {
    const talk = open();
    talk.socket.write(plain("{}").slice(0, 30));
    await talk.closed;
    expect(talk.received()).toMatch(/^HTTP\/1\.1 408 /);
  });
});

describe("a drain", () => {
  it("ends each connection with its next answer, which says so, and none before", async () => {
    const [idle, busy] = [open(), open()];
    for (const talk of [idle, busy]) talk.socket.write(plain("{}"));
    await answer();
    await answer();
    busy.socket.write(plain("{}"));
    await expect.poll(() => connections.underWay()).toBe(1);
    front.drain();
    await answer();
    await busy.closed;
    expect(answers(busy).length).toBe(4);
    expect(busy.received().match(/Connection: [\w-]+/g)).toEqual(["Connection: keep-alive", "Connection: close"]);
    expect(connections.underWay()).toBe(0);
    await sleep(50);
    expect(idle.socket.destroyed).toBe(false);
  });

  it("answers what came before an answer could say that it is the last", async () => {
    const talk = open();
    talk.socket.write(plain('{"n":1}'));
    await expect.poll(() => asked.length).toBe(1);
    front.drain();
    talk.socket.write(plain('{"n":2}'));
    await sleep(100);
    await answer();
    await waitForAnswers(talk, "HTTP/1.1 200", '{"success":true}', "HTTP/1.1 200", "ordinary");
  });

  it("leaves what still comes in to the server", async () => {
    front.drain();
    const talk = open();
    talk.socket.write(plain("{}"));
    await waitForAnswers(talk, "HTTP/1.1 200", "ordinary");
  });
});
