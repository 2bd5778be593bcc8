/** What keybeat_trust.py takes for signed, and what not. */
import { spawnSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, randomBytes, randomInt, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { describeWithPython, FOLDER, usePython } from "./support/app.ts";
import { type Asked, answerLeaf, eventLeaf, makeSigner, signTree } from "./support/signer.ts";

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
  const signer = makeSigner();
  const other = makeSigner();
  const asked: Asked = {
    method: "POST",
    route: "/api/session/heartbeat",
    nonce: "nonce-of-this-request",
    payload: '{"session_id":"0123456789abcdef"}',
  };
  const body = '{"success":true,"generation":7}';
  type Case = Asked & { status: number; body: string; signature: string; keys?: string[] };
  const right: Case = { ...asked, status: 200, body, signature: "" };

  function ask(cases: Case[]): boolean[] {
    return inPython(
      `
import functools
read_keys = functools.lru_cache(read_public_keys)
def is_own(case):
    request = Request(read_keys(tuple(case["keys"])), case["nonce"], case["method"], case["route"], case["payload"].encode())
    return request.is_answered_by(case["status"], case["body"].encode(), case["signature"])
result = [is_own(case) for case in cases]`,
      cases.map((one) => ({ keys: [signer.publicKey], ...one })),
    );
  }

  it("is taken at every place of trees of 1 to 17 answers, and with no path but its own", () => {
    const cases: Case[] = [];
    const strange: Case[] = [];
    for (let size = 1; size <= 17; size++) {
      const leaves = Array.from({ length: size }, (_, at) =>
        answerLeaf(signer, { ...asked, nonce: `n-${at}` }, 200, body),
      );
      const signed = signTree(signer, leaves);
      cases.push(...signed.map((signature, at) => ({ ...right, nonce: `n-${at}`, signature })));
      if (size > 1)
        strange.push(...signed.map((signature, at) => ({ ...right, nonce: `n-${(at + 1) % size}`, signature })));
    }
    expect(ask(cases)).toEqual(cases.map(() => true));
    expect(ask(strange)).toEqual(strange.map(() => false));
  });

  it("is refused with any one bit of any signed field changed", () => {
    const leaves = [0, 1, 2].map((at) => answerLeaf(signer, { ...asked, nonce: `n-${at}` }, 200, body));
    const signature = signTree(signer, leaves)[1] as string;
    const own = { ...right, nonce: "n-1", signature };
    const cases: Case[] = [];
    for (const field of ["method", "route", "nonce", "payload", "body", "signature"] as const) {
      const bytes = Buffer.from(own[field]);
      // Not the eighth bit, which would not be ASCII any more.
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        if (bit % 8 < 7) cases.push({ ...own, [field]: flip(bytes, bit).toString() });
      }
    }
    for (let bit = 0; bit < 8; bit++) cases.push({ ...own, status: 200 ^ (1 << bit) });
    expect(ask([own])).toEqual([true]);
    expect(cases.length).toBeGreaterThan(1_000);
    const answers = ask(cases);
    expect(cases.filter((_, index) => answers[index])).toEqual([]);
  });

  it("is refused if it is forged, cut, replayed, or of a key that is not trusted", () => {
    const leaf = answerLeaf(signer, asked, 200, body);
    const [signature] = signTree(signer, [leaf]) as [string];
    const parts = signature.split(";");
    const cases: Case[] = [{ ...right, signature: "" }];
    for (let length = 0; length < signature.length; length++)
      cases.push({ ...right, signature: signature.slice(0, length) });
    for (let at = 0; at < parts.length; at++) {
      for (const junk of ["", "-1", "0/0", "1/1", "01/2", "٣", parts[at] + "=", ` ${parts[at]}`, "A".repeat(43)]) {
        if (junk !== parts[at]) cases.push({ ...right, signature: parts.with(at, junk).join(";") });
      }
    }
    while (cases.length < 1_000) {
      const foreign = makeSigner();
      const signed = signTree(foreign, [answerLeaf(foreign, asked, 200, body)])[0] as string;
      const replayed = { ...right, nonce: randomBytes(12).toString("hex"), signature };
      cases.push(
        { ...right, signature: signed },
        { ...right, signature: signed.replace(foreign.id, signer.id) },
        replayed,
      );
    }
    const answers = ask([...cases, { ...right, signature }]);
    expect(cases.filter((_, index) => answers[index])).toEqual([]);
    expect(answers.at(-1)).toBe(true);
  });

  it("is taken of any key that is trusted, so that keys can change", () => {
    const cases = [signer, other].map((one) => {
      const [signature = ""] = signTree(one, [answerLeaf(one, asked, 410, body)]);
      return { ...right, status: 410, signature, keys: [other.publicKey, signer.publicKey] };
    });
    expect(ask(cases)).toEqual([true, true]);
    expect(inPython(`result = Request(read_public_keys(cases), "n", "GET", "/", b"").headers`, cases[0]?.keys)).toEqual(
      {
        "Keybeat-Nonce": "n",
        "Keybeat-Trusts": `${other.id},${signer.id}`,
      },
    );
  });

  it("is an event of a stream only in its place, in full, and told to this very request", () => {
    const watch = {
      ...asked,
      method: "GET",
      route: "/api/session/watch?proof=true",
      payload: "Bearer 0123456789abcdef",
    };
    let before = "0".repeat(64);
    const [first, second, third] = ([0, 1, 2] as const).map((at) => {
      const [event, data] = [at ? "replaced" : "live", `{"at":${at}}`];
      const leaf = eventLeaf(signer, watch, event, data, [at, before]);
      before = leaf.toString("hex");
      return { event, data, signature: signTree(signer, [leaf])[0] as string };
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
      [[first], { ...watch, payload: "Bearer of-another-session" }, [false]],
      [[first], { ...watch, route: "/api/session/watch" }, [false]],
    ] as const;
    const results = inPython(
      `
def tell(stream):
    events, asked, keys = stream
    request = Request(read_public_keys(keys), asked["nonce"], "GET", asked["route"], asked["payload"].encode())
    return [request.is_told(one["event"], one["data"].encode(), one["signature"]) for one in events]
result = [tell(case) for case in cases]`,
      streams.map(([events, of]) => [events, of, signer.publicKey]),
    );
    expect(results).toEqual(streams.map(([, , expected]) => expected));
  });
});
