/** The whole program as a process: how it refuses to start, how it stops, its workers, its log, its limits on HTTP. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, inject, it } from "vitest";
import { createHashKey, createKey } from "../src/keys/index.ts";
import { useDatabase } from "./support/database.ts";
import { databaseUrl } from "./support/database-url.ts";
import { BY } from "./support/operator.ts";
import { type CommandResult, keybeat, type RunningServer, startServer } from "./support/process.ts";
import { startProxy } from "./support/proxy.ts";
import { newAccessKey, newSessionId } from "./support/secrets.ts";
import { watch } from "./support/watch.ts";

const NO_DATABASE = "postgres://nobody:a-secret-password@127.0.0.1:1/none?connect_timeout=1";

const db = useDatabase();
const opened: Array<Server | Socket> = [];

const serve = (env: Record<string, string> = {}) => startServer({ DATABASE_URL: db.url, ...env });

/** Ends what a test has started and left. */
afterEach(() => {
  for (const pid of childrenOf(process.pid)) signal(pid, "SIGKILL");
  for (const one of opened.splice(0)) "destroy" in one ? one.destroy() : one.close();
});

function childrenOf(pid: number): number[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
  const rows = table.map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
  return rows.filter(([child, parent]) => parent === pid && isAlive(child)).map(([child]) => child);
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

const isAlive = (pid: number) => signal(pid, 0);

/** The soft limit, of a process that runs. */
function limitOpenFiles(pid: number, files: number): void {
  execFileSync("prlimit", ["--pid", String(pid), `--nofile=${files}:`]);
}

/** Gives up before the test's own time is over, so that the reason is seen. */
async function waitUntil(condition: () => boolean | Promise<boolean>, atMostMs = 40_000): Promise<void> {
  const giveUpAt = performance.now() + atMostMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`still not so: ${condition}`);
    await sleep(20);
  }
}

