/** QUEUE_AUTH=jwt as a deployment sets it, with a shared secret. */
import type { JWTPayload } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readReply } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { type RunningServer, startServer } from "../support/process.ts";
import { addressOf, jsonOf, nameOf, ROUTES } from "../support/routes.ts";
import { watchStream } from "../support/watch.ts";
import { call, inSeconds, outcome, ROUTE, sign, utf8 } from "./support/tokens.ts";

const db = useDatabase();

const SECRET = "a-shared-secret-for-the-tests-of-tokens";

describe("with JWT_SECRET", () => {
  let server: RunningServer;
  const tokenOf = (sub: string) => sign(utf8(SECRET), { alg: "HS256" }, { sub });
  beforeAll(async () => {
    server = await startServer({ DATABASE_URL: db.url, QUEUE_AUTH: "jwt", JWT_SECRET: SECRET });
    await call(server, "POST", "/create", await tokenOf("alice"), { user_id: "alice", session_id: "s" });
  });
  afterAll(() => server.stop());

  it.each([
    ["POST", "/create", { user_id: "alice", session_id: "s" }],
    ["GET", "/position/alice", undefined],
    ["POST", "/requests", { user_id: "alice" }],
    ["HEAD", "/events/alice", undefined],
    ["POST", "/close/alice", undefined],
    ["POST", "/create", { user_id: "alice", session_id: "s" }],
    ["DELETE", "/close/alice", undefined],
  ])("%s %s is for the user of the token alone", async (method, path, body) => {
    const nobody = await call(server, method, path, undefined, body);
    expect(nobody.status).toBe(401);
    expect(nobody.headers.get("www-authenticate")).toMatch(/^Bearer /);
    expect((await call(server, method, path, await tokenOf("mallory"), body)).status).toBe(403);
    expect((await call(server, method, path, await tokenOf("alice"), body)).status).toBe(200);
  });

  it.each(ROUTES.filter(({ access }) => access === "user").map((route) => [nameOf(route), route] as const))(
    "%s is refused without a token, and where it names a user, with another user's",
    async (_name, route) => {
      const json = jsonOf(route);
      const send = (headers: Record<string, string>) =>
        fetch(server.url + addressOf(route), {
          method: route.method.toUpperCase(),
          headers: { ...headers, ...(json && { "Content-Type": "application/json" }) },
          ...(json && { body: JSON.stringify(json.examples[0]) }),
        }).then(readReply);
      expect(outcome(await send({}))).toBe("401 unauthorized");
      const namesUser = route.path.includes("{user_id}") || json?.examples[0]?.user_id !== undefined;
      const others = await send({ Authorization: `Bearer ${await tokenOf("mallory")}` });
      if (namesUser) expect(outcome(others)).toBe("403 forbidden");
      else expect(route.path).toMatch(/\{permit_id\}$/); // whose permit it is, is asked below
    },
  );

  it("says 401 unauthorized and 403 forbidden, and opens a stream for its user alone", async () => {
    const events = `${server.url}${ROUTE}/events/bob`;
    const bob = await tokenOf("bob");
    await call(server, "POST", "/create", bob, { user_id: "bob", session_id: "s" });
    const refusals = await Promise.all([
      watchStream(events),
      watchStream(events, { Authorization: `Bearer ${await tokenOf("alice")}` }),
    ]);
    expect(refusals.map(({ status, events: [only] }) => [status, only?.data.code])).toEqual([
      [401, "unauthorized"],
      [403, "forbidden"],
    ]);
    const stream = await watchStream(events, { Authorization: `Bearer ${bob}` });
    expect(stream.events[0]).toMatchObject({ event: "position", data: { user_id: "bob", position: 0 } });
    stream.stop();
  });

  it("takes a permit back from its holder alone", async () => {
    const [bob, eve] = [await tokenOf("bob"), await tokenOf("eve")];
    for (const [user_id, token] of [["bob", bob] as const, ["eve", eve] as const]) {
      await call(server, "POST", "/create", token, { user_id, session_id: "s" });
    }
    const { permit_id } = (await call(server, "POST", "/requests", bob, { user_id: "bob" })).body;
    const held = () => db.sql`SELECT FROM waiting_room_permits WHERE permit_id = ${permit_id}`;
    expect((await call(server, "DELETE", `/requests/${permit_id}`)).status).toBe(401);
    await call(server, "DELETE", `/requests/${permit_id}`, eve);
    expect(await held()).toHaveLength(1);
    await call(server, "DELETE", `/requests/${permit_id}`, bob);
    expect(await held()).toHaveLength(0);
  });

  it("asks for no token where no user is named", async () => {
    expect((await call(server, "GET", "/status")).status).toBe(200);
    expect((await call(server, "POST", "/cleanup")).status).toBe(200);
  });

  it.each<[string, () => Promise<string> | string]>([
    ["of another secret", () => sign(utf8("another-secret-of-the-same-length-or-so"), { alg: "HS256" })],
    ["of another algorithm", () => sign(utf8(SECRET.repeat(2)), { alg: "HS512" })],
    ["that ended 31 s ago", () => sign(utf8(SECRET), { alg: "HS256" }, { exp: inSeconds(-31) })],
    ["that begins in 40 s", () => sign(utf8(SECRET), { alg: "HS256" }, { nbf: inSeconds(40) })],
    ["that never ends", () => sign(utf8(SECRET), { alg: "HS256" }, { exp: undefined } as JWTPayload)],
    ["whose subject is a number", () => sign(utf8(SECRET), { alg: "HS256" }, { sub: 5 } as unknown as JWTPayload)],
    ["without a subject", () => sign(utf8(SECRET), { alg: "HS256" }, { sub: undefined } as JWTPayload)],
    ["without a signature", () => `${encode({ alg: "none" })}.${encode({ sub: "alice" })}.`],
    ["that is none", () => "nonsense"],
    ["whose claims were changed", async () => swapClaims(await tokenOf("mallory"), { sub: "alice" })],
  ])("refuses a token %s", async (_, make) => {
    expect(outcome(await call(server, "GET", "/position/alice", await make()))).toBe("401 unauthorized");
  });

  it("takes the priority from the token's claim alone: nobody goes ahead by asking for it", async () => {
    await db.sql`UPDATE waiting_room SET max_active = 0`;
    const join = async (sub: string, priority: unknown, claim?: unknown) => {
      const claims = { sub, ...(claim !== undefined && { priority: claim }) };
      const token = await sign(utf8(SECRET), { alg: "HS256" }, claims);
      return (await call(server, "POST", "/create", token, { user_id: sub, session_id: "s", priority })).body.position;
    };
    expect(await join("first", 0)).toBe(1);
    expect(await join("mallory", 9)).toBe(2);
    expect(await join("odd", 9, "9")).toBe(3);
    expect(await join("beyond", 9, 10)).toBe(4);
    expect(await join("preferred", 0, 9)).toBe(1);
    await db.sql`UPDATE waiting_room SET max_active = 20`;
    await db.sql`DELETE FROM waiting_room_places`;
  });

  it("forgives clocks that differ by less than 30 s", async () => {
    const late = await sign(utf8(SECRET), { alg: "HS256" }, { exp: inSeconds(-20), nbf: inSeconds(20) });
    expect(outcome(await call(server, "GET", "/position/alice", late))).toBe("404 user_not_found");
  });
});

