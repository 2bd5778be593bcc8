/**
 * `keybeat check`: walks the whole story of a device session against a running server, ours or another that speaks the
 * contract or its older subset, and reports whether each guarantee holds.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { importPublicKeys, type PublicKeys } from "../../client/trust/public-keys.ts";
import { OperatorError, UsageError } from "../../errors.ts";
import { type OutputOptions, printJson } from "../output.ts";
import { ONE_DEVICE, REFUSALS } from "./one-device.ts";
import { NoAnswer, openServer } from "./server.ts";
import { newStory, type Story } from "./story.ts";
import { ENDINGS, EXPIRY, LAST, TAKEOVER } from "./takeover.ts";

interface CheckOptions extends OutputOptions {
  key: string;
  expiry?: boolean;
  publicKey?: string;
}

interface Result {
  name: string;
  passed: boolean;
  /** What was expected, and what came. */
  detail?: string;
}

export function addCheckCommand(program: Command): void {
  program
    .command("check <url>")
    .description("walk the whole device-session story against a running server, and say what holds")
    .requiredOption("--key <key>", "an access key of that server; it is taken over, so use a spare one")
    .option("--expiry", "also wait until a silent session expires (a minute, by default)")
    .option("--public-key <keys>", "take only what one of these keys signed for an answer (commas between)")
    .option("--json", "print one JSON object: passed, failed, steps")
    .addHelpText("after", HELP)
    .action(check);
}

const HELP = `
Plays two devices that share one key: health, start, heartbeat, status, takeover, late end, end. Prints a line a step,
PASS or FAIL with what was expected and what came. It asks only over HTTP, so it also checks servers that are not
Keybeat; one that speaks only the older subset (replies without a generation) is held to that subset.

It takes the key over: a device that uses it is thrown out. So use a spare key. The key is left free at the end, also
after a failure or Ctrl-C. No whole key or session id is printed.

With --public-key every answer about sessions must be signed for its very request, as a client with that publicKey wants it.

Exit codes: 0 everything passed, 1 something failed, 2 wrong usage.

Example:
  $ keybeat keys create --label "spare, for checks"
  3v9k2c7m…
  $ keybeat check http://127.0.0.1:3000 --key 3v9k2c7m…
  PASS health: the server answers
  PASS start: device A gets a session under the id that it chose
  …
  31/31 passed`;

async function check(url: string, options: CheckOptions): Promise<void> {
  const base = readUrl(url);
  if (options.key === "") throw new UsageError("--key is empty");
  const publicKeys = options.publicKey === undefined ? undefined : await readPublicKeys(options.publicKey);
  const stop = new AbortController();
  const forget = onceStopped(() => stop.abort());
  const server = openServer(base, options.key, stop.signal, publicKeys);
  const story = newStory(server, (seconds, why) => waitAloud(seconds, why, stop.signal));
  try {
    const results = await tell(story, options, stop.signal);
    const failed = results.filter((result) => !result.passed).length;
    const passed = results.length - failed;
    if (options.json) printJson({ passed, failed, steps: results });
    else console.log(`${passed}/${results.length} passed`);
    if (failed > 0) throw new OperatorError(`${failed} of ${results.length} checks failed`);
  } catch (error) {
    throw stop.signal.aborted ? new OperatorError("interrupted") : error;
  } finally {
    const free = await server.freeKey();
    if (!free && server.replies.length > 0) console.error("the key may be in use until its last session expires");
    forget();
  }
}

/** Runs the steps in order, and stops when the rest makes no sense. Throws only if interrupted. */
async function tell(story: Story, options: CheckOptions, stop: AbortSignal): Promise<Result[]> {
  const steps = [...ONE_DEVICE, ...REFUSALS, ...TAKEOVER, ...ENDINGS, ...(options.expiry ? EXPIRY : []), ...LAST];
  const say = options.json ? () => {} : (line: string) => console.log(line);
  const results: Result[] = [];
  let silent = 0;
  for (const step of steps) {
    stop.throwIfAborted();
    if (step.when && !step.when(story)) continue;
    const error = await step.run(story).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    stop.throwIfAborted();
    const detail = error && story.server.printable(error.message);
    results.push({ name: step.name, passed: !error, ...(error && { detail }) });
    say(error ? `FAIL ${step.name}: ${detail}` : `PASS ${step.name}`);

    silent = error instanceof NoAnswer ? silent + 1 : 0;
    const gone = silent > 1 || story.server.replies.length === 0;
    if (gone || (error && step.essential)) break;
    if (step.essential) for (const note of notesOn(story)) say(note);
  }
  return results;
}

/** Facts from the first start that help to understand the rest. */
function notesOn({ newer, a }: Story): string[] {
  const notes: string[] = [];
  if (!newer) notes.push("this server speaks the older subset of the contract, so only that is checked");
  if (a.reply?.body.previous_session_terminated === true) {
    notes.push("note: the key was in use, and its session has been ended by this check");
  }
  return notes;
}

async function readPublicKeys(text: string): Promise<PublicKeys> {
  try {
    return await importPublicKeys(text.split(",").map((key) => key.trim()));
  } catch {
    throw new UsageError("--public-key must be 32 bytes in base64url, as keybeat signing-key show prints it");
  }
}

/** The address without a trailing slash. Refuses, in words, what fetch would refuse. */
function readUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) throw new UsageError("the URL must look like http://127.0.0.1:3000");
  if (url.username !== "" || url.password !== "") throw new UsageError("the URL must not hold a user or a password");
  return url.origin + url.pathname.replace(/(^|[^/])\/+$/, "$1");
}

/**
 * The first signal stops the check in order, as does a closed output pipe (`| head`); a second signal ends the process
 * at once. Returns a function that undoes this.
 */
function onceStopped(stop: () => void): () => void {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.once(signal, stop);
  process.stdout.on("error", stop); // for good: the last write may fail after the check is over
  return () => {
    for (const signal of signals) process.off(signal, stop);
  };
}

async function waitAloud(seconds: number, why: string | undefined, stop: AbortSignal): Promise<void> {
  if (why !== undefined) console.error(`waiting ${seconds} s ${why}`);
  for (let left = seconds; left > 0; left--) {
    if (process.stderr.isTTY) process.stderr.write(`\r${Math.ceil(left)} s left \r`);
    await sleep(Math.min(1, left) * 1000, undefined, { signal: stop });
  }
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
}
