/** The heartbeat has three ways through the program: before node:http, straight from it, and by Hono. They must be one to a client. */
import { Agent, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type Reply, useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { newProofWord, newSessionId } from "../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);
const PATH = "/api/session/heartbeat";

/** Changes nothing but the way: a header beyond ASCII is for Node's parser. */
const NOT_PLAIN = { "X-Name": "Zoë" };

interface Sent {
  body: string | Buffer;
  headers?: Record<string, string>;
  path?: string;
  method?: string;
}

/** What a client sees, less what differs from one call to the next. */
async function everyWay(sent: Sent) {
  const { body, headers = { "Content-Type": "application/json" }, path = PATH, method = "POST" } = sent;
  const ordinary = await app.fetch(
    new Request(`http://test${path}`, {
      method,
      headers: { "Content-Length": String(Buffer.byteLength(body)), ...headers },
      ...(method === "POST" && { body: new Uint8Array(Buffer.from(body)) }),
    }),
  );
  const text = await ordinary.text();
  return {
    ordinary: seen({ status: ordinary.status, headers: ordinary.headers, body: text === "" ? "" : JSON.parse(text) }),
    direct: seen(await send({ body, headers: { ...headers, ...NOT_PLAIN }, path, method })),
    front: seen(await send({ body, headers, path, method })),
  };
}

function seen({ status, headers, body }: Reply) {
  const { request_id, server_time, expires_at, heartbeat_in, ...rest } = body;
  return {
    status,
    body: rest,
    kinds: [request_id, server_time, expires_at, heartbeat_in].map((value) => typeof value),
    type: headers.get("content-type"),
    cached: headers.get("cache-control"),
    retry: headers.get("retry-after") !== null,
    id: request_id === undefined || request_id === headers.get("x-request-id"),
    named: headers.get("x-request-id") !== null,
  };
}

function send({ body, headers = {}, path = PATH, method = "POST" }: Sent): Promise<Reply> {
  return new Promise((resolve, reject) => {
    // A connection each, because each keeps to its way; and one that is kept, because `Connection: close` is not plain.
    const agent = new Agent({ keepAlive: true });
    const call = httpRequest(`${app.url}${path}`, { method, headers, agent }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => {
        agent.destroy();
        const text = Buffer.concat(parts).toString();
        resolve({
          status: response.statusCode as number,
          headers: new Headers(response.headers as Record<string, string>),
          body: text === "" ? "" : JSON.parse(text),
        });
      });
    });
    call.on("error", reject);
    call.end(body);
  });
}

const start = async (key: string) => {
  const id = newSessionId();
  expect((await app.post("/api/session/start", { access_key: key, session_id: id })).status).toBe(200);
  return id;
};

describe("every way gives the same answer", () => {
  it("to a beat with proof: followed, sent again, missing, challenged", async () => {
    const { key } = await db.makeKey();
    const session_id = newSessionId();
    const proof = { instance: newProofWord(), number: 0, beat_id: newProofWord() };
    await app.post("/api/session/start", { access_key: key, session_id, proof });
    const codes: unknown[] = [];
    for (const sent of [
      { ...proof, number: 3, beat_id: newProofWord() },
      null,
      { ...proof, instance: newProofWord() },
    ]) {
      const seen = await everyWay({ body: JSON.stringify({ session_id, proof: sent }) });
      for (const way of Object.values(seen)) {
        if (way.body.challenge) way.body.challenge = typeof way.body.challenge;
        if (way.body.expires_in) way.body.expires_in = way.body.expires_in <= 60; // the same beat, a little later
      }
      expect(seen.direct).toEqual(seen.ordinary);
      expect(seen.front).toEqual(seen.ordinary);
      codes.push(seen.ordinary.body.code ?? seen.ordinary.status);
    }
    expect(codes).toEqual([200, "proof_required", "proof_challenge"]);
  });

  it("to a live session, one that was never seen, and one of each ending", async () => {
    const live = await start((await db.makeKey()).key);
    const { key } = await db.makeKey();
    const replaced = await start(key);
    const ended = await start(key);
    await app.post("/api/session/end", { session_id: ended });
    const silent = await db.makeKey();
    const expired = await start(silent.key);
    await db.age(silent.id, 61);
    const statuses: number[] = [];
    for (const session_id of [live, newSessionId(), replaced, ended, expired]) {
      const { front, direct, ordinary } = await everyWay({ body: JSON.stringify({ session_id }) });
      expect(direct).toEqual(ordinary);
      expect(front).toEqual(ordinary);
      expect(direct).toMatchObject({ id: true, named: true });
      statuses.push(direct.status);
    }
    expect(statuses).toEqual([200, 404, 410, 410, 410]);
  });

  const bodies: Record<string, Sent> = {
    "no JSON": { body: "{" },
    "an empty body": { body: "" },
    "a field missing": { body: "{}" },
    "a wrong type": { body: '{"session_id": 7}' },
    "not an object": { body: "[]" },
    null: { body: "null" },
    "an id of a wrong shape": { body: '{"session_id": "short"}' },
    "bytes that are no UTF-8": { body: Buffer.from([0x22, 0xff, 0xfe, 0x22]) },
    "a byte order mark": { body: "\ufeff{}" },
    "a byte order mark and no more": { body: "\ufeff" },
    "16 KiB": { body: `{"session_id": "${"x".repeat(16_384 - 18)}"}` },
    "a byte over 16 KiB": { body: `{"session_id": "${"x".repeat(16_384 - 17)}"}` },
    "another content type": { body: "{}", headers: { "Content-Type": "text/plain" } },
    "no content type": { body: "{}", headers: {} },
    "a content type with a charset": { body: "{}", headers: { "Content-Type": "Application/JSON; charset=utf-8" } },
    "a query": { body: "{}", path: `${PATH}?x=1` },
    "a slash behind": { body: "{}", path: `${PATH}/` },
    "another method": { body: "", method: "DELETE" },
    "a web page's origin": {
      body: "{}",
      headers: { "Content-Type": "application/json", Origin: "https://app.example" },
    },
    "a sane request id": { body: "{}", headers: { "Content-Type": "application/json", "X-Request-Id": "caller-7" } },
    "a request id that is not": {
      body: "{}",
      headers: { "Content-Type": "application/json", "X-Request-Id": "a b<c>" },
    },
  };
  it.each(Object.keys(bodies))("to %s", async (name) => {
    const { front, direct, ordinary } = await everyWay(bodies[name] as Sent);
    expect(direct).toEqual(ordinary);
    expect(front).toEqual(ordinary);
    expect(direct.status).toBeGreaterThanOrEqual(400);
    expect(direct.status).toBeLessThan(500);
  });
});

