/** Calls of the batch routes, as a worker makes them. */
import { expect } from "vitest";
import { postInit, type Reply, readReply, type TestApp } from "../../../support/app.ts";

/** `at`: where a server listens; else the application is called without a network. */
export function batchApi(app: Pick<TestApp, "fetch">, at = () => "http://localhost") {
  const send = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const init = body === undefined ? { headers } : postInit(body, headers);
    return readReply(await app.fetch(new Request(`${at()}/api/v1${path}`, { ...init, method })));
  };
  const session = (id: string) => `/batch/sessions/${id}`;
  const create = (body: object = {}, headers = {}) =>
    send("POST", "/batch/sessions", { canvas_path: "a.canvas", node_count: 3, ...body }, headers);
  return {
    send,
    create,
    /** Makes a session and returns its id. */
    async make(body: object = {}): Promise<string> {
      const { status, body: made } = await create(body);
      expect(status).toBe(201);
      return made.session_id;
    },
    read: async (id: string) => (await send("GET", session(id))).body,
    claim: (id: string, body?: object) => send("POST", `${session(id)}/claim`, body),
    move: (id: string, status: string, body: object = {}) =>
      send("POST", `${session(id)}/transition`, { status, ...body }),
    complete: (id: string, body?: object) => send("POST", `${session(id)}/complete`, body),
    progress: (id: string, body?: object) => send("POST", `${session(id)}/progress`, body),
    put: (id: string, node: string, body: string | object = "success") =>
      send(
        "PUT",
        `${session(id)}/nodes/${encodeURIComponent(node)}`,
        typeof body === "string" ? { status: body } : { status: "success", ...body },
      ),
    cancel: (id: string, body?: object) => send("POST", `${session(id)}/cancel`, body),
    resume: (id: string) => send("POST", `${session(id)}/resume`),
    execute: (body: object, headers = {}) => send("POST", "/parallel/execute", body, headers),
    status: (id: string) => send("GET", `/parallel/status/${id}`),
  };
}

/** `200`, or `409 session_over`. */
export const outcome = ({ status, body }: Reply): string => (status < 400 ? String(status) : `${status} ${body.code}`);
