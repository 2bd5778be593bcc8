/** What a step expects of a reply, and the words it finds where something else came. */
import type { z } from "zod";
import type { Fields, Reply } from "./server.ts";

/** A reply was not as expected: the message says what was expected and what came. */
export class Mismatch extends Error {}

export function expectThat(holds: boolean, expected: string, came: unknown): asserts holds {
  if (!holds) throw new Mismatch(`expected ${expected}, came ${typeof came === "string" ? came : show(came)}`);
}

/** 200, with these fields. */
export function expectReply(reply: Reply, fields: Fields = {}): void {
  const same = Object.entries(fields).every(([name, value]) => reply.body[name] === value);
  const expected = Object.keys(fields).length === 0 ? "200" : `200 ${show(fields)}`;
  expectThat(reply.status === 200 && same, expected, describe(reply));
}

/** An error of the newer contract: the status, the code, a sentence, and the id of the request. Returns its body. */
export function expectError(reply: Reply, status: number, code: string): Fields {
  const { error, request_id } = reply.body;
  expectThat(reply.status === status && reply.body.code === code, `${status} ${code}`, describe(reply));
  expectThat(typeof error === "string" && error !== "", "a sentence in error", describe(reply));
  const id = reply.headers.get("x-request-id");
  expectThat(id !== null && request_id === id, `request_id as in X-Request-Id (${id})`, describe(reply));
  return reply.body;
}

/** That the value is what the contract's schema says. Returns it, typed. */
export function expectShape<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => `${issue.path.join(".") || "the body"}: ${issue.message}`);
  throw new Mismatch(`expected the contract's fields, came ${issues.join("; ")}`);
}

/** "409 key_in_use", "301 to https://…", or the status and the body. */
export function describe(reply: Reply): string {
  const location = reply.headers.get("location");
  if (reply.status >= 300 && reply.status < 400 && location !== null) return `${reply.status} to ${location}`;
  const isObject = Object.keys(reply.body).length > 0;
  return `${reply.status} ${isObject ? show(reply.body) : reply.text.trim() || "without a body"}`;
}

const show = (value: unknown): string => JSON.stringify(value) ?? "nothing";