describe("straight from node:http", () => {
  let close = () => {};
  afterEach(() => close());

  /** Writes to a connection and gives what came back until `count` answers are there. */
  async function talk(parts: Array<string | Buffer>, count: number): Promise<string> {
    const socket = connect(Number(new URL(app.url).port), "127.0.0.1");
    close = () => socket.destroy();
    let output = "";
    const answered = new Promise<void>((resolve, reject) => {
      socket.on("data", (part) => {
        output += part;
        if (output.split("HTTP/1.1 ").length - 1 >= count && output.endsWith("}")) resolve();
      });
      socket.on("error", reject);
      socket.on("close", () => resolve());
    });
    for (const part of parts) {
      socket.write(part);
      await new Promise((done) => setTimeout(done, 20));
    }
    await answered;
    return output;
  }

  const head = (body: string) =>
    `POST ${PATH} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;

  it("a body that comes in pieces is put together", async () => {
    const session_id = await start((await db.makeKey()).key);
    const body = JSON.stringify({ session_id });
    const output = await talk([head(body), body.slice(0, 5), body.slice(5, 20), body.slice(20)], 1);
    expect(output).toMatch(/^HTTP\/1\.1 200 /);
    expect(output).toContain('"success":true');
  });

  it("two requests behind one another on one connection are answered in their order", async () => {
    const session_id = await start((await db.makeKey()).key);
    const live = JSON.stringify({ session_id });
    const output = await talk([head(live) + live + head("{}") + "{}"], 2);
    expect(output.match(/HTTP\/1\.1 (\d+)/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 400"]);
  });

  it("who hangs up in the middle of a body harms nobody, and nothing has happened", async () => {
    const { key, id } = await db.makeKey();
    const session_id = await start(key);
    await db.age(id, 30);
    const body = JSON.stringify({ session_id });
    const socket = connect(Number(new URL(app.url).port), "127.0.0.1");
    socket.write(head(body) + body.slice(0, -1));
    await new Promise((done) => setTimeout(done, 50));
    socket.destroy();
    await new Promise((done) => setTimeout(done, 50));
    const [row] = await db.sql`SELECT extract(epoch FROM clock_timestamp() - last_heartbeat)::float AS silent
      FROM active_sessions WHERE key_id = ${id}`;
    expect(row?.silent).toBeGreaterThan(29);
    expect((await send({ body, headers: { "Content-Type": "application/json" } })).status).toBe(200);
  });

  it("an error of ours says nothing of the inside", async () => {
    const session_id = await start((await db.makeKey()).key);
    const body = JSON.stringify({ session_id });
    await db.sql.unsafe(`ALTER FUNCTION beat_sessions(text) RENAME TO beat_sessions_away`);
    const broken = await everyWay({ body });
    await db.sql.unsafe(`ALTER FUNCTION beat_sessions_away(text) RENAME TO beat_sessions`);
    expect(broken.direct).toEqual(broken.ordinary);
    expect(broken.front).toEqual(broken.ordinary);
    expect(broken.direct).toMatchObject({ status: 500, body: { code: "internal_error" }, id: true });
  });
});
