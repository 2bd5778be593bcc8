/** An upgrade under load: the instances restart in turn, and no caller notices. */
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { startBalancer } from "./support/balancer.ts";
import { useDatabase } from "./support/database.ts";
import { freePort } from "./support/free-port.ts";
import { type RunningServer, startServer } from "./support/process.ts";
import { newSessionId } from "./support/secrets.ts";

const RESTARTS = 6;
const CALLERS = 16;

const db = useDatabase();

interface Caller {
  /** Heartbeats that got an answer, by status. */
  answers: Record<string, number>;
  stop(): Promise<void>;
}

/** Beats on and on, over one kept connection or a new one each time; a refusal of the connection is no request. */
function beatOn(url: string, sessionId: string, keepAlive: boolean): Caller {
  const agent = new Agent({ keepAlive, maxSockets: 1 });
  const answers: Caller["answers"] = {};
  let stopped = false;
  const running = (async () => {
    while (!stopped) {
      const outcome = await beat(url, sessionId, agent);
      answers[outcome] = (answers[outcome] ?? 0) + 1;
      await sleep(20);
    }
    agent.destroy();
  })();
  return {
    answers,
    async stop() {
      stopped = true;
      await running;
    },
  };
}

function beat(url: string, session_id: string, agent: Agent): Promise<string> {
  const body = JSON.stringify({ session_id });
  return new Promise((resolve) => {
    const headers = { "Content-Type": "application/json", "Content-Length": body.length };
    const sent = request(`${url}/api/session/heartbeat`, { method: "POST", agent, headers }, (response) => {
      response.resume();
      response.once("error", (error: NodeJS.ErrnoException) => resolve(`cut: ${error.code}`));
      response.once("end", () => resolve(String(response.statusCode)));
    });
    sent.once("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code === "ECONNREFUSED" ? "refused" : `unanswered: ${error.code}`);
    });
    sent.end(body);
  });
}

const sum = (callers: Caller[]) => {
  const all: Record<string, number> = {};
  for (const { answers } of callers) for (const [is, n] of Object.entries(answers)) all[is] = (all[is] ?? 0) + n;
  return all;
};

it.each(["1", "2"])(
  "six restarts in turn leave no heartbeat without its answer, WORKERS=%s",
  async (workers) => {
    const ports = [await freePort(), await freePort()];
    const serve = (at: number) =>
      startServer({
        DATABASE_URL: db.url,
        PORT: String(ports[at]),
        DRAIN_SECONDS: "1",
        WORKERS: workers,
        LOG_LEVEL: "warn",
      });
    const servers: RunningServer[] = await Promise.all([serve(0), serve(1)]);
    const balancer = await startBalancer(ports);
    const sessions: string[] = [];
    for (let n = 0; n < CALLERS; n++) {
      const session_id = newSessionId();
      await servers[0]?.post("/api/session/start", { access_key: (await db.makeKey()).key, session_id });
      sessions.push(session_id);
    }
    const callOn = (url: string) => sessions.map((session, n) => beatOn(url, session, n % 2 === 0));
    const balanced = callOn(balancer.url);
    const direct = ports.flatMap((port) => callOn(`http://127.0.0.1:${port}`));

    for (let restart = 0; restart < RESTARTS; restart++) {
      const at = restart % 2;
      await sleep(300);
      expect(await servers[at]?.stop("SIGTERM")).toBe(0);
      servers[at] = await serve(at);
    }
    await Promise.all([...balanced, ...direct].map((caller) => caller.stop()));
    await balancer.close();
    await Promise.all(servers.map((server) => server.stop()));

    const { refused, ...answered } = sum(direct);
    expect(refused).toBeGreaterThan(0); // proves that it was queried while it was away
    expect(answered).toEqual({ 200: expect.any(Number) });
    expect(sum(balanced)).toEqual({ 200: expect.any(Number) });
    expect(sum(balanced)[200]).toBeGreaterThan(100);
  },
  240_000,
);
