/**
 * For comparison, servers that only echo a request's body: "bare" (node:http) or "hono" (Hono, with zod for the body),
 * in one process or in several behind one port.
 *
 *   tsx scripts/bench/echo.ts bare|hono 1|2|…
 */
import cluster from "node:cluster";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { z } from "zod";

const [kind, processes] = [process.argv[2], Number(process.argv[3] ?? 1)];

if (processes > 1 && cluster.isPrimary) startWorkers();
else listen(kind === "hono" ? honoEcho() : bareEcho());

function bareEcho(): Server {
  return createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => response.setHeader("Content-Type", "application/json").end(body));
  });
}

function honoEcho(): Server {
  const body = z.object({ session_id: z.string().regex(/^[A-Za-z0-9_-]{16,128}$/) });
  const app = new Hono();
  app.post("/api/session/heartbeat", async (c) => c.json(body.parse(await c.req.json())));
  return createAdaptorServer({ fetch: app.fetch }) as Server;
}

function listen(server: Server): void {
  server.listen(0, "127.0.0.1", () => {
    if (cluster.isPrimary) say((server.address() as AddressInfo).port);
  });
}

/** All workers share the first one's port. */
function startWorkers(): void {
  let listening = 0;
  for (let n = 0; n < processes; n++) {
    cluster.fork().once("listening", ({ port }) => {
      if (++listening === processes) say(port);
    });
  }
}

function say(port: number): void {
  console.log(`listening on http://127.0.0.1:${port}`);
}
