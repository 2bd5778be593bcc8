/** A log that cannot be written never stops the service. */
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLogOutput } from "../src/log-output.ts";

let folder: string;
let pipe: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "keybeat-log-"));
  execFileSync("mkfifo", [join(folder, "pipe")]);
  pipe = openSync(join(folder, "pipe"), constants.O_RDWR | constants.O_NONBLOCK);
});
afterEach(() => {
  closeSync(pipe);
  rmSync(folder, { recursive: true });
});

/** What is in the pipe now. */
function readPipe(): string {
  const parts: Buffer[] = [];
  for (;;) {
    const part = Buffer.alloc(65_536);
    try {
      parts.push(part.subarray(0, readSync(pipe, part)));
    } catch {
      return Buffer.concat(parts).toString("utf8");
    }
  }
}

/** Reads on until nothing more comes. */
async function readAll(): Promise<string[]> {
  let text = "";
  for (let silent = 0; silent < 3; ) {
    const more = readPipe();
    text += more;
    silent = more === "" ? silent + 1 : 0;
    await sleep(150);
  }
  return text.trimEnd().split("\n");
}

const line = (n: number) => `{"n":${n},"msg":"${"x".repeat(200)} ü"}\n`;

describe("the log's output", () => {
  it("is there at once, while the reader keeps up", () => {
    createLogOutput(pipe).write(line(1));
    expect(readPipe()).toBe(line(1));
  });

  it("keeps what a slow reader has no room for, and loses no line and no order", async () => {
    const output = createLogOutput(pipe);
    const lines = Array.from({ length: 2000 }, (_, n) => line(n));
    for (const text of lines) output.write(text);
    expect(await readAll()).toEqual(lines.map((text) => text.trimEnd()));
  });

  it("does not stop the process where the pipe is full and writing to it would wait", () => {
    const waits = openSync(join(folder, "pipe"), "r+");
    const output = createLogOutput(waits);
    for (let n = 0; n < 1000; n++) output.write(line(n));
    closeSync(waits);
  });

  it("drops what nobody reads for long, says how many lines that were, and goes on", async () => {
    const output = createLogOutput(pipe);
    for (let n = 0; n < 20_000; n++) output.write(line(n));
    const read = await readAll();
    const loss = JSON.parse(read.at(-1) as string);
    expect(loss).toMatchObject({ level: 40, msg: "the log could not be written" });
    expect(loss.dropped + read.length - 1).toBe(20_000);
    expect(read.length).toBeLessThan(6_000);
    output.write(line(20_001));
    expect(readPipe()).toBe(line(20_001));
  });

  it("does not throw where the disk is full or the reader is gone", () => {
    const full = openSync("/dev/full", "w");
    const output = createLogOutput(full);
    for (let n = 0; n < 20_000; n++) output.write(line(n));
    closeSync(full);
    expect(() => output.write(line(1))).not.toThrow();
  });
});
