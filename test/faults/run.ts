/**
 * Runs the faults, one after the other, and says a line each: what was broken, whether the promises held, the figure.
 *
 *   npm run test:faults [-- name … --short --sample --list --json --all-required]
 *
 * Exit code 0: all that ran held; 1: one broke (its recording is kept, and where is said), or one could not run and
 * --all-required asks for all; 2: wrong usage. Ctrl-C ends what was started and cleans up.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { sampleOfToday } from "../support/sample.ts";
import type { Fault, Finding } from "./fault.ts";
import { FAULTS } from "./index.ts";
import { findMissing } from "./needs.ts";

interface Result extends Partial<Finding> {
  fault: Fault;
  outcome: "HELD" | "BROKEN" | "NOT RUN";
  seconds: number;
  /** Of one that did not run. */
  missing?: string[];
  /** Where the evidence is. */
  kept?: string;
}

const VIOLATIONS_SHOWN = 5;
/** With --sample: every fourth, others each day. */
const SAMPLE = 4;

async function main(): Promise<number> {
  const { values, positionals } = readArguments();
  const named = positionals.length === 0 ? FAULTS : FAULTS.filter((fault) => positionals.includes(fault.name));
  const chosen = values.sample ? sampleOfToday(named, SAMPLE) : named;
  if (values.list) {
    for (const fault of chosen) console.log(`${fault.name.padEnd(22)} ${fault.breaks}`);
    return 0;
  }
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort());
  compile();
  const results: Result[] = [];
  for (const fault of chosen) {
    if (stop.signal.aborted) break;
    const first = await runOne(fault, values.short, stop.signal);
    // A machine that others use is late now and then. What is the service's doing is late again.
    const again = values.sample && wasOnlyLate(first) && !stop.signal.aborted;
    if (again) report([first]);
    results.push(again ? await runOne(fault, values.short, stop.signal) : first);
  }
  if (values.json) for (const result of results) console.log(JSON.stringify(describe(result)));
  else report(results);
  if (stop.signal.aborted) return 130;
  const fails = ({ outcome }: Result) => outcome === "BROKEN" || (outcome === "NOT RUN" && values["all-required"]);
  return results.some(fails) ? 1 : 0;
}

function readArguments() {
  try {
    const read = parseArgs({
      allowPositionals: true,
      options: {
        short: { type: "boolean", default: false },
        sample: { type: "boolean", default: false },
        list: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        "all-required": { type: "boolean", default: false },
      },
    });
    const unknown = read.positionals.find((name) => !FAULTS.some((fault) => fault.name === name));
    if (unknown !== undefined) throw new Error(`there is no fault ${unknown}`);
    return read;
  } catch (error) {
    console.error(`${(error as Error).message}; npm run test:faults -- --list names the faults`);
    process.exit(2);
  }
}

async function runOne(fault: Fault, short: boolean, signal: AbortSignal): Promise<Result> {
  const startedAt = performance.now();
  const seconds = () => Math.round((performance.now() - startedAt) / 1000);
  const say = (line: string) => console.error(`${fault.name.padEnd(22)} ${String(seconds()).padStart(4)} s  ${line}`);
  const missing = findMissing(fault.needs ?? []);
  if (missing.length > 0) return { fault, outcome: "NOT RUN", seconds: 0, missing };
  say(fault.breaks);
  const folder = mkdtempSync(join(tmpdir(), "keybeat-fault-"));
  try {
    const { evidence, ...finding } = await fault.run({ short, folder, say, signal });
    if (finding.violations.length === 0) {
      say("held");
      return { fault, outcome: "HELD", seconds: seconds(), ...finding };
    }
    const kept = keep(fault, { ...evidence, "violations.txt": finding.violations.join("\n") });
    say(`BROKEN: ${finding.violations.length} violations`);
    return { fault, outcome: "BROKEN", seconds: seconds(), ...finding, kept };
  } catch (error) {
    const violations = [signal.aborted ? "interrupted" : `it could not be carried out: ${(error as Error).stack}`];
    return { fault, outcome: signal.aborted ? "NOT RUN" : "BROKEN", seconds: seconds(), violations };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function keep(fault: Fault, evidence: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), `keybeat-broken-${fault.name}-`));
  for (const [name, text] of Object.entries(evidence)) writeFileSync(join(folder, name), text, { mode: 0o600 });
  return folder;
}

function wasOnlyLate({ outcome, violations = [] }: Result): boolean {
  return outcome === "BROKEN" && violations.every((violation) => violation.startsWith("late-answer:"));
}

function report(results: Result[]): void {
  console.log("");
  for (const { fault, outcome, seconds, held, figure, violations = [], missing = [], kept } of results) {
    const said =
      outcome === "NOT RUN" ? missing.join("; ") || violations.join() : `${figure ?? "no figure"} | ${held ?? ""}`;
    console.log(`${outcome.padEnd(7)} ${fault.name.padEnd(22)} ${fault.breaks} | ${said} (${seconds} s)`);
    if (outcome !== "BROKEN") continue;
    for (const violation of violations.slice(0, VIOLATIONS_SHOWN)) console.log(`          ${violation}`);
    if (violations.length > VIOLATIONS_SHOWN) console.log(`          and ${violations.length - VIOLATIONS_SHOWN} more`);
    if (kept) console.log(`          all of them, the recorded history and the logs are in ${kept}`);
  }
  const count = (outcome: Result["outcome"]) => results.filter((result) => result.outcome === outcome).length;
  const total = results.reduce((sum, result) => sum + result.seconds, 0);
  console.log(
    `\n${count("HELD")} held, ${count("BROKEN")} broken, ${count("NOT RUN")} not run, in ${Math.ceil(total / 60)} min`,
  );
}

/** For programs. */
function describe({ fault, ...result }: Result) {
  return { name: fault.name, breaks: fault.breaks, ...result };
}

/** The faults break what a user runs. */
function compile(): void {
  const { status, stdout } = spawnSync("npm", ["run", "--silent", "build"], { encoding: "utf8" });
  if (status !== 0) throw new Error(`the build failed: ${stdout}`);
}

process.exitCode = await main();
