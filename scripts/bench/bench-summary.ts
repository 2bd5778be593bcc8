/** Summarises each line's rounds: the medians, and the range of the ratios. */
import { LINES, type Line } from "./bench-lines.ts";
import type { Measured } from "./bench-round.ts";
import { round, thousands } from "./progress.ts";

export interface Ratio {
  median: number;
  min: number;
  max: number;
}

export interface Summary {
  name: string;
  /** Why there are no figures. */
  not_measured?: string;
  per_second?: number;
  p50_ms?: number;
  p95_ms?: number;
  p99_ms?: number;
  cpu_micros?: { server: number; database: number; generator: number };
  /** A share of all the CPU that was used. */
  generator_share?: number;
  to_pgbench?: Ratio;
  to_echo?: Ratio;
  to_unsigned?: Ratio;
  failures?: Record<string, number>;
}

export function summarize(lines: Line[], rounds: Map<string, Measured[]>): Summary[] {
  return lines.map((line) => {
    const measured = rounds.get(line.name);
    if (!measured)
      return { name: line.name, not_measured: "pgbench is missing (Debian: apt-get install postgresql-contrib)" };
    const middle = (of: (one: Measured) => number) => median(measured.map(of));
    const ratioTo = (name: string | undefined) => {
      const others = name === undefined ? undefined : rounds.get(name);
      return (
        others && ratio(measured.map((one, n) => one.report.per_second / (others[n]?.report.per_second ?? Number.NaN)))
      );
    };
    const [toPgbench, toEcho, toUnsigned] = [line.pgbench, line.echo, line.unsigned].map(ratioTo);
    const cpu = measured[0]?.cpu && {
      server: round(middle((one) => one.cpu?.server ?? 0)),
      database: round(middle((one) => one.cpu?.database ?? 0)),
      generator: round(middle((one) => one.cpu?.generator ?? 0)),
    };
    return {
      name: line.name,
      per_second: Math.round(middle((one) => one.report.per_second)),
      p50_ms: round(middle((one) => one.report.latency.p50_ms)),
      p95_ms: round(middle((one) => one.report.latency.p95_ms)),
      p99_ms: round(middle((one) => one.report.latency.p99_ms)),
      ...(cpu && {
        cpu_micros: cpu,
        generator_share: round(cpu.generator / (cpu.server + cpu.database + cpu.generator)),
      }),
      ...(toPgbench && { to_pgbench: toPgbench }),
      ...(toEcho && { to_echo: toEcho }),
      ...(toUnsigned && { to_unsigned: toUnsigned }),
      failures: sumUp(measured.map((one) => one.report.failures)),
    };
  });
}

export function printTable(summaries: Summary[]): void {
  const head = [
    "",
    "a second",
    "p50",
    "p95",
    "p99 ms",
    "server",
    "database",
    "generator µs",
    "share",
    "× pgbench",
    "× echo",
    "× unsigned",
  ];
  const ratio = (r?: Ratio) => (r ? `${r.median.toFixed(2)} (${r.min.toFixed(2)}–${r.max.toFixed(2)})` : "");
  const rows = summaries.map((s) => {
    if (s.not_measured) return [s.name, "NOT MEASURED:", s.not_measured];
    const cpu = s.cpu_micros
      ? [s.cpu_micros.server, s.cpu_micros.database, s.cpu_micros.generator].map((n) => n.toFixed(1))
      : ["", "", ""];
    const share = s.generator_share === undefined ? "" : `${Math.round(s.generator_share * 100)} %`;
    const times = [s.p50_ms, s.p95_ms, s.p99_ms].map((ms) => (ms ?? 0).toFixed(2));
    return [
      s.name,
      thousands(s.per_second ?? 0),
      ...times,
      ...cpu,
      share,
      ratio(s.to_pgbench),
      ratio(s.to_echo),
      ratio(s.to_unsigned),
    ];
  });
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.filter((row) => row.length > 3).map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: string[]) =>
    cells
      .map((cell, n) => (n === 0 ? cell.padEnd(widths[0] as number) : cell.padStart(widths[n] as number)))
      .join("  ");
  console.log(line(head));
  for (const row of rows)
    console.log(
      row.length > 3 ? line(row) : `${(row[0] as string).padEnd(widths[0] as number)}  ${row.slice(1).join(" ")}`,
    );
  for (const { name, failures } of summaries) {
    const list = Object.entries(failures ?? {}).map(([code, count]) => `${code} ${thousands(count)}`);
    if (list.length > 0) console.log(`not answered with 200: ${name}: ${list.join(", ")}`);
  }
}

/** The lines whose name contains one of the words. */
export function chooseLines(words: string[] | undefined): Line[] {
  if (!words) return LINES;
  const chosen = LINES.filter((line) => words.some((word) => line.name.toLowerCase().includes(word.toLowerCase())));
  if (chosen.length === 0)
    throw new Error(`no line has ${words.join(" or ")} in its name: ${LINES.map((line) => line.name).join("; ")}`);
  return chosen;
}

function ratio(values: number[]): Ratio {
  return { median: round(median(values)), min: round(Math.min(...values)), max: round(Math.max(...values)) };
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] as number) + (sorted[Math.ceil(middle)] as number)) / 2;
}

function sumUp(all: Array<Record<string, number>>): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const one of all) for (const [code, count] of Object.entries(one)) sum[code] = (sum[code] ?? 0) + count;
  return sum;
}
