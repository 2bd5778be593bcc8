/** What the tests of the Python client's batch runs need: a service, apps that work on it, and a carrier between them. */
import { type IncomingMessage, type ServerResponse, request as send } from "node:http";
import { afterAll, beforeAll } from "vitest";
import { type TestDatabase, useDatabase } from "../../../support/database.ts";
import { type RunningServer, startServer } from "../../../support/process.ts";

/** Every app begins with this. Its arguments are the url, a session's id or "", and what the test adds. */
export const BATCH = `
import asyncio
logging.getLogger("asyncio").setLevel(logging.ERROR)  # dev mode warns of a slow machine
from keybeat_batch import BatchError, follow_batch, run_batch, run_batch_async
def show(session):
    say("over", **{name: session[name] for name in ("session_id", "status", "completed_nodes", "failed_nodes", "resumed_from")})
def attempt(call, *arguments, **options):
    try:
        show(call(*arguments, **options))
    except BatchError as error:
        say("lost", code=error.code, message=str(error), data=error.data)
    except KeyboardInterrupt:
        say("interrupted")
`;

export interface BatchService {
  db: TestDatabase;
  url: string;
  server: RunningServer;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says; the tests look at it
  read(id: string): Promise<any>;
  /** How often each node's result was taken in. */
  timesStored(id: string): Promise<Record<string, number>>;
}

/** The real program for a test file. */
export function useBatchService(env: Record<string, string> = {}): BatchService {
  const service = { db: useDatabase() } as BatchService;
  beforeAll(async () => {
    service.server = await startServer({ DATABASE_URL: service.db.url, CLEANUP_CRON: "", ...env });
    service.url = service.server.url;
    service.read = async (id) => (await service.server.get(`/api/v1/batch/sessions/${id}`)).body;
    service.timesStored = async (id) => {
      const rows = await service.db.sql<Array<{ node: string; times: number }>>`
        SELECT e.data->>'node_id' AS node, count(*)::int AS times
        FROM batch_events e JOIN batch_sessions s USING (run)
        WHERE s.session_id = ${id} AND e.event = 'node_complete' GROUP BY 1`;
      return Object.fromEntries(rows.map(({ node, times }) => [node, times]));
    };
  });
  afterAll(async () => {
    await service.server.stop();
  });
  return service;
}

/** `lose`: it is carried out, and its answer lost. `trickle`: its answer never ends. A number: cut after so many bytes. */
export type Carried = "pass" | "lose" | "trickle" | number;

/** Hands requests on to the service, and does with its answers what `decide` says. */
export function carry(url: string, decide: (request: IncomingMessage) => Carried) {
  return (request: IncomingMessage, response: ServerResponse) => {
    const todo = decide(request);
    if (todo === "trickle") {
      response.writeHead(200, { "Content-Type": "application/json" });
      const timer = setInterval(() => response.write(" "), 200);
      response.on("close", () => clearInterval(timer));
      return;
    }
    const { method, headers } = request;
    // Whoever takes this for its proxy asks for a whole address.
    const path = (request.url as string).replace(/^http:\/\/[^/]+/, "");
    const onward = send(url + path, { method, headers }, (answer) => {
      if (todo === "lose") {
        answer.resume().on("end", () => response.destroy());
        return;
      }
      response.writeHead(answer.statusCode as number, answer.headers);
      response.flushHeaders();
      let left = todo === "pass" ? Number.POSITIVE_INFINITY : todo;
      answer.on("data", (chunk: Buffer) => {
        response.write(chunk.subarray(0, Math.max(0, left)));
        left -= chunk.length;
        if (left <= 0) response.socket?.end();
      });
      answer.on("end", () => response.end());
      answer.on("error", () => response.destroy());
      response.on("close", () => onward.destroy());
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  };
}
