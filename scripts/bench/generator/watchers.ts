/**
 * Devices that watch their session. When one is taken over, its stream must say so; then the newcomer watches instead,
 * which keeps their number constant.
 */
import { connect, type Socket } from "node:net";
import type { Fleet } from "./fleet.ts";
import { createHistogram, type Histogram, record } from "./histogram.ts";
import type { ScaleJob } from "./protocol.ts";
import type { Requests } from "./requests.ts";

const OPENING_AT_ONCE = 100;

interface Watch {
  device: number;
  socket: Socket;
  isOpen: boolean;
  /** When the stream said "replaced", and when the newcomer got its answer. */
  toldAt: number;
  takenAt: number;
  text: string;
}

export interface Watchers {
  count: number;
  /** Resolves when every stream has said "live". */
  open(): Promise<void>;
  /** A watching device, or -1 if there is none. */
  anyOpen(): number;
  /** Whether its stream is still being opened. */
  isOpening(device: number): boolean;
  onTakeover(device: number, at: number): void;
  /** Time from the newcomer's answer to the event. */
  told: Histogram;
  counts: { told: number; lost: number };
  /** Taken over and not told yet. */
  untold(): number;
  close(): void;
}

export function createWatchers(job: ScaleJob, fleet: Fleet, requests: Requests): Watchers {
  const devices = Array.from({ length: job.watchers }, (_, n) => Math.floor((n * job.beating) / job.watchers));
  const watches = new Map<number, Watch>();
  const told = createHistogram();
  const counts = { told: 0, lost: 0 };
  let closed = false;

  const watch = (device: number): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect({ ...job.target, noDelay: true });
      const one: Watch = { device, socket, isOpen: false, toldAt: 0, takenAt: 0, text: "" };
      watches.set(device, one);
      socket.on("data", (chunk) => {
        const text = one.text + chunk.toString("latin1");
        if (text.includes("event: live")) {
          one.isOpen = true;
          resolve();
        }
        if (text.includes("event: replaced")) onTold(one);
        one.text = text.slice(-20); // the name of an event may come in two pieces
      });
      socket.on("error", () => {});
      socket.once("close", () => {
        if (!closed && one.toldAt === 0) counts.lost++;
        resolve();
      });
      socket.write(requests.watch(fleet.sessionId(device)));
    });

  const onTold = (one: Watch) => {
    if (one.toldAt > 0) return;
    one.toldAt = performance.now();
    one.isOpen = false;
    counts.told++;
    passOn(one);
  };

  /** Once both the stream and the newcomer know, the newcomer watches. */
  const passOn = (one: Watch) => {
    if (one.toldAt === 0 || one.takenAt === 0) return;
    record(told, (one.toldAt - one.takenAt) * 1000);
    one.socket.destroy();
    if (!closed) void watch(one.device);
  };

  return {
    count: job.watchers,
    told,
    counts,
    async open() {
      for (let from = 0; from < devices.length; from += OPENING_AT_ONCE) {
        await Promise.all(devices.slice(from, from + OPENING_AT_ONCE).map(watch));
      }
    },
    anyOpen() {
      const device = devices[Math.floor(Math.random() * devices.length)] as number;
      return watches.get(device)?.isOpen ? device : -1;
    },
    isOpening: (device) => watches.get(device)?.isOpen === false,
    onTakeover(device, at) {
      const one = watches.get(device);
      if (!one) return;
      one.takenAt = at;
      passOn(one);
    },
    untold: () => [...watches.values()].filter((one) => one.takenAt > 0 && one.toldAt === 0).length,
    close() {
      closed = true;
      for (const one of watches.values()) one.socket.destroy();
    },
  };
}
