/**
 * What releases before this one answered, asked again: clients written against them rely on it. The same statuses,
 * codes and headers, no field gone, none of another type; new fields may come. Each record is a release's own
 * (see record.ts), never edited afterwards.
 */
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useDatabase } from "../support/database.ts";
import { startServer } from "../support/process.ts";
import { type Answer, type Exchange, type Json, play, unfill } from "./play.ts";
import { setStage } from "./stage.ts";

const records = readdirSync("test/recorded")
  .filter((file) => file.endsWith(".answers.json"))
  .map(
    (file) =>
      JSON.parse(readFileSync(`test/recorded/${file}`, "utf8")) as { recorded_from: string; exchanges: Exchange[] },
  );

const db = useDatabase();

it("there is a record of at least one release", () => expect(records.length).toBeGreaterThan(0));

describe.each(records)("a client of $recorded_from", ({ exchanges }) => {
  let now: Exchange[];
  let clear = async () => {};

  beforeAll(async () => {
    const stage = await setStage(db.url, startServer);
    clear = stage.clear;
    const steps = exchanges.map(({ step }) => step);
    now = unfill((await play(steps, stage)) as unknown as Json, stage.names) as unknown as Exchange[];
  }, 120_000);
  afterAll(() => clear());

  const asked = exchanges.map((exchange, at) => ({ ...exchange, at })).filter(({ answer }) => answer !== undefined);
  it.each(asked)("is answered as before: $step.name", ({ answer, at }) => {
    expect(differences(answer as Answer, now[at]?.answer)).toEqual([]);
  });

  it("knows every code that the release could answer with", () => {
    const codes = new Set(JSON.stringify(exchanges).match(/(?<="code":")\w+/g));
    expect([...codes].sort()).toEqual(CODES);
  });
});

/** Those that its story brings about. */
const CODES = [
  "headers_too_large",
  "holder_changed",
  "invalid_key",
  "invalid_request",
  "key_exists",
  "key_expired",
  "key_in_use",
  "key_not_found",
  "key_revoked",
  "method_not_allowed",
  "not_active",
  "not_found",
  "payload_too_large",
  "request_timeout",
  "session_ended",
  "session_expired",
  "session_id_used",
  "session_not_found",
  "session_replaced",
  "session_revoked",
  "unauthorized",
  "unavailable",
  "unsupported_media_type",
  "user_not_found",
];

/** What a client of before would miss. */
function differences(before: Answer, now: Answer | undefined): string[] {
  if (now === undefined) return ["no answer"];
  const status = before.status === now.status ? [] : [`status ${before.status} -> ${now.status}`];
  return [...status, ...missing(before.headers, now.headers, "header"), ...missing(before.body, now.body, "body")];
}

function missing(before: Json, now: Json | undefined, path: string): string[] {
  if (Array.isArray(before) && Array.isArray(now) && before.length === now.length) {
    return before.flatMap((item, at) => missing(item, now[at], `${path}[${at}]`));
  }
  if (isObject(before) && isObject(now)) {
    return Object.entries(before).flatMap(([name, value]) => missing(value, now[name], `${path}.${name}`));
  }
  return JSON.stringify(before) === JSON.stringify(now)
    ? []
    : [`${path}: ${JSON.stringify(before)} -> ${JSON.stringify(now)}`];
}

const isObject = (value: Json | undefined): value is { [name: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
