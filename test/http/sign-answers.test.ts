/** Signatures over the wire: whatever is answered under /api/session, on each of the three ways of a heartbeat. */
import { Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { describe, expect, it } from "vitest";
import { createSeed, readSigningKeys, type SigningKey } from "../../src/trust/signing-keys.ts";
import { ADMIN_TOKEN, useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { readValue, scrape } from "../support/metrics.ts";
import { newAccessKey, newSessionId } from "../support/secrets.ts";
import { createEventCheck, isGenuine, readEvents } from "../support/verify-answer.ts";

const [newer, older] = [createSeed(), createSeed()];
const [key, retired] = readSigningKeys(`${newer} ${older}`) as [SigningKey, SigningKey];
const TRUSTED = [key.publicKey];
const PAGE = "https://app.example";

const db = useDatabase();
const app = useApp(db, {
  adminToken: ADMIN_TOKEN,
  corsOrigins: [PAGE],
  allowedHosts: [],
  env: { SIGNING_KEY: `${newer},${older}`, LIMIT_UNKNOWN_KEYS: "1" },
});
const unsigned = useApp(db);

interface Sent {
  method?: string;
  route: string;
  body?: string | Buffer;
  headers?: Record<string, string | string[]>;
  /** Whether its length is not said beforehand. */
  chunked?: boolean;
}

interface Got {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

const JSON_TYPE = { "Content-Type": "application/json" };
const newNonce = () => newSessionId();

/** Byte for byte, on a connection of its own. */
function send({ method = "POST", route, body = "", headers = JSON_TYPE, chunked }: Sent, url = app.url): Promise<Got> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ keepAlive: true });
    const { hostname, port } = new URL(url);
    const length = chunked || Buffer.byteLength(body) === 0 ? {} : { "Content-Length": Buffer.byteLength(body) };
    const call = httpRequest({ hostname, port, path: route, method, agent, headers: { ...length, ...headers } });
    call.on("error", reject).on("response", (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => {
        agent.destroy();
        resolve({ status: response.statusCode as number, headers: response.headers, body: Buffer.concat(parts) });
      });
    });
    call.end(body);
  });
}

const signatureOf = ({ headers }: Got) => headers["keybeat-signature"] as string | undefined;

/** Sends it with a nonce, and says how it was answered and whether that is genuine. */
async function ask(sent: Sent, given: { nonce?: string; unread?: boolean } = {}) {
  const { method = "POST", route, body = "", headers = JSON_TYPE } = sent;
  const { nonce = newNonce(), unread = false } = given;
  const got = await send({ ...sent, headers: { ...headers, "Keybeat-Nonce": nonce, "Keybeat-Trusts": key.id } });
  const request = !/^(GET|HEAD)$/.test(method) ? body : String((headers as Record<string, string>).Authorization ?? "");
  const signature = signatureOf(got);
  const seen = { method, route, nonce, request, status: got.status, body: got.body, signature };
  return { ...got, seen, genuine: isGenuine(TRUSTED, seen, unread) };
}

async function start(): Promise<{ session_id: string; access_key: string }> {
  const access_key = (await db.makeKey()).key;
  const session_id = newSessionId();
  expect((await app.post("/api/session/start", { access_key, session_id })).status).toBe(200);
  return { session_id, access_key };
}

const WAYS = {
  "before Node's parser": {},
  "straight from it": { "X-Name": "Zoë" },
  "by Hono": { Origin: PAGE },
};