async function listenOnFreePort(onConnection: (socket: Socket) => void = () => {}): Promise<number> {
  const server = createServer((socket) => {
    opened.push(socket);
    socket.on("error", () => {});
    onConnection(socket);
  });
  opened.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** One line for a person on stderr, no stack, nothing secret, nothing on stdout. */
function expectRefused(result: CommandResult, code: 1 | 2, why: RegExp | string) {
  expect(result).toMatchObject({ code, stdout: "" });
  expect(result.stderr).toMatch(/^keybeat: [^\n]+\n$/);
  if (typeof why === "string") expect(result.stderr).toContain(why);
  else expect(result.stderr).toMatch(why);
  expect(result.stderr).not.toMatch(/a-secret-password|unexpected|node:internal|\.js:\d/);
}

describe("a setting that makes no sense is refused with exit 2 and a line that names it", () => {
  it.each([
    ...["abc", "65536", "-1", "3.5", "0x10", "3000 "].map((value) => ["PORT", value]),
    ...["0", "1m", "86401", "-5"].map((value) => ["SESSION_TIMEOUT_SECONDS", value]),
    ...["0", "often"].map((value) => ["HEARTBEAT_SECONDS", value]),
    ...["every minute", "* * *", "61 * * * * *", "* * * * * * *"].map((value) => ["CLEANUP_CRON", value]),
    ...["0", "forever"].map((value) => ["HISTORY_RETENTION_DAYS", value]),
    ...["many", "0", "257", "AUTO"].map((value) => ["WORKERS", value]),
    ...["4", "soon"].map((value) => ["DRAIN_SECONDS", value]),
    ...["15", "all"].map((value) => ["MAX_CONNECTIONS", value]),
    ...["loud", "INFO"].map((value) => ["LOG_LEVEL", value]),
    ...["mysql://u:a-secret-password@h/d", "localhost:5432", "postgres://"].map((value) => ["DATABASE_URL", value]),
    ["DATABASE_URL", "postgres://u:a-secret-password@127.0.0.1:notaport/d"],
    ["DATABASE_URL", "postgres://u:100%a-secret-password@127.0.0.1:1/d"],
  ] as Array<[string, string]>)("%s=%s", async (name, value) => {
    const result = await keybeat(["serve"], { DATABASE_URL: NO_DATABASE, [name]: value });
    expectRefused(result, 2, new RegExp(`^keybeat: ${name} must `));
  });

  it("several at once are named in that one line, and commands refuse them as well", async () => {
    const wrong = { DATABASE_URL: NO_DATABASE, PORT: "abc", WORKERS: "many" };
    for (const command of [["serve"], ["keys", "list"], ["migrate"]]) {
      expectRefused(await keybeat(command, wrong), 2, /PORT must .*; WORKERS must /);
    }
  });

  it("an empty one counts as unset", async () => {
    const result = await keybeat(["keys", "list"], { DATABASE_URL: NO_DATABASE, PORT: "", WORKERS: "", LOG_LEVEL: "" });
    expectRefused(result, 1, "cannot be reached");
  });
});

describe("what stands in the way of a start is said in one line, with exit 1", () => {
  // (What a start says while it waits for a database is of test/cli/start.long.ts.)
  const refused = (env: Record<string, string>) =>
    keybeat(["serve"], { DATABASE_URL: db.url, PORT: "0", LOG_LEVEL: "error", ...env });

  it.each(["1", "2"])("a port that is taken, with WORKERS=%s", async (workers) => {
    const port = await listenOnFreePort();
    const result = await refused({ HOST: "127.0.0.1", PORT: String(port), WORKERS: workers });
    expectRefused(result, 1, `port ${port} is taken`);
  });

  it("an address that this machine does not have", async () => {
    expectRefused(await refused({ HOST: "192.0.2.1" }), 1, "192.0.2.1");
  });

  it("a database where nobody listens", async () => {
    expectRefused(await refused({ DATABASE_URL: NO_DATABASE }), 1, "127.0.0.1:1/none cannot be reached");
  });

  it("a database that accepts and never answers", async () => {
    const port = await listenOnFreePort();
    const result = await refused({
      DATABASE_URL: `postgres://u:a-secret-password@127.0.0.1:${port}/d?connect_timeout=1`,
    });
    expectRefused(result, 1, `127.0.0.1:${port}/d cannot be reached`);
  });

  it("a database that hangs up at once", async () => {
    const port = await listenOnFreePort((socket) => socket.destroy());
    expectRefused(
      await refused({ DATABASE_URL: `postgres://u@127.0.0.1:${port}/d?connect_timeout=1` }),
      1,
      "cannot be reached",
    );
  });

  it("a wrong password", async () => {
    const url = new URL(db.url);
    url.password = "a-secret-password";
    expectRefused(await refused({ DATABASE_URL: url.href }), 1, "password authentication failed");
  });

  it("a database that does not exist", async () => {
    const url = databaseUrl(inject("serverUrl"), "keybeat_no_such_database");
    expectRefused(await refused({ DATABASE_URL: url }), 1, '"keybeat_no_such_database" does not exist');
  });

  it.each([
    ["14.13", 140013],
    ["9.6.24", 90624],
  ])("PostgreSQL %s, which is too old", async (version, number) => {
    const port = await listenOnFreePort((socket) => speakPostgres(socket, [version, String(number)]));
    const url = `postgres://u:a-secret-password@127.0.0.1:${port}/d`;
    expectRefused(await refused({ DATABASE_URL: url }), 1, `PostgreSQL ${version} is too old: Keybeat needs 15`);
    expectRefused(await keybeat(["migrate"], { DATABASE_URL: url }), 1, "too old");
  });
});

/** Just enough of PostgreSQL's protocol to answer every query with one row of (version text, number int4). */
function speakPostgres(socket: Socket, row: [string, string]): void {
  const message = (type: string, ...parts: Buffer[]) => {
    const body = Buffer.concat(parts);
    const head = Buffer.alloc(5);
    head.write(type);
    head.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  const int = (value: number, bytes: 2 | 4) => {
    const buffer = Buffer.alloc(bytes);
    buffer.writeIntBE(value, 0, bytes);
    return buffer;
  };
  const text = (value: string) => Buffer.from(`${value}\0`);
  const column = (name: string, type: number) =>
    Buffer.concat([text(name), int(0, 4), int(0, 2), int(type, 4), int(-1, 2), int(-1, 4), int(0, 2)]);
  const description = message("T", int(2, 2), column("version", 25), column("number", 23));
  const cells = row.map((value) => Buffer.concat([int(value.length, 4), Buffer.from(value)]));
  const ready = message("Z", Buffer.from("I"));
  const answers: Record<string, Buffer[]> = {
    P: [message("1")],
    B: [message("2")],
    D: [message("t", int(0, 2)), description],
    E: [message("D", int(2, 2), ...cells), message("C", text("SELECT 1"))],
    Q: [description, message("D", int(2, 2), ...cells), message("C", text("SELECT 1")), ready],
    S: [ready],
  };
  let started = false;
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const head = started ? 1 : 0;
      if (rest.length < head + 4) return;
      const end = head + rest.readInt32BE(head);
      if (rest.length < end) return;
      const type = started ? String.fromCharCode(rest[0] as number) : "startup";
      rest = rest.subarray(end);
      if (type === "startup") socket.write(Buffer.concat([message("R", int(0, 4)), ready]));
      else for (const answer of answers[type] ?? []) socket.write(answer);
      started = true;
    }
  });
}

