/** What is answered without Node's parser is read as Node's parser reads it, or not at all. */
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readPlainPost } from "../../src/http/plain-post.ts";

const PATH = "/api/session/heartbeat";
const BODY = '{"session_id":"0123456789abcdef"}';
const PLAIN = ["Host: a", "Content-Type: application/json", `Content-Length: ${BODY.length}`];

function bytes(headers: string[], body = BODY, line = `POST ${PATH} HTTP/1.1`): Buffer {
  return Buffer.from(`${line}\r\n${headers.map((header) => `${header}\r\n`).join("")}\r\n${body}`, "latin1");
}

const read = (headers: string[], body?: string, line?: string) => readPlainPost(bytes(headers, body, line), PATH);

describe("is plain:", () => {
  const clients: Record<string, string[]> = {
    "the least": PLAIN,
    "in small letters": PLAIN.map((header) => header.toLowerCase()),
    "without a blank behind the colon": PLAIN.map((header) => header.replace(": ", ":")),
    "with more blanks before the values": PLAIN.map((header) => header.replace(": ", ":   ")),
    "kept alive, as said": [...PLAIN, "Connection: Keep-Alive"],
    "with a charset": ["Host: a", "Content-Type: application/json; charset=utf-8", PLAIN[2] as string],
    "of a Node or Python program": [
      ...PLAIN,
      "User-Agent: x/1.0 (+https://y)",
      "Accept: */*",
      "Accept-Encoding: gzip, deflate",
    ],
    "with an empty header": [...PLAIN, "X-Empty:"],
    "with headers of a proxy": [...PLAIN, "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https", "Via: 1.1 proxy"],
  };
  it.each(Object.keys(clients))("%s", (name) => {
    expect(read(clients[name] as string[])).toEqual({ body: Buffer.from(BODY) });
  });

  it("a body beyond ASCII, counted in bytes", () => {
    const body = '{"note":"Zoë 🚀"}';
    const chunk = Buffer.from(
      `POST ${PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    expect(readPlainPost(chunk, PATH)?.body.toString()).toBe(body);
  });

  it("with a request id, which is passed on", () => {
    expect(read([...PLAIN, "X-Request-Id: caller-7 "])?.requestId).toBe("caller-7");
  });

  it("with a nonce and the keys that it trusts, which are passed on", () => {
    const post = read([...PLAIN, "Keybeat-Nonce: 0123456789abcdef", "keybeat-trusts:a,b "]);
    expect(post).toMatchObject({ nonce: "0123456789abcdef", trusts: "a,b" });
  });
});

describe("is for Node's parser:", () => {
  const requests: Record<string, Buffer> = {
    "another method": bytes(PLAIN, BODY, `PUT ${PATH} HTTP/1.1`),
    "another address": bytes(PLAIN, BODY, "POST /api/session/heartbeats HTTP/1.1"),
    "a query": bytes(PLAIN, BODY, `POST ${PATH}?x=1 HTTP/1.1`),
    "a whole address": bytes(PLAIN, BODY, `POST http://a${PATH} HTTP/1.1`),
    "HTTP/1.0": bytes(PLAIN, BODY, `POST ${PATH} HTTP/1.0`),
    "two blanks in the first line": bytes(PLAIN, BODY, `POST  ${PATH} HTTP/1.1`),
    "an empty line before it": Buffer.concat([Buffer.from("\r\n"), bytes(PLAIN)]),
    "no host": bytes(PLAIN.slice(1)),
    "two hosts": bytes([...PLAIN, "Host: b"]),
    "no length": bytes(PLAIN.slice(0, 2)),
    "two lengths": bytes([...PLAIN, PLAIN[2] as string]),
    "a length with a sign": bytes([...PLAIN.slice(0, 2), `Content-Length: +${BODY.length}`]),
    "a length with a tab behind": bytes([...PLAIN.slice(0, 2), `Content-Length: ${BODY.length}\t`]),
    "a length in hexadecimal": bytes([...PLAIN.slice(0, 2), "Content-Length: 0x21"]),
    "two lengths in one": bytes([...PLAIN.slice(0, 2), `Content-Length: ${BODY.length}, ${BODY.length}`]),
    "a chunked body": bytes([...PLAIN.slice(0, 2), "Transfer-Encoding: chunked"], "0\r\n\r\n"),
    "chunked, and a length": bytes([...PLAIN, "Transfer-Encoding: chunked"]),
    "an encoded body": bytes([...PLAIN, "Content-Encoding: gzip"]),
    "another type": bytes(["Host: a", "Content-Type: text/plain", PLAIN[2] as string]),
    "two types": bytes([...PLAIN, "Content-Type: text/plain"]),
    "no type": bytes([PLAIN[0] as string, PLAIN[2] as string]),
    "a web page's origin": bytes([...PLAIN, "Origin: https://app.example"]),
    "an expectation": bytes([...PLAIN, "Expect: 100-continue"]),
    "an upgrade": bytes([...PLAIN, "Upgrade: websocket", "Connection: Upgrade"]),
    "the wish to close": bytes([...PLAIN, "Connection: close"]),
    "two nonces": bytes([...PLAIN, "Keybeat-Nonce: a", "Keybeat-Nonce: b"]),
    "two lists of trusted keys": bytes([...PLAIN, "Keybeat-Trusts: a", "Keybeat-Trusts: b"]),
    "two request ids": bytes([...PLAIN, "X-Request-Id: a", "X-Request-Id: b"]),
    "a folded header": bytes([...PLAIN, "X-Folded: a\r\n b"]),
    "a blank before the colon": bytes([...PLAIN, "X-Odd : a"]),
    "a header without a name": bytes([...PLAIN, ": a"]),
    "a header without a colon": bytes([...PLAIN, "x"]),
    "a line that ends with LF alone": bytes([...PLAIN, "X-Odd: a\nX-Other: b"]),
    "a CR within a value": bytes([...PLAIN, "X-Odd: a\rb"]),
    "a NUL within a value": bytes([...PLAIN, "X-Odd: a\0b"]),
    "a letter beyond ASCII": bytes([...PLAIN, "X-Name: Zo\xeb"]),
    "half of its head": bytes(PLAIN).subarray(0, 60),
    "all but its last byte": bytes(PLAIN).subarray(0, -1),
    "a byte of the next": bytes(PLAIN, `${BODY}P`),
    "two at once": Buffer.concat([bytes(PLAIN), bytes(PLAIN)]),
    "over 4 KiB": bytes([...PLAIN, `X-Long: ${"x".repeat(4096)}`]),
    nothing: Buffer.alloc(0),
  };
  it.each(Object.keys(requests))("%s", (name) => {
    expect(readPlainPost(requests[name] as Buffer, PATH)).toBeUndefined();
  });
});

describe("whatever is done to a request,", () => {
  const ROUNDS = 30_000;
  /** Bytes that mean something to a parser come often. */
  const BYTES = [..."\r\n\t :,;0123456789aZ\0\x7f\xff+-"].map((letter) => letter.charCodeAt(0));
  const PIECES = [
    ...[
      "\r\n",
      "\r\n\r\n",
      "Host: b\r\n",
      "Content-Length: 5\r\n",
      "Transfer-Encoding: chunked\r\n",
      "X-Request-Id: r-1\r\n",
      "Keybeat-Nonce: 0123456789abcdef\r\n",
    ],
    ...[
      "Connection: keep-alive\r\n",
      "Connection: close\r\n",
      "X-A: b\r\n",
      " ",
      "\t",
      "0",
      BODY,
      `POST ${PATH} HTTP/1.1\r\n`,
    ],
  ];
  let asked: Array<{ request: IncomingMessage; body: string }> = [];
  let broken = 0;
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      asked.push({ request, body });
      response.end("x");
    });
  });
  server.on("clientError", (_error, socket: Socket) => {
    broken++;
    socket.destroy();
  });
  beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  /** The generator of Numerical Recipes: the same story for the same number. */
  function randomOf(seed: number): (below: number) => number {
    let state = seed >>> 0;
    return (below) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
  }

  function mutate(random: (below: number) => number): Buffer {
    let chunk = bytes([...PLAIN, ...(random(2) ? ["X-Request-Id: r-0"] : []), ...(random(2) ? ["Accept: */*"] : [])]);
    for (let left = 1 + random(3); left > 0; left--) {
      const at = random(chunk.length + 1);
      const piece = random(2)
        ? Buffer.from([BYTES[random(BYTES.length)] as number])
        : Buffer.from(PIECES[random(PIECES.length)] as string, "latin1");
      chunk = Buffer.concat([chunk.subarray(0, at), piece, chunk.subarray(at + random(3))]);
    }
    return chunk;
  }

  it("what is taken for plain is one whole request of the same meaning to Node", { timeout: 120_000 }, async () => {
    const seed = Date.now();
    const random = randomOf(seed);
    let plain = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const chunk = mutate(random);
      const post = readPlainPost(chunk, PATH);
      if (post === undefined) continue;
      plain++;
      asked = [];
      await exchange(chunk);
      const story = `seed ${seed}: ${JSON.stringify(chunk.toString("latin1"))}`;
      expect(asked.length, story).toBe(1);
      const [{ request, body }] = asked as [{ request: IncomingMessage; body: string }];
      const { "x-request-id": requestId, "keybeat-nonce": nonce } = request.headers;
      expect([request.method, request.url, body, requestId, nonce], story).toEqual([
        "POST",
        PATH,
        post.body.toString(),
        post.requestId,
        post.nonce,
      ]);
      expect(request.headers["content-type"], story).toMatch(/^application\/json/i);
      expect([request.headers["transfer-encoding"], request.headers.origin, request.headers.upgrade], story).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
    }
    expect(broken).toBe(0);
    expect(plain).toBeGreaterThan(ROUNDS / 100);
    console.log(`${plain} of ${ROUNDS} mutated requests were plain, each read by Node's parser in the same way`);
  });

  /** Sends it and the end of the connection, and waits for whatever comes back. */
  function exchange(chunk: Buffer): Promise<void> {
    return new Promise((resolve) => {
      const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
      socket.once("data", () => socket.destroy());
      socket.once("close", () => resolve());
      socket.once("error", () => {});
      socket.write(chunk);
    });
  }
});
