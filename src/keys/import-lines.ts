/**
 * The lines of a text of keys, from the bytes that a program of any kind has written: UTF-8 or UTF-16 by its mark, a code
 * page that was named, or, line by line, UTF-8 where it is that and Windows-1252 where it is not. However long a line is,
 * no more than what may be read of it is kept.
 */
import { UsageError } from "../errors.ts";

export const LINE_LENGTH_MAX = 4096;

export interface Line {
  text: string;
  /** It is no UTF-8, and nobody has said what it is: letters beyond ASCII may be others. */
  guessed: boolean;
}

export type Bytes = AsyncIterable<Uint8Array>;

/** Lines by the batch: as many as came at once. A line that is too long is cut to one character too many. */
export async function* linesOf(bytes: Bytes, charset: string | undefined): AsyncGenerator<Line[]> {
  let decoder: Decoder | undefined;
  let head = Buffer.alloc(0);
  const cutter = createCutter();
  for await (const part of bytes) {
    head = head.length === 0 ? Buffer.from(part) : Buffer.concat([head, part]);
    if (decoder === undefined && head.length < 2) continue;
    decoder ??= chooseDecoder(head, charset);
    yield cutter.cut(decoder.decode(head)).map(decoder.read);
    head = Buffer.alloc(0);
  }
  decoder ??= chooseDecoder(head, charset);
  yield [...cutter.cut(decoder.decode(head)), ...cutter.rest()].map(decoder.read);
}

interface Decoder {
  decode(part: Buffer): string;
  /** A line of what was decoded. */
  read(line: string): Line;
}

function chooseDecoder(head: Buffer, charset: string | undefined): Decoder {
  const mark = head.toString("latin1", 0, 2);
  if (mark === "\xff\xfe") return namedDecoder("utf-16le");
  if (mark === "\xfe\xff") return namedDecoder("utf-16be");
  if (charset !== undefined && !/^utf-?8$/i.test(charset)) return namedDecoder(charset);
  return { decode: (part) => part.toString("latin1"), read: readBytes };
}

function namedDecoder(charset: string): Decoder {
  try {
    const decoder = new TextDecoder(charset);
    if (decoder.encoding === "windows-1252") return { decode: (part) => readWindows1252(part), read: asItIs };
    return { decode: (part) => decoder.decode(part, { stream: true }), read: asItIs };
  } catch {
    throw new UsageError("this encoding is unknown: say one like utf-8, utf-16le or windows-1252");
  }
}

const asItIs = (text: string): Line => ({ text, guessed: false });
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Bytes 0x80 to 0x9f, for which some releases of Node's own decoder give control characters. */
const WINDOWS_1252 = [..."€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ"];

const readWindows1252 = (bytes: Buffer): string =>
  bytes.toString("latin1").replace(/[\x80-\x9f]/g, (byte) => WINDOWS_1252[byte.charCodeAt(0) - 0x80] as string);

/** Each character of the line is a byte so far. */
function readBytes(line: string): Line {
  if (/^[\0-\x7f]*$/.test(line)) return { text: line, guessed: false };
  const bytes = Buffer.from(line, "latin1");
  try {
    return { text: utf8.decode(bytes), guessed: false }; // a mark at the beginning is left out
  } catch {
    return { text: readWindows1252(bytes), guessed: true };
  }
}

/** Ends a line at CR, LF or both, wherever the pieces of the text were cut. */
function createCutter() {
  let begun = "";
  let endedWithCr = false;
  const append = (piece: string) => {
    if (begun.length <= LINE_LENGTH_MAX * 4) begun += piece; // of up to four bytes a character
  };
  return {
    cut(text: string): string[] {
      if (text === "") return [];
      const lines = (endedWithCr && text.startsWith("\n") ? text.slice(1) : text).split(/\r\n|\n|\r/);
      endedWithCr = text.endsWith("\r");
      append(lines[0] as string);
      if (lines.length === 1) return [];
      lines[0] = begun;
      begun = "";
      append(lines.pop() as string);
      return lines;
    },
    rest: () => (begun === "" ? [] : [begun]),
  };
}
