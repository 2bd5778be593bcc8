/**
 * What strangers, devices, servers and operators send takes time as it is long, not as the square of that: the process
 * that reads it answers everybody else as well. Each reader is given runs of each character that means something to one.
 */
import { execFileSync } from "node:child_process";
import { Hono } from "hono";
import { describe, it } from "vitest";
import { openServer } from "../src/cli/check/server.ts";
import { clean, formatTable, shorten } from "../src/cli/output.ts";
import { readEvents } from "../src/client/body.ts";
import { createAddressReader, type TrustProxy } from "../src/http/client-address.ts";
import { parseJson } from "../src/http/json-body.ts";
import { readPlainPost } from "../src/http/plain-post.ts";
import { createLog } from "../src/log.ts";
import { createTracing } from "../src/tracing/open-telemetry.ts";
import { ROUTES } from "./faults/hostile/routes.ts";
import { ADMIN_TOKEN, useApp } from "./support/app.ts";
import { useDatabase } from "./support/database.ts";
import { expectLinear } from "./support/growth.ts";

const db = useDatabase();
const app = useApp(db);

/** Twice as much is what a head may have. */
const SIZE = 7_500;
const TIMEOUT = { timeout: 300_000 };

const RUNS = [
  ...[" ", "\t", "\xa0", ",", ";", "; q=", "=", "a,", "a=;", "[", "]", ":", "1."],
  ...["%", "&a", "/", '"', "W/", "\\", "a"],
];
const runs = (of: string, size: number) => `x${of.repeat(Math.floor(size / of.length))}y`;

async function expectEach(of: readonly string[], size: number, run: (text: string) => unknown): Promise<void> {
  for (const piece of of) {
    const texts = new Map([size / 2, size * 2].map((n) => [n, runs(piece, n)]));
    await expectLinear(`many of ${JSON.stringify(piece)}`, size, (n) => run(texts.get(n) as string));
  }
}

const ask = async (path: string, init: RequestInit) => {
  const response = await app.fetch(new Request(`http://localhost${path}`, init));
  await response.arrayBuffer();
};

