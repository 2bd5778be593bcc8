/**
 * pgbench, where it is installed (Debian: apt-get install postgresql-contrib): the database's rate on the same rows
 * without Keybeat, with 32 clients and prepared statements, at each statement's own durability.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createHistogram, latencyOf, record } from "./generator/histogram.ts";
import type { LoadReport } from "./generator/protocol.ts";
import { DEVICE_SQL, KEY_HASH_SQL, MASKED_KEY } from "./names.ts";
import { runProgram } from "./programs.ts";
import type { Range } from "./seed.ts";

export const PGBENCH_CLIENTS = 32;

/** One row found by its key: a heartbeat as an UPDATE of its own. */
export const updateScript = (keyIds: Range): string => `
\\set id random(${keyIds.from}, ${keyIds.from + keyIds.count - 1})
UPDATE active_sessions SET last_heartbeat = clock_timestamp() + interval '1 hour' WHERE key_id = :id;
`;

/** The statement of a start, taking the key over. */
export const startScript = (keys: Range): string => {
  const withNumber = (sql: string) => sql.replaceAll(" n)", " :n)").replaceAll(" n,", " :n,");
  return `
\\set n random(${keys.from}, ${keys.from + keys.count - 1})
SELECT * FROM start_device_session(${withNumber(KEY_HASH_SQL)}, '${MASKED_KEY}', gen_random_uuid()::text, ${withNumber(DEVICE_SQL)}, false, NULL, 0, NULL);
`;
};

export async function runPgbench(
  pgbench: string,
  script: string,
  run: { seconds: number; databaseUrl: string; folder: string; signal: AbortSignal },
): Promise<LoadReport> {
  const file = join(run.folder, "pgbench.sql");
  const logPrefix = join(run.folder, "pgbench-log");
  writeFileSync(file, script);
  const how = ["-n", "-M", "prepared", "-c", String(PGBENCH_CLIENTS), "-j", "2", "-T", String(run.seconds)];
  const log = ["-l", "--sampling-rate", "0.2", "--log-prefix", logPrefix];
  const { output, cpuMicros } = await runProgram(pgbench, [...how, ...log, "-f", file, run.databaseUrl], run.signal);
  const number = (pattern: RegExp) => Number(pattern.exec(output)?.[1] ?? Number.NaN);
  const failed = number(/failed transactions: (\d+)/);
  return {
    per_second: number(/tps = ([\d.]+)/),
    answered: number(/actually processed: (\d+)/),
    latency: readLatency(run.folder),
    failures: failed > 0 ? { failed } : {},
    cpu_micros: cpuMicros,
  };
}

/** The third column of pgbench's log is the time that a transaction took, in microseconds. */
function readLatency(folder: string) {
  const histogram = createHistogram();
  for (const name of readdirSync(folder).filter((entry) => entry.startsWith("pgbench-log"))) {
    for (const line of readFileSync(join(folder, name), "utf8").split("\n")) {
      const micros = Number(line.split(" ")[2]);
      if (micros > 0) record(histogram, micros);
    }
    rmSync(join(folder, name));
  }
  return latencyOf(histogram);
}
