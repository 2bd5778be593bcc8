/**
 * Kept connections to one server, each with at most one request under way. Raw sockets read into one buffer, and only
 * the needed part of an answer is parsed, as the generator shares its cores with what it measures. (Measured: 9 µs of
 * CPU a request, 7 of them the kernel's; wrk takes the same.)
 */
import { connect, type Socket } from "node:net";

const REOPEN_MS = 50;
/** Larger than any answer of ours, so that nearly all arrive in one piece. */
const READ_BYTES = 64 * 1024;
const HEAD_END = Buffer.from("\r\n\r\n");

export interface Target {
  host: string;
  port: number;
}

export interface Lane {
  /** Resolves when every connection is open. */
  opened: Promise<void>;
  /** The slot must be free. */
  send(slot: number, request: string): void;
  close(): void;
}

export interface LaneEvents {
  /** The body is `bytes` from `from` to `to`, valid only until this returns. */
  onAnswer(slot: number, status: number, bytes: Buffer, from: number, to: number): void;
  /** The connection broke under a request and is being replaced. */
  onBroken(slot: number): void;
}

export function openLane(target: Target, connections: number, events: LaneEvents): Lane {
  const shared = Buffer.allocUnsafeSlow(READ_BYTES);
  const sockets: Socket[] = [];
  const busy = new Uint8Array(connections);
  let closed = false;

  const open = (slot: number): Promise<void> => {
    const read = createReader((status, bytes, from, to) => {
      if (busy[slot] === 0) return; // unasked: a server may say why it hangs up
      busy[slot] = 0;
      events.onAnswer(slot, status, bytes, from, to);
    });
    const onread = {
      buffer: shared,
      callback: (length: number, bytes: Uint8Array) => {
        read(bytes as Buffer, length);
        return true;
      },
    };
    const socket = connect({ ...target, noDelay: true, onread });
    sockets[slot] = socket;
    return new Promise((resolve, reject) => {
      socket.once("connect", resolve);
      socket.on("error", reject); // after the connect this is ignored, and "close" follows
      socket.once("close", () => {
        if (closed) return;
        const broken = busy[slot] === 1;
        busy[slot] = 0;
        setTimeout(() => {
          if (!closed) open(slot).catch(() => {});
          if (broken) events.onBroken(slot);
        }, REOPEN_MS);
      });
    });
  };

  const opened = Promise.all(Array.from({ length: connections }, (_, slot) => open(slot)));
  return {
    opened: opened.then(() => {}),
    send(slot, request) {
      busy[slot] = 1;
      (sockets[slot] as Socket).write(request, "latin1");
    },
    close() {
      closed = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Finds whole answers in the input. Throws on what no server of ours sends: a chunked body, an answer too many. */
function createReader(onAnswer: (status: number, bytes: Buffer, from: number, to: number) => void) {
  let kept: Buffer | undefined;
  // Where the last answer's head ended and its length stood: the next one's is nearly always the same.
  let headEnd = 0;
  let lengthAt = 0;

  return (chunk: Buffer, chunkLength: number): void => {
    let bytes = chunk;
    let end = chunkLength;
    if (kept) {
      bytes = Buffer.concat([kept, chunk.subarray(0, chunkLength)]);
      end = bytes.length;
      kept = undefined;
    }
    if (headEnd + 4 > end || !isHeadEnd(bytes, headEnd) || !isLength(bytes, lengthAt)) {
      headEnd = bytes.indexOf(HEAD_END);
      lengthAt = headEnd >= 0 && headEnd + 4 <= end ? findLength(bytes, headEnd) : -1;
    }
    if (lengthAt >= 0 && headEnd + 4 <= end) {
      const from = headEnd + 4;
      const to = from + readNumber(bytes, lengthAt);
      if (to === end) {
        onAnswer(readNumber(bytes, 9), bytes, from, to);
        return;
      }
      if (to < end) throw new Error("the server sent more than was asked for");
    }
    kept = Buffer.from(bytes.subarray(0, end));
  };
}

const CR = 13;
const LF = 10;

function isHeadEnd(bytes: Buffer, at: number): boolean {
  return at > 0 && bytes[at] === CR && bytes[at + 1] === LF && bytes[at + 2] === CR && bytes[at + 3] === LF;
}

/** "…Length: " precedes it. */
function isLength(bytes: Buffer, at: number): boolean {
  return at > 4 && bytes[at - 1] === 32 && bytes[at - 2] === 58 && bytes[at - 3] === 104 && bytes[at - 4] === 116;
}

function findLength(bytes: Buffer, headEnd: number): number {
  const found = /\r\ncontent-length: /i.exec(bytes.toString("latin1", 0, headEnd));
  if (!found) throw new Error(`an answer without a length: ${bytes.toString("latin1", 0, headEnd)}`);
  return found.index + found[0].length;
}

function readNumber(bytes: Buffer, at: number): number {
  let number = 0;
  for (let digit = (bytes[at] as number) - 48; digit >= 0 && digit <= 9; digit = (bytes[++at] as number) - 48) {
    number = number * 10 + digit;
  }
  return number;
}
