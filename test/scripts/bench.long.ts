/** The benchmarks run, count what the database counted, and report. Their figures do not matter here. */
import { spawn } from "node:child_process";
import { describe, expect, it } from "vitest";

interface Run {
  code: number | null;
  output: string;
  progress: string;
}

function run(
  program: string,
  args: string[],
  onProgress: (text: string, stop: () => void) => void = () => {},
): Promise<Run> {
  const child = spawn(process.execPath, ["--import", "tsx", `scripts/bench/${program}.ts`, "--no-build", ...args]);
  const said = { output: "", progress: "" };
  child.stdout.on("data", (part) => {
    said.output += part;
  });
  child.stderr.on("data", (part) => {
    said.progress += part;
    onProgress(said.progress, () => child.kill("SIGINT"));
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, ...said })));
}

describe("npm run bench", () => {
  it("measures with the generator that it brings along, and the database has counted each heartbeat and start", async () => {
    const few = ["--sessions", "500", "--seconds", "1", "--rounds", "1", "--warm-up", "0.2"];
    const lines = [
      "heartbeat, 1 process, 64",
      "signed heartbeat, 1 process, 64",
      "start, 1 process",
      "end, 1 process",
      "bare echo, 1 process, 64",
    ];
    const only = lines.flatMap((line) => ["--only", line]);
    const { code, output, progress } = await run("bench", [...few, ...only, "--generator", "bundled", "--json"]);
    expect(code, progress).toBe(0);
    const result = JSON.parse(output);
    expect(result.lines).toHaveLength(lines.length);
    for (const line of result.lines) {
      expect(line.per_second, line.name).toBeGreaterThan(0);
      expect(line.failures, line.name).toEqual({});
    }
    const signed = result.lines.find(({ name }: { name: string }) => name.startsWith("signed"));
    expect(signed.to_unsigned.median).toBeGreaterThan(0);
    const { heartbeats, starts } = result.answered;
    expect(heartbeats).toBeGreaterThan(0);
    expect(starts).toBeGreaterThan(0);
    expect(result.database.updates).toBeGreaterThanOrEqual(heartbeats + starts);
  }, 60_000);

  it("a line that there is not is named beside those that there are", async () => {
    const { code, progress } = await run("bench", ["--only", "nonsense"]);
    expect(code).toBe(1);
    expect(progress).toContain("no line has nonsense in its name: bare echo");
  });
});

describe("npm run bench:scale", () => {
  it("any number of sessions beats at its rate, watched, taken over and asked about; none expires by mistake", async () => {
    const small = ["--sessions", "3000", "--seconds", "6", "--warm-up", "1", "--watchers", "20", "--takeovers", "20"];
    const { code, output, progress } = await run("scale", [...small, "--status", "10", "--json"]);
    expect(code, progress).toBe(0);
    const { report, ...result } = JSON.parse(output);
    expect(result.due_per_second).toBe(100); // each once in 30 s
    expect(result.delivered_per_second).toBe(100);
    expect(report.expired_falsely).toBe(0);
    expect(result.expired_in_database).toBe(0);
    expect(report.failures).toEqual({});
    expect(report.takeovers).toBeGreaterThan(100);
    expect(report.watchers_missed).toBe(0);
  }, 90_000);

  it("Ctrl-C takes down what was started, and says so", async () => {
    const { code, progress } = await run("scale", ["--sessions", "2000"], (text, stop) => {
      if (text.includes("live sessions, made in")) stop();
    });
    expect(code).toBe(130);
    expect(progress).toContain("interrupted, cleaning up");
  }, 30_000);
});

describe("npm run bench:batch", () => {
  it("measures small runs as large ones, and every watcher is told of each node", async () => {
    const small = ["--runs", "5", "--nodes", "100", "--watchers", "10", "--live", "200", "--seconds", "1"];
    const { code, output, progress } = await run("batch", [...small, "--json"]);
    expect(code, progress).toBe(0);
    const result = JSON.parse(output);
    expect(result.told).toBe(10 * 20);
    expect(result.results_per_second).toBeGreaterThan(0);
    expect(result.view_bytes).toBeLessThan(2_000);
    expect(result.bytes_a_result_beyond_content).toBeGreaterThan(0);
  }, 120_000);

  it("says so where the nodes do not divide into the groups", async () => {
    const { code, progress } = await run("batch", ["--nodes", "101"]);
    expect(code).toBe(1);
    expect(progress).toContain("--nodes is a multiple of 50");
  });
});

describe("npm run bench:game", () => {
  it("measures each call beside few and more sessions, their matches, and what is kept of them", async () => {
    const { code, output, progress } = await run("game", [
      "--sessions",
      "100",
      "--clients",
      "3",
      "--seconds",
      "1",
      "--json",
    ]);
    expect(code, progress).toBe(0);
    const result = JSON.parse(output);
    expect(result.matches).toBe(2);
    expect(result.creates_per_second).toBeGreaterThan(0);
    expect(result.actions_per_second).toBeGreaterThan(0);
    for (const size of [10, 100]) {
      for (const call of ["create", "read", "update", "end", "list", "action", "state", "analytics"]) {
        expect(result[`${call}_beside_${size}_p95_ms`], `${call} beside ${size}`).toBeGreaterThan(0);
      }
    }
    expect(result.bytes_a_session).toBeGreaterThan(0);
    expect(result.bytes_a_session).toBeLessThan(4_096);
    expect(result.rollups).toBeGreaterThan(0);
  }, 180_000);
});
