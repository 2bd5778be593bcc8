/**
 * A server's connections: how many there may be, and which have a request in flight. When the maximum is reached, the
 * longest idle are closed to make room; if none is idle, a new one gets 503 unread.
 */
import type { Socket } from "node:net";
import { afterReading } from "../after-reading.ts";
import type { Logger } from "../log.ts";
import { writeUnparsed } from "./broken-request.ts";

/** Refusals in progress at once; past this, connections are cut. */
const REFUSALS_MAX = 32;
const REFUSAL_MS_MAX = 1_000;
const FULL_MS = 1_500;
const REPORT_MS = 60_000;
/** How many are closed at a time, because finding them means looking at all. */
const MAKING_ROOM = 1 / 64;

export interface Connection {
  readonly socket: Socket;
  /**
   * Requests in flight. Counted, not collected: the outgrown tables of a busy Set link each to the next (V8 keeps them
   * so for iterators), and once one of them is in the old generation, all later requests survive young garbage
   * collections.
   */
  asking: number;
  /** When it was last seen active, on performance.now(). */
  quietSince: number;
  bytesRead: number;
  /** Whether the last request was answered; if not, one is arriving, or the first is awaited. */
  atRest: boolean;
}

export interface Connections {
  /** Whether there is room for it; if not, it has been refused. */
  admit(socket: Socket): boolean;
  of(socket: Socket): Connection;
  begin(connection: Connection): void;
  /** Harmless for one that broke before. */
  leave(connection: Connection): void;
  /** The number of requests in flight. */
  underWay(): number;
  size(): number;
  /** Whether a connection was refused a moment ago. */
  isFull(): boolean;
  /**
   * Closes connections without a request in flight that have been quiet for that long; longer if one is arriving, or
   * the first is awaited. Call it afterReading.
   */
  closeQuiet(ms: { atRest: number; arriving: number }): void;
  close(): void;
}

type Known = Socket & { connection?: Connection };

export function createConnections(max: number, log: Logger): Connections {
  const open = new Set<Connection>();
  const refused = new Set<Socket>();
  let underWay = 0;
  let refusedAt = Number.NEGATIVE_INFINITY;
  const report = createReport(max, log);

  const follow = (socket: Known): Connection => {
    const connection: Connection = { socket, asking: 0, quietSince: performance.now(), bytesRead: 0, atRest: false };
    socket.connection = connection;
    open.add(connection);
    socket.once("close", () => {
      open.delete(connection);
      // Node reports nothing about pipelined requests whose connection broke.
      underWay -= connection.asking;
      connection.asking = 0;
    });
    return connection;
  };

  /** Its descriptor is free when this returns. */
  const drop = (connection: Connection) => {
    open.delete(connection);
    connection.socket.destroy();
  };

  const makeRoom = (): boolean => {
    const quiet = [...open].filter(({ asking }) => asking === 0).sort((a, b) => a.quietSince - b.quietSince);
    const leaving = quiet.slice(0, Math.ceil(max * MAKING_ROOM));
    for (const connection of leaving) drop(connection);
    report({ closed: leaving.length });
    return leaving.length > 0;
  };

  const refuse = (socket: Socket) => {
    refusedAt = performance.now();
    report({ refused: 1 });
    socket.on("error", () => socket.destroy());
    if (refused.size >= REFUSALS_MAX) return socket.destroy();
    refused.add(socket);
    const late = setTimeout(() => afterReading(() => socket.destroy()), REFUSAL_MS_MAX);
    socket.once("close", () => {
      clearTimeout(late);
      refused.delete(socket);
    });
    // Its input is read and dropped: closing a connection with unread input loses the answer.
    socket.once("end", () => socket.destroy()).resume();
    socket.end(writeUnparsed("unavailable"));
  };

  return {
    admit(socket) {
      if (open.size >= max && !makeRoom()) {
        refuse(socket);
        return false;
      }
      follow(socket);
      return true;
    },
    of: (socket: Known) => socket.connection ?? follow(socket),
    begin(connection) {
      underWay++;
      connection.asking++;
    },
    leave(connection) {
      if (connection.asking === 0) return;
      underWay--;
      connection.asking--;
      if (connection.asking > 0) return;
      connection.quietSince = performance.now();
      connection.bytesRead = connection.socket.bytesRead;
      connection.atRest = true;
    },
    underWay: () => underWay,
    size: () => open.size,
    isFull: () => performance.now() - refusedAt < FULL_MS,
    closeQuiet(ms) {
      const now = performance.now();
      for (const connection of [...open]) {
        const { asking, socket } = connection;
        if (socket.bytesRead !== connection.bytesRead) {
          Object.assign(connection, { bytesRead: socket.bytesRead, quietSince: now, atRest: false });
        }
        if (asking === 0 && now - connection.quietSince >= (connection.atRest ? ms.atRest : ms.arriving))
          drop(connection);
      }
    },
    close() {
      for (const connection of [...open]) drop(connection);
      for (const socket of refused) socket.destroy();
    },
  };
}

/** At once, and then a summary once a minute. */
function createReport(connections_max: number, log: Logger): (more: { closed?: number; refused?: number }) => void {
  let [closed, refused, silentUntil] = [0, 0, 0];
  return (more) => {
    closed += more.closed ?? 0;
    refused += more.refused ?? 0;
    if (performance.now() < silentUntil || closed + refused === 0) return;
    log.warn(
      { connections_max, closed_quiet: closed, refused },
      "as many connections as this process may hold: the longest quiet are closed, else the new ones are refused",
    );
    [closed, refused, silentUntil] = [0, 0, performance.now() + REPORT_MS];
  };
}