describe("with JWT_AUDIENCE and JWT_ISSUER", () => {
  let server: RunningServer;
  beforeAll(async () => {
    const expected = { JWT_AUDIENCE: "keybeat, room", JWT_ISSUER: "https://id.example" };
    server = await startServer({ DATABASE_URL: db.url, QUEUE_AUTH: "jwt", JWT_SECRET: SECRET, ...expected });
  });
  afterAll(() => server.stop());
  const ask = async (claims: JWTPayload) =>
    outcome(await call(server, "GET", "/position/alice", await sign(utf8(SECRET), { alg: "HS256" }, claims)));

  it("takes what is meant for us, from whom we believe", async () => {
    expect(await ask({ aud: "keybeat", iss: "https://id.example" })).toBe("404 user_not_found");
    expect(await ask({ aud: ["other", "room"], iss: "https://id.example" })).toBe("404 user_not_found");
  });

  it.each<[string, JWTPayload]>([
    ["another application", { aud: "another-app", iss: "https://id.example" }],
    ["nobody", { iss: "https://id.example" }],
    ["us, by somebody else", { aud: "keybeat", iss: "https://evil.example" }],
    ["us, by nobody", { aud: "keybeat" }],
  ])("refuses a token for %s, as any other that is not good", async (_, claims) => {
    expect(await ask(claims)).toBe("401 unauthorized");
  });
});

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");

function swapClaims(token: string, claims: object): string {
  const [header, , signature] = token.split(".");
  return [header, encode({ exp: inSeconds(60), ...claims }), signature].join(".");
}
