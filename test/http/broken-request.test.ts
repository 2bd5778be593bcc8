/** What is no request gets an answer all the same, in the shape that the document gives for its status. */
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { checkAnswer } from "../support/document-check.ts";

const db = useDatabase();
const app = useApp(db);

/** Writes to a connection and gives what came back until the server closed it. */
async function talk(text: string) {
  const socket = connect(Number(new URL(app.url).port), "127.0.0.1");
  socket.write(text);
  let output = "";
  for await (const part of socket) output += part;
  const [head = "", body = ""] = output.split("\r\n\r\n");
  const [first = "", ...lines] = head.split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => [line.split(": ")[0]?.toLowerCase(), line.split(": ").slice(1).join(": ")]),
  );
  return { status: Number(first.split(" ")[1]), headers, body };
}

const POST = "POST /api/session/heartbeat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

describe("a request that is none", () => {
  it.each([
    ["no HTTP at all", "HELLO\r\n\r\n", 400, "invalid_request"],
    [
      "two lengths",
      "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      400,
      "invalid_request",
    ],
    [
      "headers over the limit",
      `GET /health HTTP/1.1\r\nHost: x\r\nX-Big: ${"x".repeat(20_000)}\r\n\r\n`,
      431,
      "headers_too_large",
    ],
    [
      "a body in an encoding that nobody knows",
      `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
      400,
      "invalid_request",
    ],
    ["a chunk whose size is no number", `${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n{\r\n`, 400, "invalid_request"],
    [
      "a chunk with an extension of 1 MiB",
      `${POST}Transfer-Encoding: chunked\r\n\r\n1;${"x".repeat(2 ** 20)}\r\n{\r\n`,
      400,
      "invalid_request",
    ],
    ["headers that never end", "GET /health HTTP/1.1\r\nHost: x\r\n", 408, "request_timeout"],
  ])("%s", async (_name, text, status, code) => {
    const answer = await talk(text);
    expect([answer.status, JSON.parse(answer.body).code, answer.headers.connection]).toEqual([status, code, "close"]);
    expect(checkAnswer({ method: "GET", url: "/health", ...answer })).toEqual([]);
  });

  it("is answered after those that came before it on the connection", async () => {
    const socket = connect(Number(new URL(app.url).port), "127.0.0.1");
    const asked = `GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n`;
    socket.write(`${asked}${asked}${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n`);
    let output = "";
    for await (const part of socket) output += part;
    expect(output.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 400"]);
  });

  it("is answered where its sender goes on to send, and reads only then", async () => {
    const socket = connect(Number(new URL(app.url).port), "127.0.0.1").pause();
    socket.write(`GET /health HTTP/1.1\r\nHost: x\r\nX-Big: ${"x".repeat(20_000)}`);
    for (let piece = 0; piece < 3; piece++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      socket.write("x".repeat(100_000));
    }
    let output = "";
    for await (const part of socket) output += part;
    expect(output).toMatch(/^HTTP\/1\.1 431 /);
  });
});