/** A connection on which a test writes HTTP by hand. */
class Connection {
  text = "";
  closed = false;
  readonly socket: Socket;

  constructor(server: RunningServer) {
    this.socket = connect(Number(new URL(server.url).port), "127.0.0.1");
    opened.push(this.socket);
    this.socket.on("data", (chunk) => {
      this.text += chunk;
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.closed = true;
    });
  }

  send(text: string): void {
    this.socket.write(text);
  }

  /** The next answer, whole. */
  async answer(): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> {
    let whole: RegExpExecArray | null = null;
    await waitUntil(() => {
      const length = Number(/content-length: (\d+)/i.exec(this.text)?.[1] ?? 0);
      whole = new RegExp(`^HTTP/1.1 (\\d{3})[^\r]*\r\n(.*?)\r\n\r\n(.{${length}})`, "s").exec(this.text);
      return whole !== null || this.closed;
    });
    const [all, status, headers, body] = (whole ?? []) as string[];
    if (all === undefined) throw new Error(`the connection was closed after: ${this.text}`);
    this.text = this.text.slice(all.length);
    const pairs = headers?.split("\r\n").map((line) => line.split(": ") as [string, string]);
    return { status: Number(status), headers: new Headers(pairs), body: JSON.parse(body || "null") };
  }

  get(path: string, headers = ""): ReturnType<Connection["answer"]> {
    this.send(`GET ${path} HTTP/1.1\r\nHost: test\r\n${headers}\r\n`);
    return this.answer();
  }
}

const post = (path: string, body: unknown) => {
  const text = JSON.stringify(body);
  const head = `POST ${path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n`;
  return { head, rest: `Content-Length: ${text.length}\r\n\r\n${text}` };
};

async function isRefusingConnections(server: RunningServer): Promise<boolean> {
  const probe = new Connection(server);
  const connected = await new Promise((resolve) => {
    probe.socket.once("connect", () => resolve(true)).once("close", () => resolve(false));
  });
  probe.socket.destroy();
  return !connected;
}

