/**
 * The connections of a server: how many there may be, and which have a request under way. Where there are as many as
 * may be, those that have been idle for the longest make room; where none is idle, who comes is answered 503, unread.
 */
import type { Socket } from "node:net";
import type { Logger } from "../log.ts";
import { writeUnparsed } from "./broken-request.ts";

/** Refusals that may be on their way at once; past them a connection is cut. */
const REFUSALS_MAX = 32;
const REFUSAL_MS_MAX = 1_000;
const FULL_MS = 1_500;
const REPORT_MS = 60_000;
/** So many of them make room at a time, as finding them costs a look at all. */
const MAKING_ROOM = 1 / 64;

export interface Connection {
  readonly socket: Socket;
  /**
   * Requests under way. Counted, not collected: a Set that requests come to and leave all the time leads from each of its
   * outgrown tables to the next (V8 keeps them so for iterators), and one table that has grown old keeps all later requests
   * from being young garbage.
   */
  asking: number;
  /** Since when nothing has come nor gone, as far as it was looked at; on performance.now(). */
  quietSince: number;
  bytesRead: number;
  /** Whether the last that came was answered; else a request is on its way, or the first is awaited. */
  atRest: boolean;
}

export interface Connections {
  /** Whether there is room for it; else it has been refused. */
  admit(socket: Socket): boolean;
  of(socket: Socket): Connection;
  begin(connection: Connection): void;
  /** Harmless for one that broke before. */
  leave(connection: Connection): void;
  /** How many requests are under way. */
  underWay(): number;
  size(): number;
  /** Whether somebody was refused a moment ago. */
  isFull(): boolean;
  /**
   * Closes those without a request under way that have been quiet for so long; longer where one is arriving, or the first is
   * awaited. To be called when all that has come was read, so not by a timer.
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
      // Of requests that were still in line for their answers when the connection broke, Node says nothing.
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
    const late = setTimeout(() => socket.destroy(), REFUSAL_MS_MAX);
    socket.once("close", () => {
      clearTimeout(late);
      refused.delete(socket);
    });
    // What it sends is taken and dropped: a connection closed with something unread takes the answer with it.
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

/** At once, and then once a minute what has come together. */
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
