/** One device of the demonstration, in a process of its own so that it can really crash. It talks by messages. */
import { type Holder, KeybeatError, type Session, startSession } from "../../src/client/index.ts";
import type { Said } from "./actor.ts";

export type ToDevice =
  | { start: { url: string; accessKey: string; name: string; ask: boolean } }
  | { network: boolean }
  | { answer: boolean };

let session: Session | undefined;
let network = true;
let answer: (takeOver: boolean) => void = () => {};

/** By the machine's clock, which the processes of the demonstration share. */
function say(event: string, detail: Record<string, unknown> = {}): void {
  process.send?.({ event, at: Date.now(), detail } satisfies Said);
}

const cable: typeof fetch = async (input, init) => {
  if (!network) throw new TypeError("the cable is out");
  return fetch(input, init);
};

async function start(options: { url: string; accessKey: string; name: string; ask: boolean }): Promise<void> {
  const ask = async (holder: Holder) => {
    say("ask", { device: holder.device?.name, since: holder.started_at });
    return new Promise<boolean>((resolve) => {
      answer = resolve;
    });
  };
  try {
    session = await startSession({
      url: options.url,
      accessKey: options.accessKey,
      device: { name: options.name },
      ...(options.ask ? { onConflict: "ask", ask } : { onConflict: "replace" }),
      fetch: (url, init) => cable(url, init),
      onEvent: (event) => say(event.type, { ...event }),
    });
  } catch (error) {
    say("refused", { code: error instanceof KeybeatError ? error.code : String(error) });
  }
}

process.on("message", async (message: ToDevice | { end: true }) => {
  if ("start" in message) await start(message.start);
  if ("network" in message) network = message.network;
  if ("answer" in message) answer(message.answer);
  if ("end" in message) {
    await session?.end();
    process.exit(0);
  }
});
process.on("disconnect", () => process.exit(0));
