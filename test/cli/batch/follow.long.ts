/** `keybeat batch follow` as a person or a script sees it: on a terminal, in a pipe, and through an outage. */
import { describe, expect, it } from "vitest";
import { addSample, paceOf, type Sample } from "../../../src/cli/batch/follow/pace.ts";
import { batchApi } from "../../sessions/batch/support/batch.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { startProxy } from "../../support/proxy.ts";
import type { Terminal } from "../../support/terminal.ts";
import { useFollow } from "../support/follow.ts";

const db = useDatabase();
const app = useApp(db);
const api = batchApi(app);
const { undo, onTerminal, inPipe } = useFollow("batch", () => db.url);

/** A run of ten nodes, with a worker. */
async function newRun(body: object = {}): Promise<string> {
  const id = await api.make({ canvas_path: "follow.canvas", node_count: 10, ...body });
  await api.claim(id, { worker: "worker-a" });
  return id;
}

describe("keybeat batch follow on a terminal", () => {
  it("shows a bar, the counts, the pace and what is left, as it happens, and ends with the run", async () => {
    const id = await newRun();
    await api.put(id, "page-0", { status: "failed", error: "before anybody looked" });
    const terminal = await onTerminal(id);
    const lines = await terminal.shows(/0 done · 1 failed · 9 to do/);
    expect(lines[0]).toBe("follow.canvas · running · worker-a, attempt 1");
    expect(lines[1]).toMatch(/^█{7}░{64} 10 %$/);
    expect(lines.join("\n")).toMatch(/\npage-0 failed: before anybody looked\n/);
    expect(lines.at(-1)).toBe("q stops following; the session goes on");

    for (let page = 1; page < 5; page++) await api.put(id, `page-${page}`);
    await api.progress(id, { message: "half way" });
    const half = await terminal.shows(/\d nodes a (second|minute) · about \d+ (s|min) left\nhalf way/);
    expect(half[2]).toBe("4 done · 1 failed · 5 to do");
    await api.claim(id, { worker: "worker-b", on_conflict: "replace" });
    await terminal.shows(/worker-b, attempt 2/);
    await api.put(id, "page-5", { status: "failed", error: "boom\n  at line 3" });
    await terminal.shows(/\npage-5 failed: boom at line 3\npage-0 failed/);

    await api.complete(id);
    expect(await terminal.ended()).toEqual({ code: 1, restored: true });
    expect(terminal.output()).toMatch(/partial_failure after \d+ s · 4 done · 2 failed · 4 to do\r\n/);
  });

  it.each([
    ["q", (terminal: Terminal) => terminal.type("q"), 130],
    ["Ctrl-C", (terminal: Terminal) => terminal.type("\u0003"), 130],
    ["SIGTERM", (terminal: Terminal) => terminal.signal("SIGTERM"), 143],
  ])("gives the terminal back after %s, and the run goes on", async (_what, end, code) => {
    const id = await newRun();
    const terminal = await onTerminal(id);
    await terminal.shows(/10 to do/);
    end(terminal);
    expect(await terminal.ended()).toEqual({ code, restored: true });
    expect((await api.read(id)).status).toBe("running");
  });

  it("says that the database is away, keeps what it saw, and goes on when it is back", async () => {
    const proxy = await startProxy(db.url);
    undo.push(() => proxy.close());
    const id = await newRun();
    const terminal = await onTerminal(id, proxy.url);
    await terminal.shows(/0 done/);
    for (const [mode, page] of [
      ["refuse", "page-1"],
      ["blackhole", "page-2"],
    ] as const) {
      await proxy.set(mode);
      const lines = await terminal.shows(/the database is away · last seen \d+ s ago/);
      expect(lines.join("\n")).toContain("worker-a, attempt 1");
      await api.put(id, page, "failed");
      await proxy.set("pass");
      await terminal.shows(
        (now) => now[0] === "follow.canvas · running · worker-a, attempt 1" && now.includes(`${page} failed`),
      );
    }
    await proxy.set("blackhole");
    await terminal.shows(/the database is away/);
    terminal.type("\u0003");
    expect(await terminal.ended()).toEqual({ code: 130, restored: true });
  });

  it.each([
    { columns: 40, rows: 8 },
    { columns: 20, rows: 4 },
    { columns: 5, rows: 1 },
  ])("keeps to a terminal of $columns columns and $rows rows", async (size) => {
    const id = await newRun({ canvas_path: `a/long/path/${"x".repeat(100)}.canvas`, node_count: 100 });
    for (let page = 0; page < 12; page++)
      await api.put(id, `page-${page}`, { status: "failed", error: "e".repeat(90) });
    const terminal = await onTerminal(id);
    await terminal.shows(/page-11 failed/);
    terminal.resize(size.columns, size.rows);
    await terminal.shows(
      (lines) => lines.length <= size.rows && lines.every((line) => [...line].length <= size.columns),
    );
  });
});