describe("takes time as it is long:", () => {
  const HEADERS: Array<[header: string, method: string, path: string]> = [
    ["Accept-Encoding", "GET", "/docs"],
    ["If-None-Match", "GET", "/docs"],
    ["Authorization", "GET", "/api/session/watch"],
    ["Authorization", "GET", "/api/admin/me"],
    ["Cookie", "GET", "/api/admin/me"],
    ["Host", "GET", "/health/live"],
    ["X-Request-Id", "GET", "/health/live"],
    ["Content-Type", "POST", "/api/session/start"],
    ["Origin", "POST", "/api/admin/sign-in"],
  ];
  it.each(HEADERS)("the header %s (%s %s)", TIMEOUT, async (header, method, path) => {
    const before = header === "Authorization" ? "Bearer " : header === "Cookie" ? "keybeat_admin=" : "";
    await expectEach(RUNS, SIZE, (text) => ask(path, { method, headers: { [header]: before + text } }));
  });

  it.each<[TrustProxy]>([[2], [["10.0.0.0/8", "::1"]]])(
    "X-Forwarded-For, with TRUST_PROXY %s",
    TIMEOUT,
    async (trust) => {
      const read = createAddressReader(trust);
      const proxied = new Hono().get("/", (c) => c.text(String(read(c))));
      const env = { incoming: { socket: { remoteAddress: "10.0.0.1" } } };
      await expectEach([...RUNS, "10.0.0.1,", "::ffff:"], SIZE, (text) =>
        proxied.fetch(new Request("http://a/", { headers: { "X-Forwarded-For": text } }), env),
      );
    },
  );

  it.each(["traceparent", "tracestate", "baggage"])("the header %s of a trace", TIMEOUT, async (name) => {
    process.env.OTEL_TRACES_SAMPLER = "always_off";
    const tracing = createTracing("otlp", "test", createLog("silent"));
    const parent = name === "traceparent" ? {} : { traceparent: `00-${"1".repeat(32)}-${"1".repeat(16)}-00` };
    await expectEach(RUNS, SIZE, (text) => tracing.request({ ...parent, [name]: text }, async () => {}));
    await tracing.close();
  });

  it("an address", TIMEOUT, async () => {
    for (const before of ["/", "/api/session/", "/api/v1/session/position/"]) {
      await expectEach(["/", "a/", "%41", "%", "%ff", "a", ".", "*", ":"], SIZE, (text) => ask(before + text, {}));
    }
  });

  it("a query", TIMEOUT, async () => {
    const admin = { headers: { Authorization: `Bearer ${ADMIN_TOKEN}` } };
    await expectEach(["&", "&a", "&a=", "=", "%", "%41", "+", "&hours=x", "&%"], SIZE, async (text) => {
      await ask(`/api/admin/numbers?hours=0&${text}`, admin);
      await ask(`/api/v1/session/close/u?%&grace_seconds=x&${text}`, { method: "POST" });
    });
  });

  it("a request before Node has parsed it", TIMEOUT, async () => {
    const path = "/api/session/heartbeat";
    for (const last of ["\x80", "\r\n\r\n", "\n", ""]) {
      await expectEach(RUNS, 1_900, (text) => {
        readPlainPost(Buffer.from(`POST ${path} HTTP/1.1\r\nHost: a\r\nX:${text.slice(1, -1)}${last}`, "latin1"), path);
      });
    }
  });

  const BODIES = ROUTES.filter((route) => route.request).map(
    ({ method, path, request }) => [`${method} ${path}`, request] as const,
  );
  const TEXTS = ["a", " ", "1", "-", "🚀", "\u200b"];
  it.each(BODIES)("each field of the body of %s", TIMEOUT, async (_, schema) => {
    const { shape } = schema as unknown as { shape: Record<string, unknown> };
    await expectEach(TEXTS, SIZE, (text) => {
      for (const name of Object.keys(shape)) {
        for (const value of [text, `2026-01-01T00:00:00.${text.slice(1)}`, { name: text }]) {
          try {
            parseJson(JSON.stringify({ [name]: value }), schema as never);
          } catch {}
        }
      }
    });
  });

  it("an event stream that a client reads byte by byte", TIMEOUT, async () => {
    await expectEach(["a", "\r", "\n", "a\n", ":\n\n", "event: x\ndata: 1\r\n\r\n"], 15_000, async (text) => {
      const bytes = new TextEncoder().encode(text);
      let at = 0;
      const pull = (controller: ReadableStreamDefaultController) =>
        at < bytes.length ? controller.enqueue(bytes.subarray(at, ++at)) : controller.close();
      for await (const _ of readEvents(new Response(new ReadableStream({ pull }))));
    });
  });

  it("the same in Python", TIMEOUT, async () => {
    const said = execFileSync("python3", ["-c", PYTHON], { cwd: "src/client/python", encoding: "utf8" });
    const growths = JSON.parse(said) as Record<string, number>;
    for (const [piece, growth] of Object.entries(growths)) {
      if (growth >= 3)
        throw new Error(`many of ${JSON.stringify(piece)}: twice the input took ${growth} times the CPU`);
    }
  });

  it("what a command prints", TIMEOUT, async () => {
    const { printable } = openServer("http://localhost", "an-access-key", AbortSignal.abort());
    await expectEach([...TEXTS, "an-access-key", "0a", "\x07", "\n"], SIZE, (text) => {
      printable(text);
      clean(text);
      shorten(text, text.length / 2);
    });
    await expectLinear("rows", 100_000, (rows) => formatTable(["A", "B"], new Array(rows).fill(["a", 1]), 80));
  });
});

const PYTHON = `
import json, time
import keybeat

def spend(piece, size):
    blocks, body = keybeat._Blocks(), bytearray()
    began = time.process_time()
    for byte in piece * (size // len(piece)):
        body.append(byte)
        blocks.take(body)
    return time.process_time() - began

def growth(piece):
    times = sorted(spend(piece, 60000) / spend(piece, 30000) for _ in range(9))
    return times[0] if times[4] >= 3 else times[4]

print(json.dumps({piece.decode(): growth(piece) for piece in [b"a", b"\\r", b"\\n", b"a\\n", b":\\n\\n", b"data: 1\\r\\n\\r\\n"]}))
`;
