/**
 * The driver's sockets, with the two things that it lacks: a deadline on a connection that went dark (a packet
 * filter, a frozen host: no reset ever comes), and a pace of new connections, so that a server that hangs up at once
 * is not called thousands of times a second.
 */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Server } from "./destination.ts";

/** How exactly the age of a silence is known. */
export const SOCKET_TICK_MS = 100;
const PACE_MS_MAX = 400;

/**
 * For the driver's `socket` option. It must never throw (the driver would lose the connection's place in its pool for
 * good), so it hands over a socket that is still connecting: what goes wrong arrives as its error.
 */
export interface SocketFactory {
  open(): Promise<Socket>;
  /** Whoever asks for a socket from now on waits for it in vain. */
  close(): void;
  /** Cuts the sockets on which nothing has come or gone for so long. */
  dropQuiet(ms: number): void;
  /** Whether anything has come since (on performance.now()) on a socket that was open then. */
  heardSince(moment: number): boolean;
}

/** `silenceMsMax`: how long something that was sent may stay unanswered before the connection is cut. */
export function createSocketFactory(silenceMsMax: number, servers: Server[]): SocketFactory {
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
    // An address that cannot be reached at all (no route, no descriptor left) fails in the very next tick. From here on
    // that tick comes after the driver, which awaits the socket, has put its listeners on.
    await undefined;
    const { host, address, port } = servers[attempts++ % servers.length] as Server;
    const socket = host.startsWith("/")
      ? connect({ path: `${host}/.s.PGSQL.${port}` })
      : connect({ host: address ?? host, port, noDelay: true });
    socket.on("error", ignore); // one that nobody hears would end the process
    Object.assign(socket, { host, port }); // the driver takes the name for TLS from here
    const seen = watch(socket, silenceMsMax, {
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
      for (const [socket, seen] of watched) if (!socket.connecting && seen.quietMs() >= ms) cut(socket);
    },
    heardSince: (moment: number) =>
      [...watched.values()].some(({ openedAt, readAt }) => openedAt < moment && readAt() > moment + SOCKET_TICK_MS),
  };
}

interface Watch {
  readonly openedAt: number;
  /** When was last seen that something had come; a tick late at most. */
  readAt(): number;
  /** For how long nothing has come or gone. */
  quietMs(): number;
}

/**
 * Destroys a socket that waits too long for an answer; an idle one may be silent for ever. (What was sent just after an
 * answer is taken for answered with it: whose call that is calls dropQuiet.) A socket that was closed before it lived for
 * a tick with an answer is a failure. Looks at counters, as the driver takes away all listeners.
 */
function watch(socket: Socket, silenceMsMax: number, on: { onAnswer(): void; onEnd(answered: boolean): void }): Watch {
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
      cut(socket);
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
 * What was sent must not arrive later: the kernel would go on sending it for minutes after an ordinary close, and a start
 * or a heartbeat would be carried out long after its caller was told 503. A reset takes it back.
 */
function cut(socket: Socket): void {
  socket.on("error", ignore); // the driver took the one of the beginning away where it speaks TLS
  const isTcp = socket.remotePort !== undefined; // a path's socket never goes dark on the way
  if (isTcp && !socket.connecting) socket.resetAndDestroy();
  else socket.destroy(Object.assign(new Error("the database did not answer in time"), { code: "ETIMEDOUT" }));
}

/** The driver has listeners of its own, and learns of it as the socket's close too. */
function ignore(): void {}
