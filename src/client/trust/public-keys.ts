/** The public keys that an app was built with, and what they vouch for (src/trust/README.md, Signatures). */
import { expectThat } from "../check-url.ts";
import { type Bytes, fromBase64Url, join, sha256, toBytes, toHex } from "./bytes.ts";

export interface PublicKeys {
  /** Their ids, as Keybeat-Trusts names them. */
  ids: string;
  /** Whether the key with that id signed that text. */
  verify(id: string, signature: string, text: string): Promise<boolean>;
  /**
   * Whether a `v1;…` vouches for a leaf: the leaf then, as it is signed with the key's id and the time. `describe` gets both.
   */
  verifyLeaf(signature: string, describe: (keyId: string, time: string) => string): Promise<Bytes | undefined>;
}

const FORM = /^v1;([0-9a-f]{16});(\d{1,16});([\w-]{86});(\d{1,9})\/(\d{1,9});([\w-]*)$/;
const HASH_BYTES = 32;
const ED25519 = { name: "Ed25519" };

/** Throws a TypeError where one is malformed, or where the platform has no Ed25519. */
export async function importPublicKeys(given: string | readonly string[]): Promise<PublicKeys> {
  const keys = new Map<string, Awaited<ReturnType<typeof importKey>>>();
  for (const text of [given].flat()) {
    const bytes = fromBase64Url(String(text));
    expectThat(bytes?.length === 32, "publicKey must be 32 bytes in base64url, as keybeat signing-key show prints it");
    const key = await importKey(bytes as Bytes);
    keys.set(toHex(await sha256(bytes as Bytes)).slice(0, 16), key);
  }
  expectThat(keys.size > 0, "publicKey has no key in it");
  const verify: PublicKeys["verify"] = async (id, signature, text) => {
    const key = keys.get(id);
    const bytes = fromBase64Url(signature);
    return !!key && !!bytes && crypto.subtle.verify(ED25519, key, bytes, toBytes(text));
  };
  return {
    ids: [...keys.keys()].join(),
    verify,
    async verifyLeaf(text, describe) {
      const [, id = "", time = "", signature = "", place, size, path = ""] = FORM.exec(text) ?? [];
      const siblings = fromBase64Url(path);
      if (!keys.has(id) || !siblings) return undefined;
      const leaf = await sha256(join(new Uint8Array([0]), toBytes(describe(id, time))));
      const root = await climb(leaf, Number(place), Number(size), siblings);
      if (!root || !(await verify(id, signature, `keybeat-root-v1\n${id}\n${toHex(root)}`))) return undefined;
      return leaf;
    },
  };
}

async function importKey(bytes: Bytes) {
  try {
    return await crypto.subtle.importKey("raw", bytes, ED25519, false, ["verify"]);
  } catch (cause) {
    const need = "publicKey needs Ed25519 in crypto.subtle: Node 20, a current browser on https";
    throw new TypeError(`${need}; this platform has none, or the key is no point of it`, { cause });
  }
}

/** The root of the tree in which the leaf has that place; undefined if the siblings are not those of that place. */
async function climb(leaf: Bytes, place: number, size: number, siblings: Bytes): Promise<Bytes | undefined> {
  if (place >= size) return undefined;
  let node = leaf;
  let at = 0;
  for (let [here, width] = [place, size]; width > 1; [here, width] = [here >> 1, (width + 1) >> 1]) {
    if (here % 2 === 0 && here + 1 === width) continue;
    const sibling = siblings.slice(at, at + HASH_BYTES);
    at += HASH_BYTES;
    node = await sha256(join(new Uint8Array([1]), ...(here % 2 ? [sibling, node] : [node, sibling])));
  }
  return at === siblings.length ? node : undefined;
}
