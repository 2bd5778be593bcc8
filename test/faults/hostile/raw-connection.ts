/** A connection on which an attacker writes anything, and what the server answered. */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type HttpAnswer, readAnswers } from "./http-answers.ts";

export interface RawConnection {
  socket: Socket;
  openedAt: number;
  /** Undefined: the server still keeps it. */
  closedAt(): number | undefined;
  received(): Buffer;
  /** Resolves when either side has closed it. */
  closed: Promise<void>;
}

export interface Exchange {
  answers: HttpAnswer[];
  /** What came and is no whole HTTP answer. */
  rest: Buffer;
  /** Whether the server ended the connection. */
  closed: boolean;
}

/** What comes in is kept; a reader that reads nothing pauses the socket. */
export function openRaw(url: string): RawConnection {
  const { hostname, port } = new URL(url);
  const parts: Buffer[] = [];
  let closedAt: number | undefined;
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.on("error", () => {}); // cut off, as expected
  socket.on("data", (part: Buffer) => parts.push(part));
  socket.on("end", () => socket.end());
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => {
      closedAt = performance.now();
      resolve();
    });
  });
  return {
    socket,
    openedAt: performance.now(),
    closed,
    closedAt: () => closedAt,
    received: () => Buffer.concat(parts),
  };
}

const QUIET_MS = 250;

/**
 * Sends the bytes and reads until the server closes or, having answered something, says no more for a moment. One that
 * says nothing for `patienceMs` is given up, and its connection is still open then.
 */
export async function exchange(
  url: string,
  bytes: Buffer,
  { patienceMs, halfClose = false }: { patienceMs: number; halfClose?: boolean },
): Promise<Exchange> {
  const raw = openRaw(url);
  let heardAt = performance.now();
  let heard = 0;
  raw.socket.write(bytes);
  if (halfClose) raw.socket.end();
  const isOver = () => {
    const now = performance.now();
    const size = raw.socket.bytesRead;
    if (size !== heard) [heard, heardAt] = [size, now];
    if (raw.closedAt() !== undefined) return true;
    return now - heardAt > (heard > 0 ? QUIET_MS : patienceMs);
  };
  while (!isOver()) await sleep(10);
  const closed = raw.closedAt() !== undefined;
  raw.socket.destroy();
  return { ...readAnswers(raw.received()), closed };
}
