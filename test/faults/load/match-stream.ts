/** What a match's event stream brings at once, to whoever says what is known already. */
import { type Agent, request } from "node:http";
import { GIVE_UP_MS } from "./call.ts";
import { readEvents } from "./event-stream.ts";
import type { ToldEvent } from "./match-call.ts";

/** No further event for so long: it has told what there was. */
const QUIET_MS = 250;
const LISTEN_MS_MAX = 1_000;

export type Told =
  | { status: number; body: { events: ToldEvent[] } | undefined }
  | { is: "unknown"; why: "timeout" | "cut" };

/** Resolves when the stream is over, or quiet. A stream that was cut has told what it told. */
export function listen(url: string, headers: Record<string, string>, agent: Agent | undefined): Promise<Told> {
  return new Promise((resolve) => {
    const events: ToldEvent[] = [];
    let status: number | undefined;
    let quiet: NodeJS.Timeout | undefined;
    let enough: NodeJS.Timeout | undefined;
    const settle = (told: Told) => {
      for (const timer of [lost, quiet, enough]) clearTimeout(timer);
      resolve(told);
      sent.destroy();
    };
    const done = () =>
      settle(
        status === undefined ? { is: "unknown", why: "cut" } : { status, body: status < 300 ? { events } : undefined },
      );
    const lost = setTimeout(() => settle({ is: "unknown", why: "timeout" }), GIVE_UP_MS);
    const sent = request(url, { agent, headers });
    sent.on("error", done);
    sent.once("response", (response) => {
      status = response.statusCode as number;
      clearTimeout(lost);
      enough = setTimeout(done, LISTEN_MS_MAX);
      quiet = setTimeout(done, QUIET_MS);
      response.on("error", done).once("end", done);
      readEvents(response, (event, data, id) => {
        quiet?.refresh();
        events.push({ id: Number(id), event, data: data as ToldEvent["data"] });
      });
    });
    sent.end();
  });
}