describe.each(Object.entries(WAYS))("a heartbeat, answered %s", (_, more) => {
  const beat = (body: string | Buffer, given: { nonce?: string } = {}) =>
    ask({ route: "/api/session/heartbeat", body, headers: { ...JSON_TYPE, ...more } }, given);

  it("is signed, live or not", async () => {
    const { session_id, access_key } = await start();
    expect(await beat(JSON.stringify({ session_id }))).toMatchObject({ status: 200, genuine: true });
    await app.post("/api/session/start", { access_key });
    expect(await beat(JSON.stringify({ session_id }))).toMatchObject({ status: 410, genuine: true });
    expect(await beat(JSON.stringify({ session_id: newSessionId() }))).toMatchObject({ status: 404, genuine: true });
  });

  it("is bound to the bytes that came, however they are read", async () => {
    const { session_id } = await start();
    for (const body of [
      ` {"session_id" : "${session_id}", "note": "Zoë 🚀"}\n`,
      `\ufeff{"session_id":"${session_id}"}`,
      Buffer.concat([
        Buffer.from(`{"session_id":"${session_id}","note":"`),
        Buffer.from([0xff, 0xfe]),
        Buffer.from('"}'),
      ]),
    ]) {
      expect(await beat(body)).toMatchObject({ status: 200, genuine: true });
    }
    for (const body of ["{", "null", '{"session_id":7}', Buffer.from([0x22, 0xff, 0x22])]) {
      expect(await beat(body)).toMatchObject({ status: 400, genuine: true });
    }
  });

  it("shows a relay that asked for another session", async () => {
    const [mine, other] = [await start(), await start()];
    await app.post("/api/session/end", { session_id: mine.session_id });
    const { seen, status } = await beat(JSON.stringify({ session_id: other.session_id }));
    expect([status, isGenuine(TRUSTED, seen)]).toEqual([200, true]);
    expect(isGenuine(TRUSTED, { ...seen, request: JSON.stringify({ session_id: mine.session_id }) })).toBe(false);
  });

  it("shows a relay that passed on the body's text as the Authorization, to get a refusal", async () => {
    const body = JSON.stringify({ session_id: (await start()).session_id });
    const headers = { ...JSON_TYPE, ...more, Authorization: body };
    const { seen, status, genuine } = await ask({ route: "/api/session/heartbeat", headers });
    expect([status, genuine]).toEqual([400, true]);
    expect(isGenuine(TRUSTED, { ...seen, request: body })).toBe(false);
  });

  it("with a bad nonce is refused, unsigned, and is none", async () => {
    const { session_id } = await start();
    for (const nonce of ["short", "x".repeat(129), "a b a b a b a b a b", "ÿ".repeat(16), "a".repeat(15).concat(";")]) {
      const { status, headers, body } = await beat(JSON.stringify({ session_id }), { nonce });
      expect([nonce, status, JSON.parse(body.toString()).code]).toEqual([nonce, 400, "invalid_request"]);
      expect(headers["keybeat-signature"]).toBeUndefined();
    }
  });

  it("is unsigned without a nonce, or for who trusts other keys, or without a key of ours", async () => {
    const body = JSON.stringify({ session_id: (await start()).session_id });
    const beatWith = (headers: Record<string, string>, url?: string) =>
      send({ route: "/api/session/heartbeat", body, headers: { ...JSON_TYPE, ...more, ...headers } }, url);
    const nonce = { "Keybeat-Nonce": newNonce() };
    const answers = [
      await beatWith({}),
      await beatWith({ "Keybeat-Trusts": key.id }),
      await beatWith({ ...nonce, "Keybeat-Trusts": "0123456789abcdef" }),
      await beatWith({ ...nonce, "Keybeat-Trusts": key.id }, unsigned.url),
      await beatWith({ "Keybeat-Nonce": "bad" }, unsigned.url),
    ];
    for (const answer of answers) expect([answer.status, signatureOf(answer)]).toEqual([200, undefined]);
    const old = await beatWith({ ...nonce, "Keybeat-Trusts": `0123456789abcdef, ${retired.id}` });
    expect(signatureOf(old)?.split(";")[1]).toBe(retired.id);
    expect(signatureOf(await beatWith(nonce))?.split(";")[1]).toBe(key.id);
  });
});

/** A call that is over the limit of unknown keys. */
async function overLimit(): Promise<Sent> {
  const call = { route: "/api/session/status", body: JSON.stringify({ access_key: newAccessKey() }) };
  await expect.poll(async () => (await send(call)).status).toBe(429);
  return call;
}

