/** One watch stream of a device, recorded: its first event, its last one, and how long it was open. */
import { type IncomingMessage, request } from "node:http";
import { type Answer, type Asked, type Call, GIVE_UP_MS, parseJson, readAnswer } from "./call.ts";
import { readEvents } from "./event-stream.ts";
import type { Recorder } from "./recorder.ts";

/** Resolves when the stream is over: with the ending, or with why it was not opened or was cut. */
export function openWatch(
  url: string,
  asked: Omit<Asked, "operation">,
  record: Recorder,
  signal: AbortSignal,
): Promise<Answer> {
  const sentAt = performance.now();
  const note = (status: number, answer: Answer) =>
    record.call({ ...(asked as Call), operation: "watch", sentAt, answeredAt: performance.now(), status, answer });
  return new Promise((resolve) => {
    let openedAt: number | undefined;
    let settled = false;
    const settle = (status: number, answer: Answer) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      const told = answer.is === "ended";
      if (told || (openedAt === undefined && !signal.aborted)) note(status, answer);
      if (openedAt !== undefined) record.stream({ ...asked, openedAt, closedAt: performance.now(), told });
      resolve(answer);
      sent.destroy();
    };
    const timer = setTimeout(() => settle(0, { is: "unknown", why: "timeout" }), GIVE_UP_MS);
    const cut = () => settle(0, { is: "unknown", why: "cut" });

    const sent = request(url, { agent: false, signal, headers: { Authorization: `Bearer ${asked.sessionId}` } });
    sent.on("error", cut);
    sent.once("response", (response) => {
      response.on("error", cut);
      if (response.statusCode !== 200) {
        void readWhole(response).then((body) => {
          const status = response.statusCode as number;
          settle(status, readAnswer("watch", status, body));
        }, cut);
        return;
      }
      response.once("end", cut); // without a last event: the server is going
      readEvents(response, (event, data) => {
        if (event !== "live") return settle(410, readAnswer("watch", 410, data));
        openedAt = performance.now();
        clearTimeout(timer);
        note(200, readAnswer("watch", 200, data));
      });
    });
    sent.end();
  });
}

async function readWhole(response: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const part of response.setEncoding("utf8")) text += part;
  return parseJson(text);
}
