/**
 * The driver's sockets, with two things it lacks: a deadline for connections that went dark (a packet filter or a
 * frozen host sends no reset), and a limit on the rate of new connections, so that a server that hangs up at once is
 * not called thousands of times a second.
 */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterReading } from "../after-reading.ts";
import type { Server } from "./destination.ts";

/** The precision with which a silence is measured. */
export const SOCKET_TICK_MS = 100;
const PACE_MS_MAX = 400;

/**
 * For the driver's `socket` option. It must never throw (the driver would lose the connection's slot in its pool for
 * good), so it returns a socket that is still connecting; failures arrive as its error event.
 */
export interface SocketFactory {
  open(): Promise<Socket>;
  /** From now on, requests for a socket wait in vain. */
  close(): void;
  /** Cuts the sockets that have been quiet for that long. */
  dropQuiet(ms: number): void;
  /** Whether a socket that was open then (on performance.now()) has received anything since. */
  heardSince(moment: number): boolean;
}

/**
 * `silenceMsMax`: how long sent data may stay unanswered before the connection is cut. `onSilence` is called after such
 * a cut, with the time from when nothing came (on performance.now()).
 */
export function createSocketFactory(
  silenceMsMax: number,
  servers: Server[],
  onSilence: (since: number) => void = ignore,
): SocketFactory {
  const watched = new Map<Socket, Watch>();
  let closed = false;
  let failures = 0;
  let attempts = 0;
  let turn = Promise.resolve();

  const open = async () => {
    if (failures > 0) {
      const paceMs = Math.min(PACE_MS_MAX, 20 * 2 ** Math.min(failures, 8)) * (0.5 + Math.random() / 2);
      turn = turn.then(() => sleep(paceMs));
      await turn;
    }
    if (closed) return new Promise<never>(() => {});
    // An address that cannot be reached at all (no route, no free descriptor) fails in the very next tick. From here
    // that tick comes after the driver, which awaits the socket, has attached its listeners.
    await undefined;
    const { host, address, port } = servers[attempts++ % servers.length] as Server;
    const socket = host.startsWith("/")
      ? connect({ path: `${host}/.s.PGSQL.${port}` })
      : connect({ host: address ?? host, port, noDelay: true });
    socket.on("error", ignore); // an unhandled error would end the process
    Object.assign(socket, { host, port }); // the driver takes the name for TLS from here
    const seen = watch(socket, silenceMsMax, {
      onSilence,
      onAnswer: () => {
        failures = 0;
      },
      onEnd: (answered) => {
        watched.delete(socket);
        if (!answered) failures++;
      },
    });
    watched.set(socket, seen);
    return socket;
  };
  return {
    open,
    close() {
      closed = true;
    },
    dropQuiet(ms: number) {
      afterReading(() => {
        for (const [socket, seen] of watched) if (!socket.connecting && seen.quietMs() >= ms) cut(socket);
      });
    },
    heardSince: (moment: number) =>
      [...watched.values()].some(({ openedAt, readAt }) => openedAt < moment && readAt() > moment + SOCKET_TICK_MS),
  };
}

interface Watch {
  readonly openedAt: number;
  /** When data was last seen to have arrived; late by at most one tick. */
  readAt(): number;
  /** How long nothing has come or gone. */
  quietMs(): number;
}

/**
 * Destroys a socket that waits too long for an answer; an idle one may be silent for ever. (Data sent right after an
 * answer counts as answered with it; dropQuiet covers that call.) A socket that closes within a tick without an answer
 * is a failure. Reads counters, because the driver removes all listeners.
 */
function watch(
  socket: Socket,
  silenceMsMax: number,
  on: { onAnswer(): void; onSilence(since: number): void; onEnd(answered: boolean): void },
): Watch {
  let read = 0;
  let written = 0;
  const openedAt = performance.now();
  let readAt = 0;
  let stirredAt = openedAt;
  let writtenAtRead = 0;
  let waitingSince = performance.now();
  let answered = false;
  const stirs = () => {
    if (socket.bytesRead === read && socket.bytesWritten === written) return;
    written = socket.bytesWritten;
    stirredAt = performance.now();
  };
  const timer = setInterval(() => {
    stirs();
    if (socket.destroyed) {
      clearInterval(timer);
      on.onEnd(answered);
    } else if (socket.bytesRead !== read) {
      read = socket.bytesRead;
      readAt = performance.now();
      writtenAtRead = socket.bytesWritten;
      waitingSince = performance.now();
      if (!answered) on.onAnswer();
      answered = true;
    } else if (socket.bytesWritten === writtenAtRead && !socket.connecting) {
      waitingSince = performance.now();
    } else if (performance.now() - waitingSince > silenceMsMax) {
      afterReading(() => {
        if (socket.destroyed || socket.bytesRead !== read) return;
        cut(socket);
        on.onSilence(waitingSince);
      });
    }
  }, SOCKET_TICK_MS).unref();
  return {
    openedAt,
    readAt: () => readAt,
    quietMs() {
      stirs();
      return performance.now() - stirredAt;
    },
  };
}

/**
 * Sent data must not arrive later: after an ordinary close the kernel keeps sending for minutes, and a start or
 * heartbeat would be carried out long after its caller got 503. A reset takes it back.
 */
function cut(socket: Socket): void {
  socket.on("error", ignore); // the driver removes the first listener where it speaks TLS
  const isTcp = socket.remotePort !== undefined; // a Unix socket never goes dark on the way
  if (isTcp && !socket.connecting) socket.resetAndDestroy();
  else socket.destroy(Object.assign(new Error("the database did not answer in time"), { code: "ETIMEDOUT" }));
}

/** The driver has listeners of its own, and also sees the socket's close. */
function ignore(): void {}
