/** keybeat batch list, show and cancel, as an operator uses them. */
import { userInfo } from "node:os";
import { describe, expect, it } from "vitest";
import { batchApi, outcome } from "../../sessions/batch/support/batch.ts";
import { useApp } from "../../support/app.ts";
import { cloneDatabase, useDatabase } from "../../support/database.ts";
import { keybeat } from "../../support/process.ts";

const db = useDatabase();
const app = useApp(db);
const api = batchApi(app);

const batch = (...args: string[]) => keybeat(["batch", ...args], { DATABASE_URL: db.url });

describe("keybeat batch list", () => {
  it("says so where there is none", async () => {
    const own = await cloneDatabase();
    try {
      const env = { DATABASE_URL: own.url };
      const list = (...args: string[]) => keybeat(["batch", "list", ...args], env);
      expect(await list()).toEqual({ code: 0, stdout: "no batch sessions yet\n", stderr: "" });
      expect(await list("--status", "failed")).toMatchObject({ code: 0, stdout: "no batch session is failed\n" });
      expect(await list("--json")).toEqual({ code: 0, stdout: "", stderr: "" });
    } finally {
      await own.drop();
    }
  });

  it("shows the newest first, by status and at most so many; with --json a session a line", async () => {
    const first = await api.make({ canvas_path: "list/first.canvas", node_count: 4 });
    const second = await api.make({ canvas_path: "list/second.canvas" });
    await api.claim(first, { worker: "worker-a" });
    await api.put(first, "one");
    await api.put(first, "two", "failed");
    const { code, stdout, stderr } = await batch("list");
    expect([code, stderr]).toEqual([0, ""]);
    const [head, newest, older] = stdout.split("\n");
    expect(head).toMatch(/^SESSION +STATUS +NODES +DONE +FAILED +PROGRESS +WORKER +CREATED +WORKS ON$/);
    expect(newest).toMatch(new RegExp(`^${second} +pending +3 +0 +0 +0 % +- +\\d+ \\w+ ago +list/second.canvas$`));
    expect(older).toMatch(new RegExp(`^${first} +running +4 +1 +1 +50 % +worker-a +\\d+ \\w+ ago +list/first.canvas$`));
    expect((await batch("list", "--limit", "1")).stdout.trimEnd().split("\n")).toHaveLength(2);
    const json = (await batch("list", "--json", "--status", "running")).stdout.trimEnd().split("\n");
    expect(json.map((line) => JSON.parse(line))).toContainEqual({
      ...(await api.send("GET", `/batch/sessions/${first}?results=false`)).body,
      estimated_completion: expect.any(String),
    });
    for (const line of json) expect(JSON.parse(line).status).toBe("running");
  });

  it("goes beyond a page of a hundred, and stops where it should", async () => {
    const id = await api.make({ canvas_path: "many.canvas" });
    await db.sql`
      INSERT INTO batch_sessions (session_id, canvas_path, node_count, metadata, created_at, updated_at, last_report,
        clock_steps, not_over_before)
      SELECT gen_random_uuid(), canvas_path, node_count, metadata, created_at, updated_at, last_report, clock_steps, not_over_before
      FROM batch_sessions, generate_series(1, 120) WHERE session_id = ${id}`;
    const ids = (await batch("list", "--limit", "115", "--json")).stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).session_id);
    expect(new Set(ids).size).toBe(115);
  });

  it("lists none as running whose time is over", async () => {
    const id = await api.make({ timeout_seconds: 60 });
    await api.claim(id);
    await db.sql`UPDATE batch_sessions SET started_at = started_at - interval '61 seconds',
      not_over_before = not_over_before - interval '1 hour' WHERE session_id = ${id}`;
    expect((await batch("list", "--status", "failed")).stdout).toContain(id);
  });
});

