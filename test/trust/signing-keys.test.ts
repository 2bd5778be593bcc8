import { createHash, createPublicKey, verify } from "node:crypto";
import { expect, it } from "vitest";
import {
  chooseSigningKey,
  createSeed,
  findSigningKeyFault,
  readSigningKeys,
  type SigningKey,
  signBytes,
} from "../../src/trust/signing-keys.ts";

/** RFC 8032, section 7.1, test 1. */
const SEED = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
const PUBLIC = Buffer.from("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "hex");
const OF_NOTHING =
  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";

const read = (...seeds: string[]) => readSigningKeys(seeds.join(","));

it("is the key of RFC 8032 for its seed: the same public bytes, the same signature", async () => {
  const [key] = read(SEED.toString("base64url")) as [SigningKey];
  expect(key.publicKey).toBe(PUBLIC.toString("base64url"));
  expect(key.id).toBe(createHash("sha256").update(PUBLIC).digest("hex").slice(0, 16));
  expect((await signBytes(key, Buffer.alloc(0))).toString("hex")).toBe(OF_NOTHING);
});

it("signs so that whoever has only the public bytes can check it", async () => {
  const [key] = read(createSeed()) as [SigningKey];
  const open = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: key.publicKey }, format: "jwk" });
  const text = Buffer.from("what is signed");
  const signature = await signBytes(key, text);
  expect(verify(null, text, open, signature)).toBe(true);
  expect(verify(null, Buffer.from("what is sıgned"), open, signature)).toBe(false);
});

it("takes several keys with commas or any white space between, in their order", () => {
  const [a, b, c] = [createSeed(), createSeed(), createSeed()];
  const text = `${a},\n${b}\r\n\t${c}`;
  expect(findSigningKeyFault(text)).toBeUndefined();
  expect(readSigningKeys(text)).toEqual(read(a, b, c));
  expect(new Set(read(a, b, c).map(({ id }) => id)).size).toBe(3);
});

it("names what is wrong with a key, and never shows it", () => {
  const good = createSeed();
  const cases: Array<[string, RegExp]> = [
    [",,", /has no key/],
    [`${good} `, /begin or end with a blank/],
    [good.slice(1), /32 bytes in base64url.*its key is none/],
    [`${good}=`, /its key is none/],
    [`${good.slice(0, -1)}B`, /its key is none/], // bits that no byte has
    [`${good}, ${Buffer.alloc(33, 7).toString("base64url")}`, /key 2 of 2 is none/],
    [`${"zß".repeat(21)}z`, /its key is none/],
    [`${good} ${createSeed()} ${good}`, /same key twice/],
  ];
  for (const [text, fault] of cases) {
    const said = findSigningKeyFault(text);
    expect(said).toMatch(fault);
    for (const part of text.split(/[\s,]+/).filter((each) => each !== "")) expect(said).not.toContain(part);
  }
});

it("lets the first of our keys sign that the client trusts", () => {
  const keys = read(createSeed(), createSeed(), createSeed());
  const [newest, middle, oldest] = keys as [SigningKey, SigningKey, SigningKey];
  expect(chooseSigningKey(keys, undefined)).toBe(newest);
  expect(chooseSigningKey(keys, `${oldest.id},${middle.id}`)).toBe(middle);
  expect(chooseSigningKey(keys, ` 0123456789abcdef , ${oldest.id} `)).toBe(oldest);
  for (const none of ["", "0123456789abcdef", newest.id.slice(1), `${newest.id}0`, "*"]) {
    expect(chooseSigningKey(keys, none)).toBeUndefined();
  }
});
