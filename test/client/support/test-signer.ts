/**
 * Signs as the service does (src/trust/README.md), with fixed keys, and wrongly where a scenario wants that. Written from that
 * page alone, so that the client is not held against a mistake that it shares with the service.
 */
import { createHash, createPrivateKey, type KeyObject, sign } from "node:crypto";
import type { Fault, SigningKey } from "./scenario.ts";

const PKCS8 = "302e020100300506032b657004220420";
const NO_LEAF = "0".repeat(64);
/** Trees of one answer and of several, with the answer in each place. */
const SIZES_MAX = 7;

export interface SignedRequest {
  method: string;
  route: string;
  nonce: string;
  /** The body or, without one, the Authorization header. */
  content: string;
}

export class TestSigner {
  readonly #keys: Record<string, SigningKey>;
  readonly #secrets = new Map<string, KeyObject>();
  #signed = 0;

  constructor(keys: Record<string, SigningKey>) {
    this.#keys = keys;
    for (const [name, { seed }] of Object.entries(keys)) {
      const key = Buffer.concat([Buffer.from(PKCS8, "hex"), Buffer.from(seed, "base64url")]);
      this.#secrets.set(name, createPrivateKey({ key, format: "der", type: "pkcs8" }));
    }
  }

  /** The first of these keys that the client trusts. */
  choose(names: string[], trusts: string | null): string | undefined {
    return names.find((name) => trusts?.split(",").includes(this.#key(name).id));
  }

  signAnswer(name: string, asked: SignedRequest, answer: { status: number; body: string; at: number }, fault?: Fault) {
    const { method, route, nonce, content } = asked;
    return this.#signLeaf(name, answer.at, fault, (id) =>
      [
        "keybeat-answer-v1",
        id,
        method,
        fault === "other_route" ? `${route}?x` : route,
        fault === "other_status" ? 201 : answer.status,
        fault === "other_nonce" ? `${nonce}0` : nonce,
        hex(fault === "other_request" ? `${content} ` : content),
        hex(answer.body),
        answer.at,
      ].join("\n"),
    ).header;
  }

  /** Signs one event after the other of a stream. */
  streamSigner(name: string, { route, nonce, content }: SignedRequest) {
    let index = 0;
    let before = NO_LEAF;
    return (event: string, data: string, at: number, fault?: Fault): string => {
      if (fault === "skipped") {
        index++;
        before = hex("the one that was held back");
      }
      const { header, leaf } = this.#signLeaf(name, at, fault, (id) =>
        [
          "keybeat-event-v1",
          id,
          route,
          fault === "other_nonce" ? `${nonce}0` : nonce,
          hex(fault === "other_session" ? `${content}0` : content),
          index,
          before,
          event,
          hex(data),
          at,
        ].join("\n"),
      );
      index++;
      before = leaf.toString("hex");
      return header;
    };
  }

  signLease(name: string, claims: object): string {
    const first = Buffer.from(JSON.stringify({ v: 1, kid: this.#key(name).id, ...claims })).toString("base64url");
    return `${first}.${this.#sign(name, `keybeat-lease-v1\n${first}`)}`;
  }

  #signLeaf(name: string, at: number, fault: Fault | undefined, describe: (id: string) => string) {
    const by = fault === "forged" || fault === "stranger" ? "stranger" : name;
    const { id } = this.#key(fault === "forged" ? name : by);
    const leaf = sha256(Buffer.concat([Buffer.from([0]), Buffer.from(describe(id))]));
    const size = (this.#signed % SIZES_MAX) + 1;
    const place = (this.#signed++ * 5) % size;
    const row = Array.from({ length: size }, (_, n) => (n === place ? leaf : sha256(Buffer.from(`leaf ${n}`))));
    const { root, path } = growTree(row, place);
    const signature = this.#sign(by, `keybeat-root-v1\n${id}\n${root.toString("hex")}`);
    const header = ["v1", id, at, signature, `${place}/${size}`, path.toString("base64url")].join(";");
    return { header: fault === "garbled" ? "v1;" : header, leaf };
  }

  #sign(name: string, text: string): string {
    return sign(null, Buffer.from(text), this.#secrets.get(name) as KeyObject).toString("base64url");
  }

  #key(name: string): SigningKey {
    const key = this.#keys[name];
    if (!key) throw new Error(`no key is called ${name}`);
    return key;
  }
}

/** The root over a row of leaves, and the siblings of one of them from the leaf up. */
function growTree(leaves: Buffer[], place: number): { root: Buffer; path: Buffer } {
  const path: Buffer[] = [];
  let row = leaves;
  for (let here = place; row.length > 1; here >>= 1) {
    const sibling = row[here ^ 1];
    if (sibling) path.push(sibling);
    const pairs = Array.from({ length: Math.ceil(row.length / 2) }, (_, n) => row.slice(n * 2, n * 2 + 2));
    row = pairs.map((pair) =>
      pair.length === 1 ? (pair[0] as Buffer) : sha256(Buffer.concat([Buffer.from([1]), ...pair])),
    );
  }
  return { root: row[0] as Buffer, path: Buffer.concat(path) };
}

const sha256 = (bytes: Buffer | string): Buffer => createHash("sha256").update(bytes).digest();
const hex = (text: string): string => sha256(text).toString("hex");