describe("SIGTERM", () => {
  it("with a start under way: it is answered, as is what still comes on an open connection, for the last time, exit 0", async () => {
    const { key, id } = await db.makeKey();
    const session_id = newSessionId();
    const server = await serve();
    const [underWay, late] = [new Connection(server), new Connection(server)];
    let stopped: Promise<number | null> | undefined;
    await db.sql.begin(async (holder) => {
      expect((await late.get("/health/live")).headers.get("connection")).toBe("keep-alive");
      const heartbeat = post("/api/session/heartbeat", { session_id: newSessionId() });
      late.send(heartbeat.head);

      await holder`SELECT FROM keys WHERE id = ${id} FOR UPDATE`;
      const [own] = await holder`SELECT pg_backend_pid() AS pid`;
      const start = post("/api/session/start", { access_key: key, session_id });
      underWay.send(start.head + start.rest);
      await waitUntil(
        async () =>
          (await db.sql`SELECT FROM pg_stat_activity WHERE ${own?.pid} = ANY (pg_blocking_pids(pid))`).length > 0,
      );

      stopped = server.stop("SIGTERM");
      await waitUntil(() => isRefusingConnections(server));
      late.send(heartbeat.rest);
      const last = await late.answer();
      expect([last.status, last.body.code]).toEqual([404, "session_not_found"]);
      expect(last.headers.get("connection")).toBe("close");
      await waitUntil(() => late.closed);
    });
    const answer = await underWay.answer();
    expect([answer.status, answer.body.session_id]).toEqual([200, session_id]);
    // The program gives itself 10 s and exits with 1 when they are over.
    expect(await stopped).toBe(0);
    expect(await db.sql`SELECT FROM active_sessions WHERE session_id = ${session_id}`).toHaveLength(1);
  });

  it("is not held up by clients that are idle, that sent half of a request, or none", async () => {
    const server = await serve();
    const [idle, halfHead, halfBody] = [new Connection(server), new Connection(server), new Connection(server)];
    const silent = new Connection(server);
    await idle.get("/health/live");
    halfHead.send("POST /api/session/heartbeat HTTP/1.1\r\nHost: te");
    const { head, rest } = post("/api/session/heartbeat", { session_id: newSessionId() });
    halfBody.send(head + rest.slice(0, -10));
    await sleep(200);
    expect(await server.stop("SIGTERM")).toBe(0);
    await waitUntil(() => [idle, halfHead, halfBody, silent].every((connection) => connection.closed));
  });

  it.each(["1", "2"])(
    "is seen in the health check before a connection is refused, with WORKERS=%s",
    async (workers) => {
      const server = await serve({ DRAIN_SECONDS: "3", WORKERS: workers });
      const { key } = await db.makeKey();
      const kept = new Connection(server);
      expect((await kept.get("/health")).body.status).toBe("ok");
      const stopped = server.stop("SIGTERM");
      let draining: Awaited<ReturnType<Connection["answer"]>> | undefined;
      await waitUntil(async () => {
        draining = await new Connection(server).get("/health");
        return draining.status === 503;
      });
      expect(draining?.body).toMatchObject({ status: "draining", database: "ok" });
      expect(Number(draining?.headers.get("retry-after"))).toBeGreaterThan(0);
      const live = await new Connection(server).get("/health/live");
      expect([live.status, live.headers.get("connection")]).toEqual([200, "close"]);
      const start = post("/api/session/start", { access_key: key });
      const fresh = new Connection(server);
      fresh.send(start.head + start.rest);
      expect((await fresh.answer()).status).toBe(200);
      expect(kept.closed).toBe(false);
      const beat = post("/api/session/heartbeat", { session_id: newSessionId() });
      kept.send(beat.head + beat.rest);
      expect((await kept.answer()).body.code).toBe("session_not_found");
      await waitUntil(() => kept.closed && fresh.closed);
      expect(await stopped).toBe(0);
    },
  );

  it("ends the watch streams only when nobody can come any more", async () => {
    const server = await serve({ DRAIN_SECONDS: "1" });
    const { key } = await db.makeKey();
    const session_id = newSessionId();
    await server.post("/api/session/start", { access_key: key, session_id });
    const stream = await watch(server.url, session_id);
    const stopped = server.stop("SIGTERM");
    await waitUntil(async () => (await new Connection(server).get("/health")).status === 503);
    await server.post("/api/session/start", { access_key: key });
    expect((await stream.done)?.event).toBe("replaced");
    expect(await stopped).toBe(0);
  });

  it("is what a closed terminal means, with the embedded PostgreSQL and the workers", async () => {
    const folder = mkdtempSync(join(tmpdir(), "keybeat-hangup-"));
    const server = await startServer({ DATA_DIR: folder, WORKERS: "2" });
    const workers = childrenOf(server.child.pid as number);
    const mark = join(folder, "postgres", "postmaster.pid"); // PostgreSQL takes it away when it is down
    expect(existsSync(mark)).toBe(true);
    for (const pid of workers) signal(pid, "SIGHUP"); // it reaches all of them
    expect(await server.stop("SIGHUP")).toBe(0);
    expect([existsSync(mark), workers.filter(isAlive)]).toEqual([false, []]);
    rmSync(folder, { recursive: true });
  });

  it("twice, and a Ctrl-C with it, is one orderly stop", async () => {
    const server = await serve();
    for (const name of ["SIGTERM", "SIGINT"] as const) server.child.kill(name);
    expect(await server.stop("SIGTERM")).toBe(0);
    expect(server.output().match(/"stopping"/g)).toHaveLength(1);
  });
});

