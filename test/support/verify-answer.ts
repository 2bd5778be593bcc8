/**
 * What a client of src/trust/README.md checks, written from that page alone: nothing of the product makes the leaves
 * here, so both would have to be wrong in the same way.
 */
import { createHash, createPublicKey, verify } from "node:crypto";

/** What the client knows by itself: its request, and what it was answered. */
export interface SeenAnswer {
  method: string;
  route: string;
  nonce: string;
  /** The body as it was sent, or else the value of Authorization. */
  request: string | Buffer;
  status: number;
  body: string | Buffer;
  /** Of the header Keybeat-Signature. */
  signature: string | null | undefined;
}

export interface SeenEvent {
  event: string;
  data: string;
  signature: string | undefined;
}

interface Parts {
  keyId: string;
  time: string;
  signature: Buffer;
  place: number;
  size: number;
  path: Buffer;
}

const sha256 = (...parts: Array<string | Buffer>): Buffer =>
  parts.reduce((sum, part) => sum.update(part), createHash("sha256")).digest();
const hex = (text: string | Buffer): string => sha256(text).toString("hex");

/** What a client has of a key: its 32 public bytes in base64url. */
const openKey = (publicKey: string) =>
  createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: publicKey }, format: "jwk" });
const idOf = (publicKey: string): string => hex(Buffer.from(publicKey, "base64url")).slice(0, 16);

/** `unread`: the request's body was too large to be read, which only a 413 and an address or method that is none may say. */
export function isGenuine(publicKeys: readonly string[], answer: SeenAnswer, unread = false): boolean {
  const parts = readParts(answer.signature);
  if (parts === undefined) return false;
  const { method, route, nonce, request, status, body } = answer;
  const asked = unread ? "0".repeat(64) : hex(request);
  const leaf = sha256(
    Buffer.from([0]),
    `keybeat-answer-v1\n${parts.keyId}\n${method}\n${route}\n${status}\n${nonce}\n${asked}\n${hex(body)}\n${parts.time}`,
  );
  return isSigned(publicKeys, parts, leaf);
}

/** Takes the events of one stream in their order; false for the first that does not follow, and from then on. */
export function createEventCheck(
  publicKeys: readonly string[],
  { route, nonce, authorization }: { route: string; nonce: string; authorization: string },
): (seen: SeenEvent) => boolean {
  let [index, before, broken] = [0, "0".repeat(64), false];
  return ({ event, data, signature }) => {
    const parts = readParts(signature);
    if (broken || parts === undefined) return false;
    const leaf = sha256(
      Buffer.from([0]),
      `keybeat-event-v1\n${parts.keyId}\n${route}\n${nonce}\n${hex(authorization)}\n${index}\n${before}\n`,
      `${event}\n${hex(data)}\n${parts.time}`,
    );
    broken = !isSigned(publicKeys, parts, leaf);
    [index, before] = [index + 1, leaf.toString("hex")];
    return !broken;
  };
}

/** Of the text of a stream: its events, without comments. */
export function readEvents(text: string): SeenEvent[] {
  const field = (block: string, name: string) => new RegExp(`(?:^|\n)${name}: ([^\n]*)`).exec(block)?.[1];
  return text
    .split("\n\n")
    .filter((block) => /^event:/m.test(block))
    .map((block) => ({
      event: field(block, "event") as string,
      data: field(block, "data") as string,
      signature: field(block, "signature"),
    }));
}

function readParts(text: string | null | undefined): Parts | undefined {
  const fields = /^v1;([0-9a-f]{16});(\d{1,16});([\w-]{86});(\d{1,6})\/(\d{1,6});([\w-]*)$/.exec(text ?? "");
  if (fields === null) return undefined;
  const [, keyId, time, signed, place, size, siblings] = fields as unknown as [string, ...string[]];
  const [signature, path] = [decode(signed as string), decode(siblings as string)];
  if (signature === undefined || path === undefined) return undefined;
  return { keyId: keyId as string, time: time as string, signature, place: Number(place), size: Number(size), path };
}

/** One form only for the same bytes. */
function decode(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : undefined;
}

function isSigned(publicKeys: readonly string[], parts: Parts, leaf: Buffer): boolean {
  const publicKey = publicKeys.find((key) => idOf(key) === parts.keyId);
  const root = climb(leaf, parts);
  if (publicKey === undefined || root === undefined) return false;
  const text = `keybeat-root-v1\n${parts.keyId}\n${root.toString("hex")}`;
  return verify(null, Buffer.from(text), openKey(publicKey), parts.signature);
}

/** Undefined: the path is not of that place. */
function climb(leaf: Buffer, { place, size, path }: Parts): Buffer | undefined {
  if (place >= size) return undefined;
  let [node, at, left, rest] = [leaf, place, size, path];
  while (left > 1) {
    const hasSibling = at % 2 === 1 || at + 1 < left;
    if (hasSibling) {
      const sibling = rest.subarray(0, 32);
      if (sibling.length < 32) return undefined;
      node = at % 2 === 1 ? sha256(Buffer.from([1]), sibling, node) : sha256(Buffer.from([1]), node, sibling);
      rest = rest.subarray(32);
    }
    [at, left] = [Math.floor(at / 2), Math.ceil(left / 2)];
  }
  return rest.length === 0 ? node : undefined;
}
