/**
 * Signs by natural batching: while one signature is under way, the next leaves gather, and share the next one. So it
 * costs the less for each the more there are, and a lone one waits for nothing.
 */
import { unavailable } from "../errors.ts";
import { growTree } from "./merkle-tree.ts";
import { type SigningKey, signBytes } from "./signing-keys.ts";

const LEAVES_MAX = 1000;
const WAITING_MAX = 20_000;

/** What shows, with its leaf, that the key's holder has signed it. */
export interface Signed {
  signature: Buffer;
  /** Where the leaf stands, and among how many. */
  place: number;
  size: number;
  path: Buffer;
}

/** Throws `unavailable` when too many wait. */
export type Sign = (leaf: Buffer) => Promise<Signed>;

interface Waiter {
  leaf: Buffer;
  resolve(signed: Signed): void;
  reject(error: unknown): void;
}

export function createSigner(key: SigningKey): Sign {
  const waiting: Waiter[] = [];
  let underWay = false;

  const run = async () => {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, LEAVES_MAX);
      try {
        const { root, paths } = growTree(batch.map(({ leaf }) => leaf));
        const signature = await signBytes(key, Buffer.from(`keybeat-root-v1\n${key.id}\n${root.toString("hex")}`));
        const size = batch.length;
        for (const [place, { resolve }] of batch.entries()) {
          resolve({ signature, place, size, path: paths[place] as Buffer });
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    underWay = false;
  };

  return (leaf) => {
    if (waiting.length >= WAITING_MAX) {
      return Promise.reject(unavailable(new Error(`${waiting.length} answers wait to be signed`)));
    }
    return new Promise((resolve, reject) => {
      waiting.push({ leaf, resolve, reject });
      if (underWay) return;
      underWay = true;
      setImmediate(run); // after everything else in this turn of the loop: a batch of heartbeats is answered in one
    });
  };
}
