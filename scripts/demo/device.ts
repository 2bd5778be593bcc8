/** One device of the demonstration, in a process of its own so that it can really crash. It talks by messages. */
import { type Holder, KeybeatError, type Session, startSession } from "../../src/client/index.ts";
import type { Said } from "./actor.ts";

interface Start {
  url: string;
  accessKey: string;
  name: string;
  ask: boolean;
  /** It proves that it is the only one, and believes only what is signed. `profile`: what an earlier run has stored. */
  trust?: { publicKey: string; profile?: string | undefined };
}

export type ToDevice =
  | { start: Start }
  | { network: boolean }
  | { answer: boolean }
  | { lease: number }
  | { returnLease: true }
  | { readProfile: true };

let session: Session | undefined;
let network = true;
let answer: (takeOver: boolean) => void = () => {};
let profile: string | undefined;

/** By the machine's clock, which the processes of the demonstration share. */
function say(event: string, detail: Record<string, unknown> = {}): void {
  process.send?.({ event, at: Date.now(), detail } satisfies Said);
}

const cable: typeof fetch = async (input, init) => {
  if (!network) throw new TypeError("the cable is out");
  return fetch(input, init);
};

const storage = {
  get: () => profile,
  set: (text: string) => {
    profile = text;
  },
  remove: () => {
    profile = undefined;
  },
};

async function start(options: Start): Promise<void> {
  profile = options.trust?.profile;
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
      startTimeoutMs: 5000,
      ...(options.trust && { publicKey: options.trust.publicKey, proof: true, storage }),
      ...(options.ask ? { onConflict: "ask", ask } : { onConflict: "replace" }),
      fetch: (url, init) => cable(url, init),
      onEvent: (event) => say(event.type, { ...event }),
    });
  } catch (error) {
    if (!(error instanceof KeybeatError)) return say("refused", { code: String(error) });
    say("refused", { code: error.code, until: error.data.leased_until });
  }
}

process.on("message", async (message: ToDevice | { end: true }) => {
  if ("start" in message) await start(message.start);
  if ("network" in message) network = message.network;
  if ("answer" in message) answer(message.answer);
  if ("lease" in message) say("leased", { ...(await session?.lease(message.lease)) });
  if ("returnLease" in message) say("returned", { success: await session?.returnLease() });
  if ("readProfile" in message) say("profile", { text: profile });
  if ("end" in message) {
    await session?.end();
    process.exit(0);
  }
});
process.on("disconnect", () => process.exit(0));
