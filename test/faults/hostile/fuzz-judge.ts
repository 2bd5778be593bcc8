/** What is wrong with the answer to a fuzzed request: the route's own schemas say what it had to be. */
import { BODY_BYTES_MAX } from "../../../src/http/json-body.ts";
import { parseJson } from "../load/call.ts";
import type { Fuzzed } from "./fuzz-requests.ts";
import type { HttpAnswer } from "./http-answers.ts";
import { judgeIssues, judgeRefusal } from "./refusals.ts";

export function judgeFuzzed(sent: Fuzzed, answer: HttpAnswer): string[] {
  const { status, text } = answer;
  const wrong = status >= 400 ? judgeRefusal(answer) : [];
  if (status >= 500) wrong.push(`answered ${status}`);
  if (sent.proper) wrong.push(...judgeProper(sent, answer));
  const said = `${sent.method} ${sent.path.slice(0, 60)} ${JSON.stringify(sent.headers).slice(0, 200)} ${sent.body?.slice(0, 300) ?? ""}`;
  return wrong.map((each) => `${each}: ${said} was answered ${status} ${text.slice(0, 200)}`);
}

/** Everything beside the body was right. */
function judgeProper({ route, body }: Fuzzed, { status, text }: HttpAnswer): string[] {
  if (body !== undefined && Buffer.byteLength(body) > BODY_BYTES_MAX) return expect(status, 413);
  if (body !== undefined && !route.request?.safeParse(parseJson(body)).success) {
    return status === 400 ? judgeIssues(text) : expect(status, 400);
  }
  if (status === 200) return fits(route.reply, text);
  const { code } = (parseJson(text) ?? {}) as { code?: string };
  return route.refusals.some((known) => known === code) ? [] : [`a proper request was refused with ${code}`];
}

const fits = (reply: Fuzzed["route"]["reply"], text: string): string[] =>
  reply === undefined || reply.safeParse(parseJson(text)).success ? [] : ["a reply that its schema does not know"];

const expect = (status: number, wanted: number): string[] => (status === wanted ? [] : [`not answered ${wanted}`]);
