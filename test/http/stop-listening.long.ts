/** The end of listening, as seen by callers who keep coming. */
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { Hono } from "hono";
import { expect, it, vi } from "vitest";
import { listen } from "../../src/http/server.ts";
import { createLog } from "../../src/log.ts";
import { createCounts } from "../../src/metrics/counts.ts";

/** Calls from another thread, twenty at a time with a connection each, until refused; then reports the counts. */
const CALLERS = `
  const { connect } = require("node:net");
  const { parentPort, workerData } = require("node:worker_threads");
  const counts = { answered: 0, lost: 0 };
  let refused = false;
  const call = () => new Promise((resolve) => {
    const socket = connect(workerData.port, "127.0.0.1");
    let [connected, text] = [false, ""];
    const late = setTimeout(() => socket.destroy(), 1500); // the kernel says neither yes nor no
    socket.on("connect", () => { connected = true; clearTimeout(late); socket.write(workerData.request); });
    socket.on("data", (part) => { text += part; });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(late);
      if (text.includes("HTTP/1.1 200")) counts.answered++;
      else if (connected) counts.lost++;
      else refused = true;
      resolve();
    });
  });
  const callOn = async () => { while (!refused) await call(); };
  Promise.all(Array.from({ length: 20 }, callOn)).then(() => parentPort.postMessage(counts));
`;

const PATH = "/api/session/heartbeat";
const REQUEST = `POST ${PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}`;

it("a drain resets no connection that the kernel has made, however fast they come", async () => {
  for (let round = 0; round < 5; round++) {
    let calls = 0;
    const run = async () => {
      calls++;
      await sleep(1);
      return {};
    };
    const app = {
      hono: new Hono(),
      heartbeat: { path: PATH, run },
      counts: createCounts(),
      waits: () => false,
      bodyBytesMax: () => 16_384,
    };
    const server = await listen(app, { host: "127.0.0.1", port: 0 }, createLog("silent"));
    const callers = new Worker(CALLERS, {
      eval: true,
      workerData: { port: Number(new URL(server.url).port), request: REQUEST },
    });
    const counted = new Promise<{ answered: number; lost: number }>((resolve) => callers.once("message", resolve));
    await vi.waitFor(() => expect(calls).toBeGreaterThan(50), 10_000);
    await server.drain(5000);
    const { answered, lost } = await counted;
    expect(lost).toBe(0);
    expect(answered).toBeGreaterThan(50);
  }
});
