/**
 * One LISTEN connection per process, with any number of channels. A dead connection is silent, so twice a second a
 * probe is sent on it that must come back; PostgreSQL delivers in order, so everything notified before has then arrived
 * too. If a probe is late, the connection is replaced; until the new one has proved itself, `proven` is false and
 * subscribers must look for themselves.
 */
import { randomBytes } from "node:crypto";
import { afterReading } from "../after-reading.ts";
import type { Logger } from "../log.ts";
import { findWay, openConnections, type Sql } from "./connections.ts";

const PROBE_MS = 500;
const ANSWER_MS_MAX = 900;

export const LISTENER_CONNECTIONS = 1;

export interface Hearing {
  /** Called with every payload on the channel. */
  hear(payload: string): void;
  /** Called when notifications may have been missed. */
  onDoubt(): void;
}

export interface Listener {
  /** Subscribes from now on; a channel may have several subscribers. */
  on(channel: string, hearing: Hearing): void;
  /** Whether everything notified up to a moment ago has arrived. */
  proven(): boolean;
  close(): Promise<void>;
}

export function openListener(url: string, log: Logger): Listener {
  const hearings = new Map<string, Hearing[]>();
  const probeChannel = `keybeat_probe_${randomBytes(8).toString("hex")}`;
  const way = findWay(url);
  let sql: Sql | undefined;
  let proven = false;
  let closed = false;
  let heard: (probe: string) => void = () => {};
  let wake: () => void = () => {};

  const drop = () => {
    void sql?.end({ timeout: 0 });
    sql = undefined;
  };

  const connect = async () => {
    const fresh: Sql = openConnections(way, {
      name: "listen",
      max: LISTENER_CONNECTIONS,
      silenceMsMax: ANSWER_MS_MAX,
      connectSeconds: 2,
      prepare: false,
      onClose: () => {
        // A closed connection reports it; the driver would reconnect, but without its LISTEN.
        if (sql !== fresh) return;
        drop();
        if (proven) wake();
      },
      onNotify(channel, payload) {
        if (channel === probeChannel) heard(payload);
        for (const { hear } of hearings.get(channel) ?? []) hear(payload);
      },
    });
    sql = fresh;
    await fresh.unsafe([...hearings.keys(), probeChannel].map((channel) => `LISTEN ${channel}`).join("; "));
  };

  const probe = async () => {
    if (!sql) await connect();
    const mark = randomBytes(8).toString("hex");
    const back = new Promise<void>((resolve) => {
      heard = (payload) => payload === mark && resolve();
    });
    await (sql as Sql).unsafe(`NOTIFY ${probeChannel}, '${mark}'`);
    await back;
  };

  const doubt = () => {
    for (const { onDoubt } of [...hearings.values()].flat()) onDoubt();
  };

  const loop = async () => {
    while (!closed) {
      const was = proven;
      try {
        await within(ANSWER_MS_MAX, probe());
        proven = true;
      } catch (err) {
        proven = false;
        if (was) log.warn({ err }, "the LISTEN connection is lost, making another");
        drop();
      }
      // Once more after reconnecting: what was notified while nobody listened is lost.
      if (was !== proven) doubt();
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, proven ? PROBE_MS : PROBE_MS / 2).unref();
      });
      if (sql === undefined && proven) {
        proven = false;
        doubt();
      }
    }
  };
  setImmediate(loop); // initial subscribers are part of the first connection

  return {
    on(channel, hearing) {
      const others = hearings.get(channel);
      hearings.set(channel, [...(others ?? []), hearing]);
      if (sql === undefined || others) return;
      drop(); // the next connection will include it
      wake();
    },
    proven: () => proven,
    async close() {
      closed = true;
      proven = false;
      await sql?.end({ timeout: 0 });
    },
  };
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => afterReading(() => reject(new Error(`no answer within ${ms} ms`))), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