it("every answer is signed, whoever gave it", async () => {
  const { session_id, access_key } = await start();
  const json = (value: unknown) => JSON.stringify(value);
  const huge = "x".repeat(16_385);
  const cases: Array<[status: number, sent: Sent, given?: { unread: boolean }]> = [
    [200, { route: "/api/session/start", body: json({ access_key, session_id }) }],
    [200, { route: "/api/session/status?x=%20&y", body: json({ access_key }) }],
    [200, { route: "/api/session/status", body: json({ access_key }), chunked: true }],
    [400, { route: "/api/session/start", body: "" }],
    [401, { method: "GET", route: "/api/session/watch", headers: {} }],
    [403, { route: "/api/session/start", body: json({ access_key: newAccessKey() }) }],
    [403, { route: "/api/session/status", body: "{}", headers: { ...JSON_TYPE, Host: "evil.example" } }],
    [404, { method: "GET", route: "/api/session/watch", headers: { Authorization: `Bearer ${newSessionId()}` } }],
    [404, { route: "/api/session", body: "{}" }],
    [404, { route: "/api/session?x", body: "{}" }],
    [404, { route: "/api/session/nothing", body: json({ session_id }) }],
    [404, { route: "/api/session/%68eartbeat", body: json({ session_id }) }],
    [404, { route: "/api/session/nothing", body: huge }, { unread: true }],
    [405, { method: "PUT", route: "/api/session/start", body: json({ access_key }) }],
    [405, { method: "GET", route: "/api/session/heartbeat", headers: {} }],
    [405, { method: "HEAD", route: "/api/session/start", headers: {} }],
    [409, { route: "/api/session/start", body: json({ access_key, on_conflict: "refuse" }) }],
    [413, { route: "/api/session/start", body: huge }, { unread: true }],
    [413, { route: "/api/session/start", body: huge, chunked: true }, { unread: true }],
    [413, { route: "/api/session/heartbeat", body: huge }, { unread: true }],
    [415, { route: "/api/session/start", body: json({ access_key }), headers: { "Content-Type": "text/plain" } }],
    [200, { route: "/api/session/end", body: json({ session_id }) }],
    [409, { route: "/api/session/start", body: json({ access_key, session_id }) }],
    [410, { method: "GET", route: "/api/session/watch", headers: { Authorization: `Bearer ${session_id}` } }],
  ];
  for (const [status, sent, given] of cases) {
    const answer = await ask(sent, given);
    expect([sent.route, answer.status, answer.genuine]).toEqual([sent.route, status, true]);
  }
  expect(await ask(await overLimit())).toMatchObject({ status: 429, genuine: true });
  await expect(ask({ method: "GET", route: "/health", headers: {} })).resolves.toMatchObject({ genuine: false });
  const stranger = await ask({ route: "/api/sessions", body: "{}" });
  expect([stranger.status, signatureOf(stranger)]).toEqual([404, undefined]);
});

it("trouble of ours is signed as well: an outage is told from a fake of one", async () => {
  const { session_id } = await start();
  const body = JSON.stringify({ session_id });
  const release = await db.lockTable("active_sessions", "ACCESS EXCLUSIVE");
  const answers = await Promise.all(
    Object.values(WAYS).map((more) =>
      ask({ route: "/api/session/heartbeat", body, headers: { ...JSON_TYPE, ...more } }),
    ),
  );
  await release();
  for (const answer of answers) expect(answer).toMatchObject({ status: 503, genuine: true });
  await db.sql`ALTER FUNCTION end_session(text) RENAME TO end_session_away`;
  const broken = await ask({ route: "/api/session/end", body });
  await db.sql`ALTER FUNCTION end_session_away(text) RENAME TO end_session`;
  expect(broken).toMatchObject({ status: 500, genuine: true });
});

it("pages of the listed origins may send the headers, and read the signature", async () => {
  const preflight = await send({
    method: "OPTIONS",
    route: "/api/session/heartbeat",
    headers: { Origin: PAGE, "Access-Control-Request-Method": "POST" },
  });
  expect(preflight.headers["access-control-allow-headers"]).toMatch(/Keybeat-Nonce,Keybeat-Trusts/);
  const bad = await ask(
    { route: "/api/session/end", body: "{}", headers: { ...JSON_TYPE, Origin: PAGE } },
    { nonce: "bad" },
  );
  expect([bad.status, bad.headers["access-control-allow-origin"]]).toEqual([400, PAGE]);
  expect(bad.headers["access-control-expose-headers"]).toMatch(/Keybeat-Signature/);
});

it("says by which keys clients ask to be answered, so that it shows when a retired one can go", async () => {
  const read = async () => {
    const samples = await scrape(app.url);
    return [key.id, retired.id, "none"].map((id) => readValue(samples, "keybeat_signing_requests_total", { key: id }));
  };
  const before = await read();
  const asks = [key.id, key.id, retired.id, "0123456789abcdef", `${retired.id},${key.id}`];
  for (const [at, trusts] of asks.entries()) {
    const more = Object.values(WAYS)[at % 3];
    const headers = { ...JSON_TYPE, ...more, "Keybeat-Nonce": newNonce(), "Keybeat-Trusts": trusts };
    await send({ route: "/api/session/heartbeat", body: "{}", headers });
  }
  expect((await read()).map((value, at) => Number(value) - Number(before[at]))).toEqual([3, 1, 1]);
});

it("says so without any key as well, on each way, and looks at no nonce then", async () => {
  const read = async () => readValue(await scrape(unsigned.url), "keybeat_signing_requests_total", { key: "none" });
  const before = Number(await read());
  for (const way of Object.values(WAYS)) {
    for (const nonce of [newNonce(), "bad"]) {
      const headers = { ...JSON_TYPE, ...way, "Keybeat-Nonce": nonce, "Keybeat-Trusts": key.id };
      const body = JSON.stringify({ session_id: newSessionId() });
      const answer = await send({ route: "/api/session/heartbeat", body, headers }, unsigned.url);
      expect([answer.status, answer.headers["keybeat-signature"]]).toEqual([404, undefined]);
    }
  }
  expect(Number(await read()) - before).toBe(6);
});

