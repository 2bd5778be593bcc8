/** Calls of any route over connections that stay open, and what became of many of them. */
import { Agent, request } from "node:http";
import { round } from "./progress.ts";
import type { Teardown } from "./teardown.ts";

export interface Answer {
  /** To the whole of it. */
  ms: number;
  body: string;
}

export type Call = (method: string, path: string, body?: object) => Promise<Answer>;

/** Rejects unless the answer is a success. `always`: headers of every call. */
export function openCalls(
  root: string,
  connections: number,
  teardown: Teardown,
  always: Record<string, string> = {},
): Call {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  teardown.add(() => agent.destroy());
  return (method, path, body) => {
    const began = performance.now();
    const headers = body ? { ...always, "Content-Type": "application/json" } : always;
    return new Promise((resolve, reject) => {
      const sent = request(`${root}${path}`, { method, agent, headers });
      sent.once("error", reject);
      sent.once("response", (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part) => parts.push(part));
        response.once("error", reject);
        response.once("end", () => {
          const answer = { ms: performance.now() - began, body: String(Buffer.concat(parts)) };
          if ((response.statusCode as number) < 300) resolve(answer);
          else reject(new Error(`${method} ${path} got ${response.statusCode}: ${answer.body}`));
        });
      });
      sent.end(body && JSON.stringify(body));
    });
  };
}

export interface Load {
  calls: number;
  seconds: number;
  perSecond: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
}

/** Every connection, told its number, calls again as soon as it is answered, until time is up. */
export async function load(
  run: { seconds: number; connections: number },
  send: (connection: number) => Promise<Answer>,
): Promise<Load> {
  const took: number[] = [];
  const began = performance.now();
  const over = began + run.seconds * 1000;
  await Promise.all(
    Array.from({ length: run.connections }, async (_, connection) => {
      while (performance.now() < over) took.push((await send(connection)).ms);
    }),
  );
  return describeCalls(took, (performance.now() - began) / 1000);
}

export function describeCalls(took: number[], seconds: number): Load {
  const sorted = took.sort((a, b) => a - b);
  const percentile = (share: number) => round(sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN);
  return {
    calls: sorted.length,
    seconds,
    perSecond: Math.round(sorted.length / seconds),
    p50Ms: percentile(0.5),
    p95Ms: percentile(0.95),
    p99Ms: percentile(0.99),
  };
}