describe("keybeat batch follow in a pipe", () => {
  it("prints a line a change, and exits with 0 once the run has completed", async () => {
    const { body } = await api.execute({
      canvas_path: "piped.canvas",
      groups: [{ group_id: "only", agent_type: "writer", node_ids: ["one", "two"] }],
    });
    const id = body.session_id;
    const piped = inPipe(id.slice(0, 13));
    await expect.poll(piped.stdout).toContain("piped.canvas · pending · no worker yet");
    await api.claim(id, { worker: "worker-a" });
    await expect.poll(piped.stdout).toContain("worker-a has it, attempt 1");
    await api.put(id, "one", { status: "failed", error: "not yet" });
    await expect.poll(piped.stdout).toContain("one failed: not yet");
    await api.put(id, "one");
    await api.put(id, "two");
    await expect.poll(piped.stdout).toContain("group only completed");
    await api.complete(id);
    expect(await piped.ended).toBe(0);
    const lines = piped.stdout().trimEnd().split("\n");
    for (const line of lines) expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ {2}\S/);
    expect(lines.at(-1)).toMatch(/completed after \d+ s · 2 done · 0 failed · 0 to do$/);
    expect([piped.stderr(), piped.stdout().includes("\u001b")]).toEqual(["", false]);
  });

  it("says at once how a run ended that is over, and exits with 1 where it did not complete", async () => {
    const id = await newRun();
    await api.cancel(id, { reason: "wrong course" });
    const piped = inPipe(id);
    expect(await piped.ended).toBe(1);
    expect(piped.stdout()).toMatch(/cancelled after \d+ s: wrong course · 0 done/);
    expect(piped.stderr()).toBe("keybeat: the session did not complete: it is cancelled\n");
  });

  it("ends a run whose time is over, though nobody else asks for it", async () => {
    const id = await newRun({ timeout_seconds: 60 });
    const piped = inPipe(id);
    await expect.poll(piped.stdout).toContain("worker-a, attempt 1");
    await db.sql`UPDATE batch_sessions SET started_at = started_at - interval '61 seconds' WHERE session_id = ${id}`;
    expect(await piped.ended).toBe(1);
    expect(piped.stdout()).toMatch(/failed after 60 s: not done within 1 minute/);
  });

  it("says so where the session is erased meanwhile", async () => {
    const id = await newRun();
    const piped = inPipe(id);
    await expect.poll(piped.stdout).toContain("attempt 1");
    await db.sql`DELETE FROM batch_sessions WHERE session_id = ${id}`;
    expect(await piped.ended).toBe(1);
    expect(piped.stderr()).toBe("keybeat: the session is not there any more\n");
  });

  it("prints with --json every event once, in order, also through an outage; Ctrl-C ends it with 130", async () => {
    const proxy = await startProxy(db.url);
    undo.push(() => proxy.close());
    const id = await newRun({ node_count: 700 });
    const piped = inPipe(id, { args: ["--json"], url: proxy.url });
    await expect.poll(piped.stdout).toContain('"progress"');
    await api.put(id, "page-0");
    await expect.poll(piped.stdout).toContain('"page-0"');
    await proxy.set("refuse");
    await expect.poll(piped.stderr).toMatch(/^keybeat: the database is away \(.+\), waiting for it\n$/);
    // More than are read at once.
    const pages = Array.from({ length: 600 }, (_, at) => `page-${at + 1}`);
    for (const page of pages) await api.put(id, page);
    await proxy.set("pass");
    await expect.poll(piped.stdout).toContain('"page-600"');
    await expect.poll(piped.stderr).toMatch(/waiting for it\nkeybeat: the database is back\n$/);
    piped.kill("SIGINT");
    expect(await piped.ended).toBe(130);
    const told = piped
      .stdout()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const nodes = told.filter(({ type }) => type === "node_complete").map(({ data }) => data.node_id);
    expect(nodes).toEqual(["page-0", ...pages]);
    expect(told.at(-1)).toMatchObject({
      type: "progress",
      task_id: id,
      data: { completed_nodes: 601, total_nodes: 700 },
    });
  });

  it("prints with --json the last progress before the end, as the event stream does", async () => {
    const id = await newRun({ node_count: 1 });
    const piped = inPipe(id, { args: ["--json"] });
    await expect.poll(piped.stdout).toContain('"progress"');
    await api.put(id, "one");
    await api.complete(id);
    expect(await piped.ended).toBe(0);
    const types = [...piped.stdout().matchAll(/"type":"(\w+)"/g)].map(([, type]) => type);
    expect(types.slice(-2)).toEqual(["progress", "complete"]);
  });
});

describe("the pace", () => {
  const at = (seconds: number, processed: number): Sample => ({ atMs: seconds * 1000, processed });
  const paceAfter = (...samples: Sample[]) => paceOf(samples.reduce(addSample, [] as Sample[]));

  it("is that of the last minute", () => {
    const quickThenSlow = [...Array(121).keys()].map((second) => at(second, Math.min(second, 60) * 10 + second));
    expect(paceAfter(...quickThenSlow)).toBeCloseTo(1, 6);
  });

  it("is not known at first, and is that of the whole gap after an outage", () => {
    expect(paceAfter(at(0, 5))).toBeUndefined();
    expect(paceAfter(at(0, 5), at(1, 6))).toBeUndefined();
    expect(paceAfter(at(0, 0), at(1, 0), at(601, 300))).toBeCloseTo(0.5, 6);
  });
});
