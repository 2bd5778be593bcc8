/** `keybeat top`: sessions, rates and the newest takeovers, live, even through an outage of the database. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { readConfig } from "../../config.ts";
import { OperatorError } from "../../errors.ts";
import { type OutputOptions, paint, printJson } from "../output.ts";
import { repeat } from "../repeat.ts";
import { openScreen } from "../screen.ts";
import { drawFrame } from "./frame.ts";
import { type Look, openWatcher, type Picture, type Watcher } from "./watcher.ts";

const LOOK_EVERY_MS = 1000;
/** Between the two looks of a single snapshot, which give its rates. */
const SNAPSHOT_MS = 2000;
const PLAIN = { columns: 100, rows: 25 };

export function addTopCommand(program: Command): void {
  program
    .command("top")
    .description("sessions, rates and the newest takeovers, live; q or Ctrl-C ends it")
    .option("--once", "print one snapshot; so does a run without a terminal")
    .option("--json", "print a line a second as JSON, or with --once one")
    .addHelpText("after", HELP)
    .action(async (options: OutputOptions & { once?: boolean }) => {
      const watcher = openWatcher(readConfig());
      try {
        if (options.once || (!options.json && !process.stdout.isTTY)) await printOnce(watcher, options);
        else if (options.json) await printLines(watcher);
        else await show(watcher);
      } finally {
        await watcher.close();
      }
    });
}

const HELP = `
While the database is away it says so, keeps the last numbers, and goes on when it is back. It starts no embedded
database: it looks at the one that keybeat serve runs.

What it costs: a second, one reading of PostgreSQL's own counters and of the last 20 pages of the history; every 5
seconds one sequential count of the live sessions (measured: 0.1 s with a million).

Rates are taken over the last 10 seconds, in a snapshot over 2: processes with little to do tell PostgreSQL's counters
of it only every 10 seconds.`;

async function printOnce(watcher: Watcher, options: OutputOptions): Promise<void> {
  let look = await watcher.look();
  if (!("unavailable" in look)) {
    await sleep(SNAPSHOT_MS);
    look = await watcher.look();
  }
  if ("unavailable" in look) throw new OperatorError(`the database is away: ${look.unavailable}`);
  if (options.json) printJson(jsonOf(look));
  else
    console.log(drawFrame(look, undefined, { ...PLAIN, columns: process.stdout.columns || PLAIN.columns }).join("\n"));
}

async function printLines(watcher: Watcher): Promise<void> {
  const stop = new AbortController();
  const quit = () => stop.abort();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, quit);
  process.stdout.on("error", quit);
  await repeat(LOOK_EVERY_MS, stop.signal, async () => printJson(jsonOf(await watcher.look())));
}

async function show(watcher: Watcher): Promise<void> {
  const stop = new AbortController();
  let look: Look | undefined;
  let last: Picture | undefined;
  const draw = () => {
    const lines = look ? drawFrame(look, last, { columns: screen.columns, rows: screen.rows - 1 }) : [];
    screen.draw([...lines, paint("dim", look ? "q ends it" : "asking the database …")].slice(0, screen.rows));
  };
  const screen = openScreen({ quit: () => stop.abort(), resize: draw });
  draw();
  try {
    await repeat(LOOK_EVERY_MS, stop.signal, async () => {
      look = await watcher.look();
      if (!("unavailable" in look)) last = look;
      draw();
    });
  } finally {
    screen.close();
  }
}

function jsonOf(look: Look): object {
  const { at } = look;
  if ("unavailable" in look) return { at, database: "unavailable", reason: look.unavailable };
  const { rates } = look;
  const round = (each: number) => Math.round(each * 10) / 10;
  return {
    at,
    database: "ok",
    live: look.live,
    overdue: look.overdue,
    leases: look.leases,
    may_be_copied: look.mayBeCopied,
    rates: rates && {
      heartbeats: round(rates.heartbeats),
      starts: round(rates.starts),
      takeovers: round(rates.takeovers),
      other_endings: round(rates.otherEndings),
    },
    service_silent_seconds: look.serviceSilentSeconds,
    connections: look.connections,
    connections_max: look.connectionsMax,
    takeovers: look.takeovers,
  };
}
