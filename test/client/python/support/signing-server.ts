/** A service that signs its answers (src/trust/README.md), with as much of the rest as a client needs to live. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { table } from "../../support/scenario.ts";
import { type SignedRequest, TestSigner } from "../../support/test-signer.ts";

/** The key of `signing_keys` that it signs with. */
const KEY = "first";
const NOW = Date.UTC(2030, 0, 1);
const LIVE = { success: true, generation: 7, expires_in: 60, heartbeat_in: 27, server_time: at(0) };

interface Seen {
  path: string;
  headers: IncomingMessage["headers"];
  // biome-ignore lint/suspicious/noExplicitAny: whatever the client sent; the tests look at it
  body: any;
}

export function createSigningService() {
  const signer = new TestSigner(table.signing_keys);
  const seen: Seen[] = [];
  const streams: ((event: string, body: object) => void)[] = [];

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of request) text += chunk;
    const { method = "", url: route = "", headers } = request;
    const path = route.replace(/^\/api\/session\/|\?.*/g, "");
    const body = text && JSON.parse(text);
    seen.push({ path, headers, body });
    const content = text || (headers.authorization ?? "");
    const asked = { method, route, nonce: String(headers["keybeat-nonce"]), content };
    if (path === "watch") return openStream(asked, response);
    const reply = { status: 200, body: JSON.stringify(answer(path, body)), at: NOW };
    const signature = signer.signAnswer(KEY, asked, reply);
    response.writeHead(200, { "Content-Type": "application/json", "Keybeat-Signature": signature }).end(reply.body);
  }

  function openStream(asked: SignedRequest, response: ServerResponse): void {
    const sign = signer.streamSigner(KEY, asked);
    const tell = (event: string, body: object) => {
      const data = JSON.stringify(body);
      response.write(`event: ${event}\ndata: ${data}\nsignature: ${sign(event, data, NOW)}\n\n`);
    };
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    tell("live", LIVE);
    streams.push(tell);
  }

  function answer(path: string, body: { hours?: number }): object {
    if (path === "end" || path === "lease/return") return { success: true };
    if (path !== "lease") return { ...LIVE, resumed: false, previous_session: null };
    const times = { issued_at: at(0), until: at(Number(body.hours) * 3_600_000) };
    const lease = signer.signLease(KEY, { lease_id: "1", key: "some-key…", generation: 7, ...times });
    return { lease, ...times, server_time: at(0) };
  }

  return { seen, streams, handle };
}

function at(afterMs: number): string {
  return new Date(NOW + afterMs).toISOString();
}
