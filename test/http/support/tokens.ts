/** Users' tokens, and the calls of the waiting room that carry them. */
import { type CryptoKey, type JWTPayload, SignJWT } from "jose";
import { type Reply, readReply } from "../../support/app.ts";
import type { RunningServer } from "../../support/process.ts";

export const ROUTE = "/api/v1/session";

export const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;
export const utf8 = (text: string) => new TextEncoder().encode(text);

/** A token for `alice` that is good for a minute, unless said otherwise. */
export function sign(
  key: CryptoKey | Uint8Array,
  header: { alg: string; kid?: string },
  claims: JWTPayload = {},
): Promise<string> {
  return new SignJWT({ sub: "alice", exp: inSeconds(60), ...claims }).setProtectedHeader(header).sign(key);
}

export const call = async (server: RunningServer, method: string, path: string, token?: string, body?: unknown) => {
  const response = await fetch(server.url + ROUTE + path, {
    method,
    headers: {
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "Content-Type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return readReply(response);
};
export const outcome = ({ status, body }: Reply) => [status, body.code].filter((part) => part !== undefined).join(" ");
