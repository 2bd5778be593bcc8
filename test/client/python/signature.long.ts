/** What keybeat_trust.py takes for signed, and what not. */
import { spawnSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, randomBytes, randomInt, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { table } from "../support/scenario.ts";
import { TestSigner } from "../support/test-signer.ts";
import { describeWithPython, FOLDER, usePython } from "./support/app.ts";

usePython();

/** Runs the script, which makes `result` from `cases`, and returns that. */
function inPython<T>(script: string, cases: unknown): T {
  const program = `
import json, sys
from keybeat_trust import *
import keybeat_trust
cases = json.load(sys.stdin)
${script}
json.dump(result, sys.stdout)`;
  const { stdout, stderr } = spawnSync("python3", ["-S", "-B", "-X", "dev", "-c", program], {
    env: { PATH: process.env.PATH, PYTHONPATH: FOLDER },
    input: JSON.stringify(cases),
    encoding: "utf8",
    maxBuffer: 1e8,
  });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

const VERIFY = `
def is_signed(key, message, signature):
    try:
        return verify(keybeat_trust._read_key(bytes.fromhex(key)), bytes.fromhex(message), bytes.fromhex(signature))
    except ValueError:
        return False
result = [is_signed(*case) for case in cases]`;

type Told = Record<"event" | "data" | "signature", string>;

const flip = (bytes: Buffer, bit = randomInt(bytes.length * 8)) => {
  const copy = Buffer.from(bytes);
  copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
  return copy;
};

describeWithPython("an Ed25519 signature, in Python", () => {
  it("is right or wrong as Wycheproof says, in all 151 cases", () => {
    const file = join(import.meta.dirname, "support/wycheproof-ed25519.json");
    const { groups } = JSON.parse(readFileSync(file, "utf8")) as { groups: { publicKey: string; tests: string[] }[] };
    const tests = groups.flatMap(({ publicKey, tests }) => tests.map((test) => [publicKey, ...test.split(" ")]));
    const results = inPython<boolean[]>(
      VERIFY,
      tests.map(([key, , message, signature]) => [key, message, signature]),
    );
    const wrong = tests.filter(([, , , , result], index) => results[index] !== (result === "valid"));
    expect([tests.length, wrong.map(([, id]) => id)]).toEqual([151, []]);
    expect(results.filter(Boolean)).toHaveLength(88);
  });

  it("is right if Node made it, and wrong with any one bit changed, in the signature, the message or the key", () => {
    const cases = Array.from({ length: 200 }, () => {
      const pair = generateKeyPairSync("ed25519");
      const key = pair.publicKey.export({ type: "spki", format: "der" }).subarray(-32);
      const message = randomBytes(randomInt(1, 200));
      return [key, message, sign(null, message, pair.privateKey)] as [Buffer, Buffer, Buffer];
    });
    const changed = cases.flatMap(([key, message, signature]) => [
      [key, message, flip(signature)],
      [key, flip(message), signature],
      [flip(key), message, signature],
    ]);
    const ask = (all: Buffer[][]) =>
      inPython<boolean[]>(
        VERIFY,
        all.map((one) => one.map((part) => part.toString("hex"))),
      );
    expect(ask(cases).filter(Boolean)).toHaveLength(200);
    expect(ask(changed).filter(Boolean)).toHaveLength(0);
  });

  it("counts for no key of small order, for which anybody could sign, nor for one in a wrong encoding", () => {
    const orderTwo = "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
    const orderEight = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
    const encodings = [
      ...[`01${"00".repeat(31)}`, orderTwo, "00".repeat(32), `${"00".repeat(31)}80`, orderEight],
      `${orderEight.slice(0, -2)}85`,
      ...[`ed${"ff".repeat(30)}7f`, `ee${"ff".repeat(30)}7f`, "ff".repeat(32), `02${"00".repeat(31)}`],
    ];
    // R = 0 and S = 0 fit the neutral element as a key, whatever the message: Node says that this is signed.
    const [key, signature] = [Buffer.from(encodings[0] as string, "hex"), Buffer.alloc(64)];
    signature[0] = 1;
    const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), key]);
    const asNode = verify(
      null,
      Buffer.from("x"),
      createPublicKey({ key: spki, format: "der", type: "spki" }),
      signature,
    );
    expect(asNode).toBe(true);
    const refused = inPython<string[]>(
      `
def refusal(key):
    try:
        return read_public_keys(key) and "taken"
    except ValueError as error:
        return str(error)
result = [refusal(case) for case in cases]`,
      encodings
        .map((hex) => Buffer.from(hex, "hex").toString("base64url"))
        .concat("", "A".repeat(42), `${"A".repeat(42)}B`),
    );
    expect(new Set(refused.slice(0, -3))).toEqual(new Set(["public_key is no Ed25519 public key"]));
    for (const text of refused.slice(-3)) expect(text).toMatch(/^public_key must be 43 characters/);
  });
});