describe("WORKERS=2", () => {
  const workersOf = (server: RunningServer) => childrenOf(server.child.pid as number);

  it("one ready line, both answer; one killed with -9 is replaced while the other goes on; SIGTERM ends all", async () => {
    const server = await serve({ WORKERS: "2" });
    const before = workersOf(server);
    expect(before).toHaveLength(2);
    const connections = Array.from({ length: 6 }, () => new Connection(server));
    for (const connection of connections) expect((await connection.get("/health")).status).toBe(200);

    signal(before[0] as number, "SIGKILL");
    // The dead one's connections are cut, those of the other live: so both had answered.
    await waitUntil(() => connections.some((connection) => connection.closed));
    const left = connections.filter((connection) => !connection.closed);
    expect(left.length).toBeGreaterThan(0);
    for (const connection of left) expect((await connection.get("/health")).status).toBe(200);

    await waitUntil(() => workersOf(server).length === 2);
    const after = workersOf(server);
    expect(after).toContain(before[1]);
    expect(after).not.toContain(before[0]);
    const { key } = await db.makeKey();
    for (let call = 0; call < 20; call++) {
      const reply = await server.post("/api/session/start", { access_key: key }, { Connection: "close" });
      expect(reply.status).toBe(200);
    }
    expect(server.output()).toContain("a worker died, starting another");
    expect(await server.stop("SIGTERM")).toBe(0);
    expect([...before, ...after].filter(isAlive)).toEqual([]);
    expect(server.output().match(/^listening on /gm)).toHaveLength(1);
  });

  it("one that cannot start again, the database being away, says why and is tried ever more rarely, until it can", async () => {
    const proxy = await startProxy(db.url);
    const server = await serve({ WORKERS: "2", DATABASE_URL: proxy.url });
    await proxy.set("refuse");
    signal(workersOf(server)[0] as number, "SIGKILL");
    const deaths = () =>
      [...server.output().matchAll(/^.*"msg":"a worker died, starting another".*$/gm)].map(([line]) =>
        JSON.parse(line),
      );
    await waitUntil(() => deaths().length >= 3);
    expect(deaths().map(({ pause_ms }) => pause_ms)).toEqual([500, 1000, 2000]);
    expect(deaths().map(({ reason }) => reason)).toEqual([
      undefined,
      ...Array(2).fill(expect.stringMatching(/ECONNREFUSED/)),
    ]);
    await proxy.set("pass");
    await waitUntil(() => workersOf(server).length === 2);
    await waitUntil(async () => (await server.get("/health")).status === 200);
    expect(await server.stop()).toBe(0);
    await proxy.close();
  });

  it.runIf(process.platform === "linux")("one that cannot be forked is tried again, and the others go on", async () => {
    const server = await serve({ WORKERS: "2" });
    const primary = server.child.pid as number;
    const before = workersOf(server);
    // A file descriptor is taken from whoever is given one from now on.
    limitOpenFiles(primary, 10);
    signal(before[0] as number, "SIGKILL");
    await waitUntil(
      () => (server.output().match(/"msg":"a worker cannot be forked, trying again"/g) ?? []).length >= 2,
    );
    expect(server.output()).toMatch(/"code":"EMFILE"/);
    expect((await server.get("/health")).status).toBe(200);
    limitOpenFiles(primary, 1000);
    await waitUntil(() => workersOf(server).length === 2);
    await waitUntil(async () => (await server.get("/health")).status === 200);
    expect(workersOf(server)).toContain(before[1]);
    expect(await server.stop()).toBe(0);
  });

  it("a Ctrl-C, which reaches all of them at once, is an orderly stop", async () => {
    const server = await serve({ WORKERS: "2" });
    const workers = workersOf(server);
    for (const worker of workers) signal(worker, "SIGINT");
    expect(await server.stop("SIGINT")).toBe(0);
    expect(workers.filter(isAlive)).toEqual([]);
    expect(server.output()).not.toMatch(/"level":50/);
  });

  it("kill -9 of the primary ends its workers too", async () => {
    const server = await serve({ WORKERS: "2" });
    const workers = workersOf(server);
    expect(workers).toHaveLength(2);
    expect(await server.stop("SIGKILL")).toBe(null);
    await waitUntil(() => !workers.some(isAlive));
  });

  it("jobs run once, not once a process", { timeout: 120_000 }, async () => {
    // One tick in the minute, a few seconds ahead: by then everything is up, or the next one comes in a minute.
    const second = new Date(Date.now() + 6000).getUTCSeconds();
    const env = { WORKERS: "2", LOG_LEVEL: "debug", CLEANUP_CRON: `${second} * * * * *` };
    const server = await serve(env);
    const runs = () => server.output().split("cleanup finished").length - 1;
    await waitUntil(() => runs() > 0, 75_000);
    await sleep(1500);
    expect(runs()).toBe(1);
    expect(await server.stop()).toBe(0);
  });
});