describe("a stream", () => {
  async function watch(session_id: string, nonce: string) {
    const response = await fetch(`${app.url}/api/session/watch`, {
      headers: { Authorization: `Bearer ${session_id}`, "Keybeat-Nonce": nonce, "Keybeat-Trusts": key.id },
    });
    const text = response.text();
    return { response, text };
  }
  const checkOf = (session_id: string, nonce: string) =>
    createEventCheck(TRUSTED, { route: "/api/session/watch", nonce, authorization: `Bearer ${session_id}` });

  it("has its events signed, one after the other, to its end", async () => {
    const { session_id, access_key } = await start();
    const nonce = newNonce();
    const { response, text } = await watch(session_id, nonce);
    expect([response.status, response.headers.get("keybeat-signature")]).toEqual([200, null]);
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    // What is the end of a line to JavaScript, but not to JSON or a stream.
    await app.post("/api/session/start", { access_key, device: { name: "two\u2028lines" } });
    const events = readEvents(await text);
    expect(JSON.parse(events[1]?.data as string).replaced_by.device.name).toBe("two\u2028lines");
    expect(events.map(({ event }) => event)).toEqual(["live", "replaced"]);
    const check = checkOf(session_id, nonce);
    expect(events.map(check)).toEqual([true, true]);
    expect(events.map(checkOf(session_id, newNonce()))).toEqual([false, false]);
    expect(events.map(checkOf(newSessionId(), nonce))).toEqual([false, false]);
    expect(events.toReversed().map(checkOf(session_id, nonce))).toEqual([false, false]);
  });

  it("is let go of when its reader is gone, and answers HEAD with a signature", async () => {
    const { session_id } = await start();
    const leaving = new AbortController();
    const headers = { Authorization: `Bearer ${session_id}`, "Keybeat-Nonce": newNonce() };
    const response = await fetch(`${app.url}/api/session/watch`, { headers, signal: leaving.signal });
    expect(response.status).toBe(200);
    const watchers = async () => readValue(await scrape(app.url), "keybeat_watchers");
    await expect.poll(watchers).toBe(1);
    leaving.abort();
    await response.text().catch(() => {});
    await expect.poll(watchers).toBe(0);
    const head = await ask({
      method: "HEAD",
      route: "/api/session/watch",
      headers: { Authorization: `Bearer ${session_id}` },
    });
    expect(head).toMatchObject({ status: 200, genuine: true });
  });
});

it("whatever stands in the headers, the answer is genuine, unsigned, or a refusal", async () => {
  const { session_id } = await start();
  const body = JSON.stringify({ session_id });
  const pieces = ["a", "-", "_", ";", ",", " ", "\t", "/", "é", "0", "v1;", key.id, "=", "%00", '"', "a".repeat(40)];
  const some = (most: number) =>
    Array.from({ length: Math.floor(Math.random() * most) }, () => pieces[Math.floor(Math.random() * pieces.length)])
      .join("")
      .trim();
  const counts = { genuine: 0, unsigned: 0, refused: 0 };
  for (let round = 0; round < 300; round++) {
    const [nonce, trusts] = [round % 3 === 0 ? newNonce() : some(12), round % 2 === 0 ? key.id : some(6)];
    const more = Object.values(WAYS)[round % 3];
    const headers = { ...JSON_TYPE, ...more, "Keybeat-Nonce": nonce, "Keybeat-Trusts": trusts };
    const got = await send({ route: "/api/session/heartbeat", body, headers });
    const signature = signatureOf(got);
    const seen = {
      method: "POST",
      route: "/api/session/heartbeat",
      nonce,
      request: body,
      status: got.status,
      body: got.body,
      signature,
    };
    const isGood = /^[\w-]{16,128}$/.test(nonce);
    const isTrusted = trusts.split(",").some((id) => id.trim() === key.id);
    expect([nonce, trusts, got.status]).toEqual([nonce, trusts, isGood ? 200 : 400]);
    expect([nonce, trusts, isGenuine(TRUSTED, seen)]).toEqual([nonce, trusts, isGood && isTrusted]);
    if (!isGood || !isTrusted) expect(signature).toBeUndefined();
    counts[!isGood ? "refused" : isTrusted ? "genuine" : "unsigned"]++;
  }
  expect(Math.min(...Object.values(counts))).toBeGreaterThan(10);
});
