/** What holds every answer of the suite against the document: it finds each kind of fault, planted here one by one. */
import { describe, expect, it } from "vitest";
import { seenAnswers } from "../../support/answers.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { checkAnswer } from "../../support/document-check.ts";
import { startServer } from "../../support/process.ts";
import type { Answer } from "../../support/recorder.ts";
import { newSessionId } from "../../support/secrets.ts";
import { watch } from "../../support/watch.ts";

const db = useDatabase();
const app = useApp(db);

const json = { "content-type": "application/json", "x-request-id": "r" };
const error = (code: string, more: object = {}) =>
  JSON.stringify({ error: "A sentence", code, request_id: "r", ...more });
const beat = { success: true, generation: 7, expires_in: 60, heartbeat_in: 26.1, ...times() };

function times() {
  return { expires_at: "2026-03-02T09:16:58.350Z", server_time: "2026-03-02T09:15:58.350Z" };
}

const heartbeat = (status: number, body: string | object, headers: Record<string, string> = json): Answer => ({
  method: "POST",
  url: "/api/session/heartbeat",
  status,
  headers,
  body: typeof body === "string" ? body : JSON.stringify(body),
});
const watched = (body: string): Answer => ({
  method: "GET",
  url: "/api/session/watch",
  status: 200,
  body,
  headers: { "content-type": "text/event-stream; charset=utf-8", "x-request-id": "r", "cache-control": "no-store" },
});
const ended = { ended_at: "2026-03-02T09:15:31.007Z" };

describe("an answer that is described passes", () => {
  it.each<[string, Answer]>([
    ["a 200", heartbeat(200, beat)],
    ["an error with its data", heartbeat(410, error("session_expired", ended))],
    ["a 503 that says when", heartbeat(503, error("unavailable"), { ...json, "retry-after": "2" })],
    ["another method", { ...heartbeat(405, error("method_not_allowed"), { ...json, allow: "POST" }), method: "PUT" }],
    ["an unknown address", { ...heartbeat(404, error("not_found")), url: "/nowhere" }],
    ["a stream that was left in the middle", watched(`event: live\ndata: ${JSON.stringify(beat)}\n\n:\n\nevent: rep`)],
    ["a HEAD", { ...heartbeat(200, "", { ...json, "cache-control": "no-store" }), method: "HEAD", url: "/health" }],
  ])("%s", (_name, answer) => {
    expect(checkAnswer(answer)).toEqual([]);
  });
});

describe("an answer that is not described is found:", () => {
  const { server_time: _left, ...withoutTime } = beat;
  it.each<[string, Answer, RegExp]>([
    ["a status", heartbeat(418, error("teapot")), /status is not described/],
    ["a code", heartbeat(410, error("session_gone")), /code|must match/],
    ["a code under another status", heartbeat(404, error("session_expired", ended)), /must be equal|ended_at/],
    ["a property too many", heartbeat(200, { ...beat, secret: "x" }), /additional properties: secret/],
    [
      "one too many in an error",
      heartbeat(404, error("session_not_found", { key: "x" })),
      /additional properties: key/,
    ],
    [
      "one too many deep inside",
      heartbeat(410, replacedBy({ name: "PC", serial: "x" })),
      /additional properties: serial/,
    ],
    ["a property missing", heartbeat(200, withoutTime), /required property 'server_time'/],
    ["a time without milliseconds", heartbeat(200, { ...beat, server_time: "2026-03-02T09:15:58Z" }), /server_time/],
    ["a 503 without Retry-After", heartbeat(503, error("unavailable")), /Retry-After is missing/],
    ["a Retry-After of 0", heartbeat(503, error("unavailable"), { ...json, "retry-after": "0" }), /Retry-After: 0/],
    ["no request id", heartbeat(200, beat, { "content-type": "application/json" }), /X-Request-Id is missing/],
    ["another content type", heartbeat(200, beat, { ...json, "content-type": "text/html" }), /content type text\/html/],
    ["no JSON", heartbeat(200, "<html>"), /no JSON/],
    ["a 405 that allows too much", put({ ...json, allow: "POST, PUT" }), /Allow says/],
    ["a 405 without Allow", put(json), /Allow is missing/],
    ["a 200 at an unknown address", { ...heartbeat(200, beat), url: "/nowhere" }, /not described/],
    ["an event", watched("event: news\ndata: {}\n\n"), /event news is not described/],
    [
      "an event's data",
      watched(`event: live\ndata: ${JSON.stringify({ ...beat, more: 1 })}\n\n`),
      /event live: .*more/,
    ],
    ["an event under another's name", watched(`event: ended\ndata: ${error("session_expired", ended)}\n\n`), /code/],
    [
      "a body to a HEAD",
      { ...heartbeat(200, beat, { ...json, "cache-control": "x" }), method: "HEAD", url: "/health" },
      /a body/,
    ],
  ])("%s", (_name, answer, fault) => {
    expect(checkAnswer(answer).join("\n")).toMatch(fault);
  });

  function replacedBy(device: object): string {
    const by = { started_at: ended.ended_at, device };
    return error("session_replaced", { ...ended, replaced_by: by });
  }

  function put(headers: Record<string, string>): Answer {
    return { ...heartbeat(405, error("method_not_allowed"), headers), method: "PUT" };
  }
});

describe("the answers of a test are all seen:", () => {
  const seen = async () =>
    (await seenAnswers()).map(
      ({ method, url, status }) => `${method} ${new URL(url, "http://test").pathname} ${status}`,
    );

  it("of the application, called and served, on each of its ways", async () => {
    await app.get("/health/live");
    expect(await seen()).toEqual(["GET /health/live 200"]);
    const { key } = await db.makeKey();
    const session_id = newSessionId();
    await app.post("/api/session/start", { access_key: key, session_id });
    const body = JSON.stringify({ session_id });
    const direct = { "Content-Type": "application/json" };
    for (const headers of [direct, { ...direct, "X-Name": "Zoë" }, { ...direct, Origin: "https://app.example" }]) {
      await fetch(`${app.url}/api/session/heartbeat`, { method: "POST", body, headers });
    }
    expect((await seen()).slice(2)).toEqual(Array(3).fill("POST /api/session/heartbeat 200"));
  });

  it("of servers of their own, their workers and streams, as soon as they have been sent", async () => {
    const server = await startServer({ DATABASE_URL: db.url, CLEANUP_CRON: "", WORKERS: "2" });
    const { key } = await db.makeKey();
    const session_id = newSessionId();
    await server.post("/api/session/start", { access_key: key, session_id });
    const stream = await watch(server.url, session_id);
    await server.post("/api/session/end", { session_id });
    await stream.done;
    await server.get("/nowhere");
    await server.stop();
    expect((await seen()).sort()).toEqual([
      "GET /api/session/watch 200",
      "GET /nowhere 404",
      "POST /api/session/end 200",
      "POST /api/session/start 200",
    ]);
    const [watched] = (await seenAnswers()).filter(({ url }) => url.endsWith("/watch"));
    expect(watched?.body).toMatch(/^event: live\n.*event: ended\n/s);
  });
});