describe("the log", () => {
  it("is JSON lines where no terminal looks on, all but the ready line, and carries no secret", async () => {
    const secrets = { ADMIN_TOKEN: "the-admin-token-itself", KEY_PEPPER: "the-pepper-itself" };
    const forgetPepper = () => db.sql`UPDATE service_state SET pepper_mark = NULL`;
    await forgetPepper(); // the other tests of this file make keys without one
    const server = await serve({ ...secrets, LOG_LEVEL: "trace", CLEANUP_CRON: "* * * * * *" });
    const key = newAccessKey();
    await createKey(db.database, createHashKey(secrets.KEY_PEPPER), { key }, BY);
    const session_id = newSessionId();
    const body = { access_key: key, session_id, device: { name: "PC" } };
    expect((await server.post("/api/session/start", body)).status).toBe(200);
    for (const verb of ["heartbeat", "status", "end"]) await server.post(`/api/session/${verb}`, body);
    await server.post("/api/session/start", `{"access_key": "${key}", broken`);
    await server.post("/api/admin/cleanup-sessions", {}, { "X-Admin-Password": secrets.ADMIN_TOKEN });
    await server.get(`/no/such/path?session_id=${session_id}`, { Authorization: `Bearer ${session_id}` });

    await db.sql`ALTER FUNCTION end_session(text) RENAME TO elsewhere`;
    const failed = await server.post("/api/session/end", body, { "X-Request-Id": "find-me-in-the-log" });
    await db.sql`ALTER FUNCTION elsewhere(text) RENAME TO end_session`;
    expect([failed.status, failed.body.code]).toEqual([500, "internal_error"]);
    expect(JSON.stringify(failed.body)).not.toMatch(/function|exist/);
    await db.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'keybeat %'`;
    await waitUntil(async () => (await server.get("/health")).status === 200);
    await waitUntil(() => server.output().includes("cleanup finished"));
    expect(await server.stop()).toBe(0);
    await forgetPepper();

    const lines = server.output().trimEnd().split("\n");
    const logged = lines.filter((line) => !line.startsWith("listening on http://")).map((line) => JSON.parse(line));
    expect(lines.length - logged.length).toBe(1);
    for (const line of logged) expect(line).toMatchObject({ level: expect.any(Number), msg: expect.any(String) });
    expect(logged.every((line) => !Number.isNaN(Date.parse(line.time)))).toBe(true);
    expect(logged.find((line) => line.request_id === "find-me-in-the-log")?.err.message).toContain("end_session");
    const password = new URL(db.url).password;
    for (const secret of [...Object.values(secrets), ...(password ? [password] : [])]) {
      expect(server.output()).not.toContain(secret);
    }
  });

  it("with LOG_LEVEL=silent says nothing but that it listens", async () => {
    const server = await serve({ LOG_LEVEL: "silent" });
    expect(await server.stop()).toBe(0);
    expect(server.output()).toBe(`listening on ${server.url.replace("127.0.0.1", "0.0.0.0")}\n`);
  });
});

describe("listening", () => {
  it("PORT=0 takes a free port, prints it, and answers there: two at once on one machine", async () => {
    const servers = await Promise.all([
      serve({ PORT: "0", HOST: "127.0.0.1" }),
      serve({ PORT: "0", HOST: "127.0.0.1" }),
    ]);
    expect(servers[0].url).not.toBe(servers[1].url);
    for (const server of servers) {
      expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d+$/);
      expect((await server.get("/health")).body.status).toBe("ok");
    }
    expect(await Promise.all(servers.map((server) => server.stop()))).toEqual([0, 0]);
  });

  it("10,000 bytes of headers are fine; 20,000 get 431 with a code, and only that connection ends", async () => {
    const server = await serve();
    const connection = new Connection(server);
    expect((await connection.get("/health/live", `X-Long: ${"x".repeat(10_000)}\r\n`)).status).toBe(200);
    const refusal = await connection.get("/health/live", `X-Long: ${"x".repeat(20_000)}\r\n`);
    expect([refusal.status, refusal.body.code]).toEqual([431, "headers_too_large"]);
    expect(refusal.body).toMatchObject({ error: expect.any(String), request_id: refusal.headers.get("x-request-id") });
    await waitUntil(() => connection.closed);
    expect((await new Connection(server).get("/health/live")).status).toBe(200);
    expect(await server.stop()).toBe(0);
  });

  it("what is no HTTP gets 400 with a code", async () => {
    const server = await serve();
    const connection = new Connection(server);
    connection.send("GIVE ME A SESSION\r\n\r\n");
    const refusal = await connection.answer();
    expect([refusal.status, refusal.body.code]).toEqual([400, "invalid_request"]);
    expect(await server.stop()).toBe(0);
  });

  it("a client that hangs with half of a request gets 408 or is cut, long before the minutes that Node would wait", async () => {
    const server = await serve();
    const [halfHead, halfBody, silent] = [new Connection(server), new Connection(server), new Connection(server)];
    halfHead.send("POST /api/session/heartbeat HTTP/1.1\r\nHost: te");
    const { head, rest } = post("/api/session/heartbeat", { session_id: newSessionId() });
    halfBody.send(head + rest.slice(0, -10));
    for (const connection of [halfHead, halfBody]) {
      const answer = await connection.answer();
      expect([answer.status, answer.body.code]).toEqual([408, "request_timeout"]);
    }
    await waitUntil(() => [halfHead, halfBody, silent].every((connection) => connection.closed));
    expect((await server.get("/health/live")).status).toBe(200);
    expect(await server.stop()).toBe(0);
  });
});
