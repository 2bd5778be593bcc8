/**
 * Signs what is answered to who asks for it with a nonce, in the form that README.md beside gives. It knows nothing of
 * HTTP but names and bytes.
 */
import { hash } from "node:crypto";
import { AppError } from "../errors.ts";
import { createSigner, type Sign, type Signed } from "./signer.ts";
import { chooseSigningKey, type SigningKey } from "./signing-keys.ts";

/** The headers, in small letters as Node has them. */
export const NONCE = "keybeat-nonce";
export const TRUSTS = "keybeat-trusts";
export const SIGNATURE = "Keybeat-Signature";

/** A request whose answer is to be signed. */
export interface SigningRequest {
  method: string;
  /** From /api on, with the query, as it was written. */
  route: string;
  /** Keybeat-Nonce and Keybeat-Trusts as they were sent. */
  nonce: string;
  trusts: string | undefined;
  authorization: string | undefined;
  /** As received, byte for byte; `unread`: it was too large to be read. */
  body: Uint8Array | "unread";
}

export interface AnswerSigner {
  /** The value of Keybeat-Signature. */
  signAnswer(status: number, body: string | Uint8Array): Promise<string>;
  /** The value of an event's line `signature`. Each call is for the event after the one before. */
  signEvent(event: string, data: string): Promise<string>;
}

/** Undefined: we have no key, or none that the client trusts. Throws `invalid_request` for a bad nonce where we have one. */
export type Signing = (asked: SigningRequest) => AnswerSigner | undefined;

const NONCE_FORM = /^[A-Za-z0-9_-]{16,128}$/;
const ZEROS = "0".repeat(64);

/** Of these the Authorization header is signed. Never of others: a relay could send a body's text there instead of the body. */
const BODILESS = new Set(["GET", "HEAD"]);

/**
 * `counts`: what is asked of each key by its id, and of `none`. Also without any key: that clients ask for signatures all the
 * same shows in the counts, and nowhere else.
 */
export function createSigning(keys: readonly SigningKey[], counts = new Map<string, number>()): Signing {
  for (const id of [...keys.map(({ id }) => id), "none"]) counts.set(id, 0);
  const signers = new Map(keys.map((key) => [key, createSigner(key)]));
  return (asked) => {
    if (keys.length > 0) checkNonce(asked.nonce);
    const key = chooseSigningKey(keys, asked.trusts);
    const by = key?.id ?? "none";
    counts.set(by, (counts.get(by) as number) + 1);
    return key && createAnswerSigner(asked, key.id, signers.get(key) as Sign);
  };
}

function createAnswerSigner(asked: SigningRequest, keyId: string, sign: Sign): AnswerSigner {
  const { method, route, nonce, authorization = "", body } = asked;
  const digestCredentials = () => digest(Buffer.from(authorization, "latin1"));
  const request = body === "unread" ? ZEROS : BODILESS.has(method) ? digestCredentials() : digest(body);
  let [index, before] = [0, ZEROS];
  return {
    async signAnswer(status, answer) {
      const time = Date.now();
      const fields = [keyId, method, route, status, nonce, request, digest(answer), time];
      return write(keyId, time, await sign(makeLeaf("keybeat-answer-v1", fields)));
    },
    async signEvent(event, data) {
      const time = Date.now();
      const leaf = makeLeaf("keybeat-event-v1", [
        ...[keyId, route, nonce, digestCredentials(), index, before, event, digest(data), time],
      ]);
      index++;
      before = leaf.toString("hex");
      return write(keyId, time, await sign(leaf));
    },
  };
}

function checkNonce(nonce: string): void {
  if (NONCE_FORM.test(nonce)) return;
  const message = "Keybeat-Nonce must be 16 to 128 characters of A-Z a-z 0-9 _ -";
  throw new AppError("invalid_request", `Invalid request: ${message}`, { issues: [{ path: "", message }] });
}

/** Node reads headers and addresses as Latin-1, a character for each byte received. */
const makeLeaf = (form: string, fields: Array<string | number>): Buffer =>
  hash("sha256", Buffer.from(`\0${form}\n${fields.join("\n")}`, "latin1"), "buffer");

const digest = (bytes: string | Uint8Array): string => hash("sha256", bytes, "hex");

const write = (keyId: string, time: number, { signature, place, size, path }: Signed): string =>
  `v1;${keyId};${time};${signature.toString("base64url")};${place}/${size};${path.toString("base64url")}`;
