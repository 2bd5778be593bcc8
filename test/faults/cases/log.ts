/** The servers cannot write their log. */
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Fault, FaultRoom, Finding } from "../fault.ts";
import { underLoad } from "../scene/scene.ts";

const logDiskFull: Fault = {
  name: "log-disk-full",
  breaks: "the disk is full under the log of both servers (every write fails with ENOSPC)",
  needs: ["linux"],
  run: (room) => serveWithOutput(room, openSync("/dev/full", "w")),
};

const logUnread: Fault = {
  name: "log-unread",
  breaks: "the servers' output goes into a pipe that is full and that nobody reads",
  needs: ["linux"],
  run(room) {
    const pipe = join(room.folder, "output");
    execFileSync("mkfifo", [pipe]);
    fill(pipe);
    // Opened for reading as well, so that opening does not block; writing to it blocks for ever.
    return serveWithOutput(room, openSync(pipe, "r+"));
  },
};

/** Gives the servers enough to log: expired sessions, and 503s while the database is stopped. */
async function serveWithOutput(room: FaultRoom, output: number): Promise<Finding> {
  try {
    return await underLoad(room, { output, env: () => ({ LOG_LEVEL: "trace" }) }, async (scene) => {
      await scene.wait(room.short ? 2 : 6);
      const { stop, start } = scene.postgres;
      await scene.outage({ away: stop, seconds: room.short ? 1 : 4, back: start });
      await scene.wait(1);
      return {
        figure: `${scene.load.calls.filter(({ status }) => status === 503).length} answers that it wanted to log`,
      };
    });
  } finally {
    closeSync(output);
  }
}

function fill(pipe: string): void {
  const end = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    for (const size of [4096, 1]) while (writes(end, size));
  } finally {
    // Kept open: a pipe without a holder loses its contents.
    setTimeout(() => closeSync(end), 60_000).unref();
  }
}

function writes(end: number, size: number): boolean {
  try {
    return writeSync(end, Buffer.alloc(size, "x")) > 0;
  } catch {
    return false;
  }
}

export const logFaults: Fault[] = [logDiskFull, logUnread];
