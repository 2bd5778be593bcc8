/** The shape of every error, whichever part refuses: the application, or what is in front of it. */
import { STATUS } from "../../../src/errors.ts";
import { parseJson } from "../load/call.ts";

/** Words of the inside that no caller may ever read. */
const INSIDE = /node:|\.[jt]s:\d|PostgresError|DrizzleQuery|syntax error|encoding "UTF8"|SELECT |active_sessions|ECONN/;

const HEADER_OF: Record<number, string> = { 401: "www-authenticate", 405: "allow", 503: "retry-after" };

/** What is wrong with a 4xx or 5xx, in a few words each; empty: it is as the contract says. */
export function judgeRefusal(answer: { status: number; headers: Headers; text: string }): string[] {
  const { status, headers, text } = answer;
  if (text === "") return [`${status} with no body`];
  if (!/^application\/json\b/i.test(headers.get("content-type") ?? "")) return [`${status} that is no JSON`];
  const body = parseJson(text) as Record<string, unknown> | null | undefined;
  if (typeof body !== "object" || body === null) return [`${status} whose body is no JSON object`];
  const wrong: string[] = [];
  const { said, code } = readRefusal(body, status);
  if (typeof said !== "string" || said === "") wrong.push(`${status} without an error for a person`);
  if (STATUS[code as keyof typeof STATUS] !== status) wrong.push(`${status} with the code ${String(code)}`);
  if (typeof body.request_id !== "string" || body.request_id !== headers.get("x-request-id")) {
    wrong.push(`${status} whose request_id is not that of X-Request-Id`);
  }
  const header = HEADER_OF[status];
  if (header !== undefined && !headers.has(header)) wrong.push(`${status} without ${header}`);
  if (INSIDE.test(text)) wrong.push(`${status} that tells of the inside: ${text.slice(0, 200)}`);
  return wrong;
}

/** Those of game sessions repeat the status as their code, and have ours in the details. */
function readRefusal(body: Record<string, unknown>, status: number): { said: unknown; code: unknown } {
  if (body.code !== status) return { said: body.error, code: body.code };
  return { said: body.message, code: (body.details as { code?: unknown } | undefined)?.code };
}

/** Of a 400 from the application: each issue says where and why. */
export function judgeIssues(text: string): string[] {
  const body = (parseJson(text) ?? {}) as { issues?: unknown; details?: { issues?: unknown } };
  const issues = body.issues ?? body.details?.issues;
  const named = Array.isArray(issues) && issues.length > 0 && issues.every(isIssue);
  return named ? [] : ["400 without issues that name a path and a message"];
}

const isIssue = (issue: { path?: unknown; message?: unknown }): boolean =>
  typeof issue?.path === "string" && typeof issue.message === "string";
