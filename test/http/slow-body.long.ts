/** A head has five seconds to come, a body ten to come; only the operator's import, once the token was read, has as long as it comes on. */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { ADMIN_TOKEN, useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { stall } from "../support/stall.ts";
import { useTalks } from "./support/talks.ts";

const db = useDatabase();
const app = useApp(db);

const KEYS = Array.from({ length: 240 }, (_, n) => `slow-key-${n}-${"x".repeat(240)}\n`);
const IMPORT = "/api/admin/keys/import";

interface Slow {
  path?: string;
  token?: string;
  type?: string;
  /** Sent one after another, a quarter of a second apart. */
  pieces: string[];
  chunked?: boolean;
  /** The connection is kept after an answer. */
  kept?: boolean;
}

/** What came back until the connection was closed, and after how long. */
async function send({ path = IMPORT, token = ADMIN_TOKEN, type = "text/csv", pieces, chunked, kept }: Slow) {
  const { hostname, port } = new URL(app.url);
  const socket = connect(Number(port), hostname);
  const began = performance.now();
  let text = "";
  socket.on("data", (part) => (text += part));
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const length = chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${Buffer.byteLength(pieces.join(""))}`;
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Type: ${type}\r\n${kept ? "" : "Connection: close\r\n"}${length}\r\n\r\n`,
  );
  for (const piece of pieces) {
    if (socket.destroyed) break;
    socket.write(chunked ? `${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n` : piece);
    await sleep(250);
  }
  if (chunked && !socket.destroyed) socket.write("0\r\n\r\n");
  await closed;
  const statuses = text.match(/HTTP\/1\.1 \d+/g) ?? [];
  return { statuses, text, seconds: (performance.now() - began) / 1000 };
}

/** 60 pieces take 15 s. */
const inPieces = (text: string) =>
  Array.from({ length: 60 }, (_, n) => text.slice((n * text.length) / 60, ((n + 1) * text.length) / 60));
/** A byte each quarter of a second. */
const DROPS = "x".repeat(60).split("");
const PADDED = ["x".repeat(5_000), ...DROPS];

describe("a body that comes slowly", { timeout: 60_000, concurrent: true }, () => {
  it("is taken to its end where it is the operator's import, and comes on", async () => {
    const { statuses, text, seconds } = await send({ pieces: inPieces(KEYS.join("")) });
    expect(statuses).toEqual(["HTTP/1.1 200"]);
    expect(text).toContain('"imported":240');
    expect(seconds).toBeGreaterThan(11);
  });

  const CUT: Record<string, Slow> = {
    "an import without the token, which has had its 401": { pieces: inPieces(KEYS.join("")), token: "wrong" },
    "a small one without the token": { pieces: DROPS, token: "wrong" },
    "a start": { pieces: PADDED, path: "/api/session/start", type: "application/json" },
    "an operator's other request": { pieces: PADDED, path: "/api/admin/keys", type: "application/json" },
    "what is not found": { pieces: PADDED, path: "/nowhere" },
    "what is not found, on a connection that is kept": { pieces: PADDED, path: "/nowhere", kept: true },
  };
  it.each(Object.keys(CUT))("is cut: %s", async (name) => {
    const { statuses, seconds } = await send(CUT[name] as Slow);
    expect(statuses).not.toContain("HTTP/1.1 200");
    expect(["HTTP/1.1 408", "HTTP/1.1 401", "HTTP/1.1 404"]).toContain(statuses[0]);
    expect(seconds).toBeLessThan(15);
  });
});

/** One import at a time. */
describe("an import that comes by drops is cut", { timeout: 60_000 }, () => {
  it.each([false, true])("chunked: %s", async (chunked) => {
    const { statuses, seconds } = await send({ pieces: DROPS, chunked });
    expect(statuses[0]).toBe("HTTP/1.1 408");
    expect(seconds).toBeLessThan(15);
  });
});

/** The limits are looked at once a second. */
describe("what came in time is answered, though this process comes to read it late", { timeout: 60_000 }, () => {
  const connectTo = useTalks();
  const HEAD = "POST /api/session/end HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";

  it.each([
    ["the end of a head", 4_500, [HEAD, "Content-Length: 2\r\n\r\n{}"]],
    ["the end of a body", 9_500, [`${HEAD}Content-Length: 2\r\n\r\n{`, "}"]],
  ])("%s", async (_what, afterMs, [begin = "", end = ""]) => {
    const { socket, received } = connectTo(Number(new URL(app.url).port));
    socket.write(begin);
    await sleep(afterMs);
    expect(received()).toBe("");
    await stall(2_500, () => socket.write(end));
    await expect.poll(received).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"invalid_request"/);
  });
});
