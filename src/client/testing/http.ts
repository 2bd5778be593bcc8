/** The fake server's HTTP: JSON in, JSON out, event streams, and CORS. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type FakeReply, newRequestId, refusal } from "./device-sessions.ts";

const BODY_BYTES_MAX = 16 * 1024;

/** A test's page is rarely served by the fake server itself. */
const CROSS_ORIGIN = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "*, Authorization",
  "Access-Control-Expose-Headers": "Retry-After, X-Request-Id, Keybeat-Signature",
  "Cache-Control": "no-store",
};

export function sendPreflight(response: ServerResponse): void {
  response.writeHead(204, { ...CROSS_ORIGIN, "Access-Control-Allow-Methods": "GET, POST" }).end();
}

export function sendReply(response: ServerResponse, reply: FakeReply, headers: Record<string, string> = {}): void {
  const { request_id = newRequestId() } = reply.body as { request_id?: string };
  response.writeHead(reply.status, {
    ...CROSS_ORIGIN,
    "Content-Type": "application/json",
    "X-Request-Id": request_id,
    ...(reply.status === 401 && { "WWW-Authenticate": 'Bearer realm="keybeat session"' }),
    ...headers,
  });
  response.end(JSON.stringify(reply.body));
}

/** `raw`: as it came; what is too large counts as unread. */
export type ReadBody = { body: Record<string, unknown>; raw: Uint8Array | "unread"; refused?: FakeReply };

/** The body as an object, or why it is not one. */
export async function readBody(request: IncomingMessage): Promise<ReadBody> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of request) {
      parts.push(part);
      bytes += part.length;
    }
  } catch {
    return { body: {}, raw: "unread", refused: invalid("", "the body broke off") }; // nobody will read this
  }
  const raw = Buffer.concat(parts);
  if (bytes > BODY_BYTES_MAX) {
    return {
      body: {},
      raw: "unread",
      refused: refusal(413, "payload_too_large", "The body may have at most 16384 bytes"),
    };
  }
  if (!/^application\/json\b/i.test(request.headers["content-type"] ?? "")) {
    const sentence = "Please send JSON, with Content-Type: application/json";
    return { body: {}, raw, refused: refusal(415, "unsupported_media_type", sentence) };
  }
  try {
    const body: unknown = JSON.parse(raw.toString());
    // Like the service: null counts as absent.
    const given = Object.entries(Object(body)).filter(([, value]) => value !== null);
    if (typeof body === "object" && body !== null) return { body: Object.fromEntries(given), raw };
  } catch {}
  return { body: {}, raw, refused: invalid("", "the body is not valid JSON") };
}

/** Why this body does not fit that path; undefined if it does. */
export function checkBody(body: Record<string, unknown>, path: string): FakeReply | undefined {
  const { access_key, session_id, on_conflict, proof, lease, hours } = body;
  if (path === "lease/return") return typeof lease === "string" ? undefined : invalid("lease", "must be text");
  const wantsKey = path === "start" || path === "status";
  if (wantsKey && (typeof access_key !== "string" || access_key.length < 1 || access_key.length > 512)) {
    return invalid("access_key", "must have 1 to 512 characters");
  }
  const mayMiss = wantsKey && session_id === undefined;
  if (!mayMiss && !(typeof session_id === "string" && /^[\w-]{16,128}$/.test(session_id))) {
    return invalid("session_id", "must be 16 to 128 characters of A-Z a-z 0-9 _ -");
  }
  if (![undefined, "replace", "refuse"].includes(on_conflict as string | undefined)) {
    return invalid("on_conflict", 'must be "replace" or "refuse"');
  }
  if (proof !== undefined && !isProof(proof)) return invalid("proof", "must have an instance, a number and a beat_id");
  if (path === "lease" && !(typeof hours === "number" && hours >= 0.01 && hours <= 100_000)) {
    return invalid("hours", "must be 0.01 to 100000");
  }
  return undefined;
}

function isProof(value: unknown): boolean {
  const { instance, number, beat_id, answer } = Object(value);
  const isWord = (word: unknown) => typeof word === "string" && /^[\w-]{16,128}$/.test(word);
  return (
    isWord(instance) &&
    isWord(beat_id) &&
    Number.isInteger(number) &&
    (answer === undefined || typeof answer === "string")
  );
}

export function invalid(path: string, message: string): FakeReply {
  return refusal(400, "invalid_request", `Invalid request: ${path && `${path}: `}${message}`, {
    issues: [{ path, message }],
  });
}

export function openEvents(response: ServerResponse): void {
  response.writeHead(200, {
    ...CROSS_ORIGIN,
    "Cache-Control": "no-cache, no-transform",
    "Content-Type": "text/event-stream",
    "X-Request-Id": newRequestId(),
  });
}

export function writeEvent(response: ServerResponse, event: string, data: string, signature?: string): void {
  const line = signature === undefined ? "" : `signature: ${signature}\n`;
  response.write(`event: ${event}\n${line}data: ${data}\n\n`);
}
