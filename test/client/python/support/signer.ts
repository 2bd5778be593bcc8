/** Signs as src/trust/README.md says, written from that page alone: what keybeat_trust.py is held against. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

export interface Signer {
  id: string;
  /** 32 bytes in base64url. */
  publicKey: string;
  key: KeyObject;
}

export interface Asked {
  method: string;
  route: string;
  nonce: string;
  /** The request's body; without one the Authorization header's value. */
  payload: string;
}

export const sha256 = (...parts: (string | Uint8Array)[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

export function makeSigner(): Signer {
  const pair = generateKeyPairSync("ed25519");
  const encoded = pair.publicKey.export({ type: "spki", format: "der" }).subarray(-32);
  return {
    id: sha256(encoded).toString("hex").slice(0, 16),
    publicKey: encoded.toString("base64url"),
    key: pair.privateKey,
  };
}

export const TIME = "1900000000123";

export function answerLeaf(signer: Signer, asked: Asked, status: number, body: string): Buffer {
  const { method, route, nonce, payload } = asked;
  const digests = [sha256(payload).toString("hex"), sha256(body).toString("hex")];
  const text = ["keybeat-answer-v1", signer.id, method, route, status, nonce, ...digests, TIME].join("\n");
  return sha256(Buffer.of(0), text);
}

export function eventLeaf(signer: Signer, asked: Asked, event: string, data: string, after: [number, string]): Buffer {
  const { route, nonce, payload } = asked;
  const said = [sha256(payload).toString("hex"), ...after, event, sha256(data).toString("hex"), TIME];
  return sha256(Buffer.of(0), ["keybeat-event-v1", signer.id, route, nonce, ...said].join("\n"));
}

/** The header's value for each of the leaves, signed as one tree. */
export function signTree(signer: Signer, leaves: Buffer[]): string[] {
  const paths = leaves.map(() => [] as Buffer[]);
  let [row, below] = [leaves, leaves.map((_, index) => [index])];
  while (row.length > 1) {
    const [above, of]: [Buffer[], number[][]] = [[], []];
    for (let at = 0; at < row.length; at += 2) {
      const [left, right] = [row[at] as Buffer, row[at + 1]];
      for (const leaf of right ? (below[at] as number[]) : []) paths[leaf]?.push(right as Buffer);
      for (const leaf of right ? (below[at + 1] as number[]) : []) paths[leaf]?.push(left);
      above.push(right ? sha256(Buffer.of(1), left, right) : left);
      of.push([...(below[at] as number[]), ...(below[at + 1] ?? [])]);
    }
    [row, below] = [above, of];
  }
  const root = (row[0] as Buffer).toString("hex");
  const signed = signText(signer, `keybeat-root-v1\n${signer.id}\n${root}`);
  return paths.map((path, place) => {
    const siblings = Buffer.concat(path).toString("base64url");
    return `v1;${signer.id};${TIME};${signed};${place}/${leaves.length};${siblings}`;
  });
}

/** The signature over a text in base64url. */
export const signText = ({ key }: Signer, text: string): string =>
  sign(null, Buffer.from(text), key).toString("base64url");
