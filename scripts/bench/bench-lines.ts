/** The lines that `npm run bench` measures, and what each is compared with. */
import type { LoadJob } from "./generator/protocol.ts";

export interface Line {
  name: string;
  connections: number;
  does:
    | { server: "bare" | "hono"; processes: number }
    | { server: "keybeat"; processes: number; request: LoadJob["request"]; signed?: true }
    | { server: "pgbench"; statement: "update" | "start" };
  /** The names of the lines that this one is divided by. */
  pgbench?: string;
  echo?: string;
  unsigned?: string;
}

const bare = (processes: number, connections: number): Line => ({
  name: nameOf("bare echo", processes, connections),
  connections,
  does: { server: "bare", processes },
});

const hono = (processes: number, connections: number): Line => ({
  name: nameOf("Hono + zod echo", processes, connections),
  connections,
  does: { server: "hono", processes },
  echo: nameOf("bare echo", processes, connections),
});

const keybeat = (request: LoadJob["request"], processes: number, connections: number, pgbench?: string): Line => ({
  name: nameOf(request, processes, connections),
  connections,
  does: { server: "keybeat", processes, request },
  echo: nameOf("bare echo", processes, connections),
  ...(pgbench && { pgbench }),
});

const signedHeartbeat = (processes: number, connections: number): Line => ({
  name: nameOf("signed heartbeat", processes, connections),
  connections,
  does: { server: "keybeat", processes, request: "heartbeat", signed: true },
  unsigned: nameOf("heartbeat", processes, connections),
});

const pgbench = (statement: "update" | "start", name: string): Line => ({
  name,
  connections: 32,
  does: { server: "pgbench", statement },
});

function nameOf(what: string, processes: number, connections: number): string {
  return `${what}, ${processes} ${processes === 1 ? "process" : "processes"}, ${connections} connections`;
}

const UPDATE = "pgbench, one-row UPDATE";
const START = "pgbench, start_session()";

/** In the order of measuring: each line stands near the one that it is divided by. */
export const LINES: Line[] = [
  ...[1, 2].flatMap((processes) => [64, 256].map((connections) => bare(processes, connections))),
  ...[1, 2].flatMap((processes) => [64, 256].map((connections) => hono(processes, connections))),
  keybeat("heartbeat", 1, 64, UPDATE),
  signedHeartbeat(1, 64),
  keybeat("heartbeat", 1, 256, UPDATE),
  signedHeartbeat(1, 256),
  keybeat("start", 1, 64, START),
  keybeat("status", 1, 64),
  keybeat("end", 1, 64),
  pgbench("update", UPDATE),
  pgbench("start", START),
  keybeat("heartbeat", 2, 64, UPDATE),
  keybeat("heartbeat", 2, 256, UPDATE),
  signedHeartbeat(2, 256),
  keybeat("start", 2, 64, START),
  keybeat("status", 2, 64),
  keybeat("end", 2, 64),
];
