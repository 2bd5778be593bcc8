/** The real program, and what it says of a run when asked beside the client. */
import { afterAll, beforeAll } from "vitest";
import type { BatchSession, NodeItem } from "../../../../src/sessions/batch/contract.ts";
import type { TestDatabase } from "../../../support/database.ts";
import { type RunningServer, startServer } from "../../../support/process.ts";

/** Asks the service that is there now. */
export function askBatches(url: () => string) {
  const send = async (method: string, path: string, body?: object) => {
    const init: RequestInit = { method };
    if (body) {
      init.headers = { "Content-Type": "application/json" };
      init.body = JSON.stringify(body);
    }
    const response = await fetch(`${url()}/api/v1${path}`, init);
    const text = await response.text();
    // biome-ignore lint/suspicious/noExplicitAny: whatever the service says; the tests look at it
    return { status: response.status, body: (text === "" ? undefined : JSON.parse(text)) as any };
  };
  return {
    send,
    post: (path: string, body: object = {}) => send("POST", `/batch/sessions${path}`, body),
    put: (id: string, node: string, body: object) =>
      send("PUT", `/batch/sessions/${id}/nodes/${encodeURIComponent(node)}`, body),
    read: async (id: string): Promise<BatchSession> => (await send("GET", `/batch/sessions/${id}`)).body,
    async nodes(id: string): Promise<NodeItem[]> {
      const all: NodeItem[] = [];
      let cursor = "";
      do {
        const { body } = await send("GET", `/batch/sessions/${id}/nodes?limit=100${cursor}`);
        all.push(...body.nodes);
        cursor = body.next_cursor && `&cursor=${encodeURIComponent(body.next_cursor)}`;
      } while (cursor);
      return all;
    },
    /** The run of that path, the only one. */
    async only(canvasPath: string): Promise<BatchSession> {
      const { body } = await send("GET", "/batch/sessions?limit=100");
      const found = body.sessions.filter((session: BatchSession) => session.canvas_path === canvasPath);
      if (found.length !== 1) throw new Error(`${found.length} runs of ${canvasPath}`);
      return found[0];
    },
  };
}

/** The program, for all tests of a file. */
export function useService(db: TestDatabase) {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ DATABASE_URL: db.url, CLEANUP_CRON: "", HOST: "127.0.0.1" });
  });
  afterAll(async () => void (await server.stop()));
  return {
    get url() {
      return server.url;
    },
    ...askBatches(() => server.url),
  };
}

export const nodeNames = (count: number) => Array.from({ length: count }, (_, at) => `node ${at}`);

/** Resolves when the signal fires, and then fails as an aborted fetch does. */
export const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
