/** A service that signs its answers (src/trust/README.md), with as much of the rest as a client needs to live. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Asked, answerLeaf, eventLeaf, type Signer, signText, signTree, TIME } from "./signer.ts";

interface Seen {
  path: string;
  headers: IncomingMessage["headers"];
  // biome-ignore lint/suspicious/noExplicitAny: whatever the client sent; the tests look at it
  body: any;
}

export function createSigningService(signer: Signer) {
  const seen: Seen[] = [];
  const streams: ((event: string, body: object) => void)[] = [];

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of request) text += chunk;
    const { method = "", url: route = "", headers } = request;
    const path = route.replace(/^\/api\/session\/|\?.*/g, "");
    const body = text && JSON.parse(text);
    seen.push({ path, headers, body });
    const asked = {
      method,
      route,
      nonce: String(headers["keybeat-nonce"]),
      payload: text || (headers.authorization ?? ""),
    };
    if (path === "watch") return openStream(asked, response);
    const reply = JSON.stringify(answer(path, body));
    const [signature = ""] = signTree(signer, [answerLeaf(signer, asked, 200, reply)]);
    response.writeHead(200, { "Content-Type": "application/json", "Keybeat-Signature": signature }).end(reply);
  }

  function openStream(asked: Asked, response: ServerResponse): void {
    let [index, before] = [0, "0".repeat(64)];
    const tell = (event: string, body: object) => {
      const data = JSON.stringify(body);
      const leaf = eventLeaf(signer, asked, event, data, [index++, before]);
      before = leaf.toString("hex");
      response.write(`event: ${event}\ndata: ${data}\nsignature: ${signTree(signer, [leaf])[0]}\n\n`);
    };
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    tell("live", LIVE);
    streams.push(tell);
  }

  return { seen, streams, handle };

  function answer(path: string, body: { hours?: number; access_key?: string }): object {
    if (path === "end" || path === "lease/return") return { success: true };
    if (path !== "lease") return { ...LIVE, resumed: false, previous_session: null };
    const times = { issued_at: at(0), until: at(Number(body.hours) * 3_600_000) };
    const claims = { v: 1, kid: signer.id, lease_id: "1", key: "some-key…", generation: 7, ...times };
    return { lease: signLease(signer, claims), ...times, server_time: at(0) };
  }
}

const LIVE = { success: true, generation: 7, expires_in: 60, heartbeat_in: 27, server_time: at(0) };

function at(afterMs: number): string {
  return new Date(Number(TIME) + afterMs).toISOString();
}

function signLease(signer: Signer, claims: object): string {
  const told = Buffer.from(JSON.stringify(claims)).toString("base64url");
  return `${told}.${signText(signer, `keybeat-lease-v1\n${told}`)}`;
}
