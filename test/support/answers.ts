/**
 * Every answer that a server of ours gives in a test is held against the OpenAPI document: those of the application in
 * this process, called or served, and those of servers of their own. A fault fails the test in which it came.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, expect, inject } from "vitest";
import { checkAnswer } from "./document-check.ts";
import { type Answer, recordAnswers } from "./recorder.ts";
import { noteLeases } from "./secrets.ts";

const ports = new Set<number>();
const kept: Answer[] = [];
const underWay = new Set<Promise<void>>();
/** File -> how far it has been read. */
const offsets = new Map<string, number>();

function keep(answer: Answer): void {
  kept.push(answer);
  noteLeases(answer.body);
}

/** Answers of this process count from now on if they leave by this address. */
export function watchPort(url: string): void {
  ports.add(Number(new URL(url).port));
}

/** What a server has to be started with, so that its answers count. */
export function recordedServer(): { args: string[]; env: Record<string, string> } {
  const { program, folder } = inject("recorder");
  const file = join(folder, `answers-${process.pid}-${randomBytes(4).toString("hex")}.jsonl`);
  offsets.set(file, 0);
  return { args: ["--import", program], env: { KEYBEAT_TEST_ANSWERS: file } };
}

/** Passes on what a call of the application gave. */
export function watchResponse(request: Request, response: Response): Response {
  const answer = {
    method: request.method,
    url: request.url,
    status: response.status,
    headers: Object.fromEntries(response.headers),
  };
  if (response.body === null || answer.headers["content-type"]?.startsWith("text/event-stream") !== true) {
    const done = response
      .clone()
      .text()
      .then((body) => keep({ ...answer, body }))
      .finally(() => underWay.delete(done));
    underWay.add(done);
    return response;
  }
  return new Response(
    watchStream(response.body, (body) => keep({ ...answer, body })),
    response,
  );
}

function watchStream(stream: ReadableStream<Uint8Array>, keep: (body: string) => void): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (!done) {
        text += decoder.decode(value, { stream: true });
        controller.enqueue(value);
        return;
      }
      keep(text);
      controller.close();
    },
    cancel(reason) {
      keep(text);
      return reader.cancel(reason);
    },
  });
}

/** What was answered in this test so far. */
export async function seenAnswers(): Promise<readonly Answer[]> {
  await Promise.all(underWay);
  for (const file of offsets.keys()) for (const line of newLines(file)) keep(JSON.parse(line) as Answer);
  return kept;
}

/** Whole lines only: the server may be about to write the rest. */
function newLines(file: string): string[] {
  const offset = offsets.get(file) as number;
  if (!existsSync(file)) return [];
  const bytes = readFileSync(file).subarray(offset);
  const whole = bytes.lastIndexOf("\n") + 1;
  offsets.set(file, offset + whole);
  return bytes.toString("utf8", 0, whole).split("\n").slice(0, -1);
}

async function expectDescribed(): Promise<void> {
  await seenAnswers();
  const faults = new Map<string, string>();
  for (const answer of kept.splice(0)) {
    for (const fault of checkAnswer(answer)) faults.set(fault, `${fault}, as in ${answer.body.slice(0, 300)}`);
  }
  expect([...faults.values()]).toEqual([]);
}

recordAnswers({ wants: (port) => port !== undefined && ports.has(port), keep });
afterEach(expectDescribed);
afterAll(expectDescribed);
