/** Judges the answer to a fuzzed request by the schemas and the OpenAPI document. */
import { dropNulls } from "../../../src/http/absent.ts";
import { BODY_BYTES_MAX } from "../../../src/http/json-body.ts";
import { checkAnswer } from "../../support/document-check.ts";
import { parseJson } from "../load/call.ts";
import type { Fuzzed } from "./fuzz-requests.ts";
import type { HttpAnswer } from "./http-answers.ts";
import { judgeIssues, judgeRefusal } from "./refusals.ts";

/** What takes larger bodies, some of its routes at least. */
const HAS_OWN_LIMIT = /^\/api\/v1\/(batch|parallel|game)\//;

export function judgeFuzzed(sent: Fuzzed, answer: HttpAnswer): string[] {
  const { status, text } = answer;
  const wrong = status >= 400 ? judgeRefusal(answer) : [];
  if (status >= 500) wrong.push(`answered ${status}`);
  if (sent.known) wrong.push(...checkAnswer(describe(sent, answer)));
  if (sent.proper) wrong.push(...judgeBody(sent, answer));
  const said = `${sent.method} ${sent.path.slice(0, 60)} ${JSON.stringify(sent.headers).slice(0, 200)} ${sent.body?.slice(0, 300) ?? ""}`;
  return wrong.map((each) => `${each}: ${said} was answered ${status} ${text.slice(0, 200)}`);
}

function describe({ method, path }: Fuzzed, { status, headers, text }: HttpAnswer) {
  return { method, url: path, status, headers: Object.fromEntries(headers), body: text };
}

/** Everything beside the body was right: whether the body is, the route's own schema knows. */
function judgeBody({ route, body }: Fuzzed, { status, text }: HttpAnswer): string[] {
  if (body === undefined || route.request === undefined) return [];
  const isLarge = Buffer.byteLength(body) > BODY_BYTES_MAX;
  if (isLarge && (status === 413 || !HAS_OWN_LIMIT.test(route.path))) return status === 413 ? [] : ["not answered 413"];
  // An optional body that is empty or null counts as absent.
  if (/^\s*(null\s*)?$/.test(body) && route.request.safeParse({}).success && status < 400) return [];
  const value = parseJson(body);
  dropNulls(value, route.request);
  const right = route.request.safeParse(value).success;
  if (!right && status !== 400) return ["not answered 400"];
  if (status !== 400) return [];
  return right ? ["a proper body was answered 400"] : judgeIssues(text);
}