describeWithPython("a signed answer, in Python", () => {
  const keys = table.signing_keys;
  const publicKeys = ["first", "second"].map((name) => keys[name]?.public_key as string);
  const asked = {
    method: "POST",
    route: "/api/session/heartbeat",
    nonce: "nonce-of-this-request",
    content: '{"session_id":"0123456789abcdef"}',
  };
  const answer = { status: 200, body: '{"success":true,"generation":7}', at: 1_900_000_000_123 };
  type Case = typeof asked & { status: number; body: string; signature: string };
  const as = (signature: string, more: Partial<Case> = {}): Case => ({ ...asked, ...answer, signature, ...more });

  const ask = (cases: Case[]) =>
    inPython<boolean[]>(
      `
keys = read_public_keys(cases["keys"])
def is_own(case):
    request = Request(keys, case["nonce"], case["method"], case["route"], case["content"].encode())
    return request.is_answered_by(case["status"], case["body"].encode(), case["signature"])
result = [is_own(case) for case in cases["cases"]]`,
      { keys: publicKeys, cases },
    );

  it("is taken of any key that is trusted, in trees of several sizes, and for no other nonce", () => {
    const signer = new TestSigner(keys);
    const signed = Array.from({ length: 42 }, (_, at) => signer.signAnswer(at % 2 ? "first" : "second", asked, answer));
    expect(new Set(signed.map((signature) => signature.split(";")[4])).size).toBeGreaterThan(14);
    expect(ask(signed.map((signature) => as(signature)))).toEqual(signed.map(() => true));
    expect(ask(signed.map((signature) => as(signature, { nonce: "another" })))).toEqual(signed.map(() => false));
  });

  it("is found in every place of trees of 1 to 17 answers, by just its own siblings", () => {
    const found = inPython<{ right: number; wrong: number }>(
      `
from virtual_trust import grow_tree
def find_root(row, place, path):
    return keybeat_trust._Signed("", "", b"", place, len(row), path).root(row[place])
result = {"right": 0, "wrong": 0}
for size in range(1, 18):
    row = [bytes([at]) * 32 for at in range(size)]
    root = grow_tree(row, 0)[0]
    for place in range(size):
        path = grow_tree(row, place)[1]
        result["right"] += find_root(row, place, path) == root
        others = [path + root, path[:-1], path[32:], root + path[32:], b""]
        result["wrong"] += any(find_root(row, place, other) == root for other in others if other != path)`,
      [],
    );
    expect(found).toEqual({ right: (17 * 18) / 2, wrong: 0 });
  });

  it("is refused with any one bit of any signed field changed", () => {
    const signer = new TestSigner(keys);
    const signature = [1, 2, 3].map(() => signer.signAnswer("first", asked, answer)).at(-1) as string;
    expect(signature).toContain(";1/3;");
    const own = as(signature);
    const cases: Case[] = [];
    for (const field of ["method", "route", "nonce", "content", "body", "signature"] as const) {
      const bytes = Buffer.from(own[field]);
      // Not the eighth bit, which would not be ASCII any more.
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        if (bit % 8 < 7) cases.push({ ...own, [field]: flip(bytes, bit).toString() });
      }
    }
    for (let bit = 0; bit < 8; bit++) cases.push({ ...own, status: 200 ^ (1 << bit) });
    expect(cases.length).toBeGreaterThan(1_000);
    const [right, ...changed] = ask([own, ...cases]);
    expect(right).toBe(true);
    expect(cases.filter((_, index) => changed[index])).toEqual([]);
  });

  it("is refused if it is forged, cut, replayed, or of a key that is not trusted: 1,000 of them", () => {
    const signer = new TestSigner(keys);
    const signature = signer.signAnswer("first", asked, answer);
    const parts = signature.split(";");
    const cases = Array.from(signature, (_, length) => as(signature.slice(0, length)));
    for (let at = 0; at < parts.length; at++) {
      for (const junk of ["", "-1", "0/0", "1/1", "01/2", "\u0663", `${parts[at]}=`, ` ${parts[at]}`, "A".repeat(43)]) {
        if (junk !== parts[at]) cases.push(as(parts.map((part, n) => (n === at ? junk : part)).join(";")));
      }
    }
    const faults = ["forged", "stranger", "other_nonce", "other_request", "other_route", "other_status"] as const;
    while (cases.length < 1_000) {
      cases.push(...faults.map((fault) => as(signer.signAnswer("first", asked, answer, fault))));
      cases.push(as(signature, { nonce: randomBytes(12).toString("hex") }));
    }
    const [right, ...wrong] = ask([as(signature), ...cases]);
    expect(right).toBe(true);
    expect(cases.filter((_, index) => wrong[index])).toEqual([]);
  });

  it("is an event of a stream only in its place, in full, and told to this very request", () => {
    const watch = {
      method: "GET",
      route: "/api/session/watch?proof=true",
      nonce: "n",
      content: "Bearer 0123456789abcdef",
    };
    const sign = new TestSigner(keys).streamSigner("first", watch);
    const [first, second, third] = (["live", "replaced", "replaced"] as const).map((event, at) => {
      const data = `{"at":${at}}`;
      return { event, data, signature: sign(event, data, answer.at) };
    }) as [Told, Told, Told];
    const streams = [
      [[first, second, third], watch, [true, true, true]],
      [[first, third], watch, [true, false]],
      [[second], watch, [false]],
      [[first, first], watch, [true, false]],
      [[first, { ...second, event: "expired" }, third], watch, [true, false, false]],
      [[first, { ...second, data: '{"at":2}' }], watch, [true, false]],
      [[first, { ...second, signature: first.signature }], watch, [true, false]],
      [[{ ...first, signature: "" }], watch, [false]],
      [[first], { ...watch, nonce: "another" }, [false]],
      [[first], { ...watch, content: "Bearer of-another-session" }, [false]],
      [[first], { ...watch, route: "/api/session/watch" }, [false]],
    ] as const;
    const results = inPython(
      `
def tell(stream):
    events, asked, keys = stream
    request = Request(read_public_keys(keys), asked["nonce"], "GET", asked["route"], asked["content"].encode())
    return [request.is_told(one["event"], one["data"].encode(), one["signature"]) for one in events]
result = [tell(case) for case in cases]`,
      streams.map(([events, of]) => [events, of, publicKeys]),
    );
    expect(results).toEqual(streams.map(([, , expected]) => expected));
  });
});