describe("keybeat batch show", () => {
  const groups = [
    { group_id: "intro", agent_type: "writer", node_ids: ["intro-1", "intro-2"] },
    { group_id: 7, agent_type: "painter", node_ids: Array.from({ length: 30 }, (_, at) => `figure-${at}`) },
  ];

  it("tells how it stands, its groups, and its nodes, the failed ones first", async () => {
    const { body } = await api.execute({ canvas_path: "show.canvas", groups });
    const id = body.session_id;
    await api.claim(id, { worker: "worker-a" });
    await api.put(id, "intro-1", { started_at: "2026-01-01T00:00:00Z", completed_at: "2026-01-01T00:00:02Z" });
    await api.put(id, "figure-3", { status: "failed", error: "no ink\n  at line 3" });
    const { code, stdout, stderr } = await batch("show", id.slice(0, 8));
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(new RegExp(`^session +${id}\nworks on +show.canvas\nstatus +running\n`));
    expect(stdout).toMatch(/^nodes +32: 1 done, 1 failed, 30 to do$/m);
    expect(stdout).toMatch(/^worker +worker-a, attempt 1$/m);
    expect(stdout).toMatch(/^silent until +\d{4}-\d\d-\d\d [\d:]+ UTC \(in 30 min\)$/m);
    expect(stdout).toMatch(/^intro +writer +running +2 +1 +0 +0$/m);
    expect(stdout).toMatch(/^7 +painter +running +30 +0 +1 +0$/m);
    const nodes = stdout.slice(stdout.indexOf("NODE ")).trimEnd().split("\n");
    expect(nodes[1]).toMatch(/^figure-3 +failed +- +no ink at line 3$/);
    expect(nodes[2]).toMatch(/^figure-0 +to do +- +-$/);
    expect(nodes).toHaveLength(22);
    expect(nodes.at(-1)).toBe("and 12 more");

    const shown = JSON.parse((await batch("show", id, "--json")).stdout);
    expect(shown).toMatchObject({ session: { session_id: id, status: "running" }, more_nodes: 12 });
    expect(shown.groups).toHaveLength(2);
    expect(shown.nodes).toHaveLength(20);
    expect(shown.nodes[0]).toMatchObject({ node_id: "figure-3", status: "failed", error: "no ink\n  at line 3" });
  });

  it("says how many more have failed, and rounds what the worker says of its progress", async () => {
    const id = await api.make({ node_count: 30 });
    await Promise.all(Array.from({ length: 25 }, (_, at) => api.put(id, `n-${at}`, "failed")));
    await api.claim(id);
    await api.progress(id, { progress_percent: 100 / 3 });
    const { stdout } = await batch("show", id);
    expect(stdout).toMatch(/^and 5 more, 5 of them failed$/m);
    expect(stdout).toMatch(/^progress +33.33 %$/m);
  });

  it("tells of an ended one why, how long it took, and what became of it", async () => {
    const id = await api.make({ node_count: 2, metadata: { course: 7 } });
    await api.claim(id);
    await api.put(id, "one");
    await api.cancel(id, { reason: "wrong course" });
    const resumed = (await api.resume(id)).body.session_id;
    const { stdout } = await batch("show", id);
    expect(stdout).toMatch(/^status +cancelled \(cancelled\)\nerror +wrong course$/m);
    expect(stdout).toMatch(/^worker +without a name, attempt 1$/m);
    expect(stdout).toMatch(/^ended .* UTC \(\d+ s ago\), after \d+ s$/m);
    expect(stdout).toMatch(new RegExp(`^resumed as +${resumed}\nmetadata +{"course":7}$`, "m"));
    expect(stdout).not.toMatch(/silent until|deadline/);
    expect((await batch("show", resumed)).stdout).toMatch(/^one +success +carried over +-$/m);
  });

  it("lets no control character of a name reach the terminal", async () => {
    const id = await api.make({ canvas_path: "evil\u001b[2J\u009bpath" });
    await api.claim(id, { worker: "evil\u0007worker" });
    await api.put(id, "evil\u001b[2Jnode", { status: "failed", error: "evil\u001b]0;error" });
    const { stdout } = await batch("show", id);
    expect(stdout).toMatch(/evil.*path[\s\S]*evil.*worker[\s\S]*evil.*node +failed .*evil.*error/);
    expect(stdout.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
  });
});

describe("keybeat batch cancel", () => {
  it.each([
    ["by its first characters", (id: string) => id.slice(0, 8)],
    ["beyond a hyphen", (id: string) => id.slice(0, 15)],
    ["as a narrow list shows it", (id: string) => `${id.slice(0, 12)}…`],
    ["in capitals", (id: string) => id.slice(0, 12).toUpperCase()],
    ["by its whole id", (id: string) => id],
  ])("ends one session %s; its worker is told why, the others go on, and the audit log has it", async (_how, say) => {
    const [id, other] = [await api.make(), await api.make()];
    await api.claim(id);
    await api.put(id, "one");
    expect(await batch("cancel", say(id), "--reason", "wrong course")).toEqual({
      code: 0,
      stdout: `cancelled session ${id}; nodes done: 1\n`,
      stderr: "",
    });
    const { status, body } = await api.put(id, "two");
    expect([status, body.code, body.status, body.error_message]).toEqual([
      409,
      "session_over",
      "cancelled",
      "wrong course",
    ]);
    expect(outcome(await api.put(other, "one"))).toBe("200");
    const [entry] = await db.sql`SELECT who, action, details FROM audit_log ORDER BY id DESC LIMIT 1`;
    expect(entry).toEqual({
      who: `command line (${userInfo().username})`,
      action: "batch_cancelled",
      details: { batch_session_id: id, reason: "wrong course" },
    });
  });

  it("says with --json what it did", async () => {
    const id = await api.make();
    const { stdout } = await batch("cancel", id, "--json");
    expect(JSON.parse(stdout)).toEqual({ cancelled: true, session_id: id, completed_count: 0 });
  });

  it("refuses one that is over, and changes nothing", async () => {
    const id = await api.make({ node_count: 0 });
    await api.claim(id);
    await api.complete(id);
    const before = await api.read(id);
    expect(await batch("cancel", id)).toEqual({
      code: 1,
      stdout: "",
      stderr: "keybeat: The session is over: completed\n",
    });
    expect(await api.read(id)).toEqual(before);
  });

  it("refuses a beginning that fits several, lists them, and cancels none", async () => {
    const ids = [await api.make(), await api.make()];
    const twins = ["5eed5eed-0000-4000-8000-000000000001", "5eed5eed-0000-4000-8000-000000000002"];
    for (const [at, id] of ids.entries())
      await db.sql`UPDATE batch_sessions SET session_id = ${twins[at] as string} WHERE session_id = ${id}`;
    const { code, stdout, stderr } = await batch("cancel", "5eed5eed");
    for (const id of twins) expect(stdout).toContain(id);
    expect([code, stderr]).toEqual([1, "keybeat: several batch sessions fit, nothing was done: say more characters\n"]);
    const { matches } = JSON.parse((await batch("cancel", "5eed5eed-0", "--json")).stdout);
    expect(matches.sort()).toEqual(twins);
    for (const id of twins) expect((await api.read(id)).status).toBe("pending");
  });

  it.each(["deadbeef", "nothing-like-that", "________", "%%%%%%%%", "deadbeef-0000-4000-8000-000000000000-1"])(
    "cancels nobody where no id begins so: «%s»",
    async (prefix) => {
      const id = await api.make();
      expect(await batch("cancel", prefix)).toEqual({
        code: 1,
        stdout: "",
        stderr: "keybeat: no batch session's id begins so\n",
      });
      expect((await api.read(id)).status).toBe("pending");
    },
  );
});

describe("keybeat batch used wrongly", () => {
  it.each([
    [["list", "--status", "done"], /^keybeat: --status must be one of pending, running, .*\n$/],
    [["list", "--limit", "0"], /^keybeat: --limit must be a whole number from 1 to 100000\n$/],
    [["list", "--limit", "many"], /^keybeat: --limit must be a whole number/],
    [["show", "deadbee"], /^keybeat: an id needs at least its first 8 characters\n$/],
    [["follow", ""], /^keybeat: an id needs at least its first 8 characters\n$/],
    [
      ["cancel", "deadbeef", "--reason", "x".repeat(10_001)],
      /^keybeat: --reason must have at most 10000 characters\n$/,
    ],
  ])("exits with 2 and one line on stderr: %s", async (args, reason) => {
    const { code, stdout, stderr } = await batch(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(reason);
  });
});
