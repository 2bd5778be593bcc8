/** How the program refuses to start: invalid settings, and obstacles. */
import type { Socket } from "node:net";
import { describe, expect, inject, it } from "vitest";
import { useDatabase } from "../support/database.ts";
import { databaseUrl } from "../support/database-url.ts";
import { type CommandResult, keybeat } from "../support/process.ts";
import { listenOnFreePort, useProcesses } from "./support/sockets.ts";

const NO_DATABASE = "postgres://nobody:a-secret-password@127.0.0.1:1/none?connect_timeout=1";

const db = useDatabase();
useProcesses();

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
