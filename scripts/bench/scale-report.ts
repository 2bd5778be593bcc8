/** Prints the figures of a scale run, one line each. */
import { thousands } from "./progress.ts";
import type { ScaleResult } from "./scale-run.ts";

export function printScale(result: ScaleResult): void {
  for (const [name, value] of linesOf(result)) console.log(`${name.padEnd(36)} ${value}`);
}

function linesOf(result: ScaleResult): Array<[string, string]> {
  const { report, table, memory, cores, cpu_micros_a_heartbeat: micros, sweep } = result;
  const times = (l: { p50_ms: number; p95_ms: number; p99_ms: number; max_ms: number }) =>
    `p50 ${l.p50_ms}  p95 ${l.p95_ms}  p99 ${l.p99_ms}  max ${l.max_ms} ms`;
  const pair = ({ at_start, at_end }: { at_start: number; at_end: number }) =>
    `${at_start} at the start, ${at_end} at the end`;
  const failures = Object.entries(report.failures).map(([code, count]) => `${code} ${count}`);
  return [
    [
      "heartbeats due / delivered a second",
      `${thousands(result.due_per_second)} / ${thousands(result.delivered_per_second)}`,
    ],
    ["heartbeats, counted from due", times(result.latency)],
    ["false expiries", `${report.expired_falsely} (in the database ${result.expired_in_database})`],
    ["other failures", failures.join(", ") || "none"],
    ["takeovers", `${report.takeovers}, ${times(report.takeover_latency)}`],
    [
      "watchers told of a takeover",
      `${report.watchers_told}, missed ${report.watchers_missed}, lost ${report.watchers_lost}; ${times(report.told_latency)}`,
    ],
    ["status", `${report.statuses}, ${times(report.status_latency)}`],
    ...(cores && micros
      ? ([
          ["cores: server, database, generator", `${cores.server}, ${cores.database}, ${cores.generator}`],
          ["CPU µs a heartbeat", `${micros.server}, ${micros.database}, ${micros.generator}`],
        ] as Array<[string, string]>)
      : []),
    ...(memory
      ? ([
          [
            "memory a process (peak)",
            memory.processes_mib.map((mib, n) => `${mib} (${memory.peak_mib[n]}) MiB`).join(", "),
          ],
          ["memory of the database", `${memory.database_mib} MiB`],
        ] as Array<[string, string]>)
      : []),
    ["bytes a session in the table", pair(table.bytes_a_session)],
    ["bytes a session in its indexes", pair(table.index_bytes_a_session)],
    ["heap-only share of the heartbeats", `${table.heap_only_share}`],
    ["WAL bytes a heartbeat", `${table.wal_bytes_a_heartbeat} (${thousands(table.wal_page_images)} page images)`],
    ["autovacuums, checkpoints", `${table.autovacuums}, ${table.checkpoints}`],
    ...(sweep
      ? ([
          ["swept", `${thousands(sweep.sessions)} in ${sweep.seconds} s (${sweep.runs} runs)`],
          ["heartbeats' p99 beside / without", `${sweep.p99_ms_beside} / ${sweep.p99_ms_quiet} ms`],
        ] as Array<[string, string]>)
      : []),
  ];
}
