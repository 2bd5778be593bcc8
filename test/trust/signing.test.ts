/** What the service signs, held against a client's check that was written from the page alone. */
import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createSigning, type Signing, type SigningRequest } from "../../src/trust/signing.ts";
import { createSeed, readSigningKeys, type SigningKey } from "../../src/trust/signing-keys.ts";
import { createEventCheck, isGenuine, type SeenAnswer, type SeenEvent } from "../support/verify-answer.ts";

const [key, older, stranger] = readSigningKeys(`${createSeed()} ${createSeed()} ${createSeed()}`) as [
  SigningKey,
  SigningKey,
  SigningKey,
];
const TRUSTED = [key.publicKey];
const signing = createSigning([key, older]);

const newNonce = () => randomBytes(16).toString("base64url");

function newRequest(given: Partial<SigningRequest> = {}): SigningRequest & { body: Buffer } {
  const body = Buffer.from(JSON.stringify({ session_id: newNonce() }));
  const route = "/api/session/heartbeat";
  const request = { method: "POST", route, nonce: newNonce(), trusts: undefined, authorization: undefined, body };
  return { ...request, ...given } as typeof request;
}

async function answerTo(asked: SigningRequest & { body: Buffer }, by: Signing = signing): Promise<SeenAnswer> {
  const { method, route, nonce, body: request } = asked;
  const body = JSON.stringify({ success: true, generation: Number(Math.random().toFixed(6)) });
  const signature = await by(asked)?.signAnswer(200, body);
  return { method, route, nonce, request, status: 200, body, signature };
}

const genuine = (answer: SeenAnswer) => isGenuine(TRUSTED, answer);

describe("an answer", () => {
  it.each([1, 2, 3, 5, 8, 1000])("of %i that share a signature is genuine, each at its place", async (size) => {
    const answers = await Promise.all(Array.from({ length: size }, () => answerTo(newRequest())));
    const places = answers.map(({ signature }) => signature?.split(";")[4]);
    expect(places).toEqual(answers.map((_, place) => `${place}/${size}`));
    expect(new Set(answers.map(({ signature }) => signature?.split(";")[3])).size).toBe(1);
    expect(answers.filter((answer) => !genuine(answer))).toEqual([]);
  });

  it("that comes while a signature is under way shares the next one, of at most 1000", async () => {
    const first = answerTo(newRequest());
    await new Promise<void>((resolve) => setImmediate(resolve));
    const next = Array.from({ length: 1001 }, () => answerTo(newRequest()));
    const answers = await Promise.all([first, ...next]);
    const sizes = answers.map(({ signature }) => Number(signature?.split(";")[4]?.split("/")[1]));
    expect([sizes[0], sizes[1], sizes[1000], sizes[1001]]).toEqual([1, 1000, 1000, 1]);
    expect(answers.filter((answer) => !genuine(answer))).toEqual([]);
  });

  it("with any bit of what is signed changed is refused", async () => {
    const [answer] = (await Promise.all([1, 2, 3].map(() => answerTo(newRequest())))) as [SeenAnswer];
    expect(genuine(answer)).toBe(true);
    let refused = 0;
    for (const field of ["method", "route", "nonce", "request", "body", "signature"] as const) {
      const bytes = Buffer.from(answer[field] as string | Buffer);
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const changed = Buffer.from(bytes);
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
        const isText = field !== "request" && field !== "body";
        const seen = { ...answer, [field]: isText ? changed.toString("latin1") : changed };
        expect(genuine(seen), `${field}, bit ${bit}`).toBe(false);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(2500);
    for (const status of [199, 201, 204, 410, 503]) expect(genuine({ ...answer, status })).toBe(false);
    expect(isGenuine(TRUSTED, answer, true)).toBe(false);
  });

  it("forged, cut, spliced or replayed is refused, a thousand times over", async () => {
    const forger = createSigning([stranger]);
    const asked = Array.from({ length: 1000 }, () => newRequest());
    const genuineOnes = await Promise.all(asked.map((request) => answerTo(request)));
    const forged = await Promise.all(asked.map((request) => answerTo(request, forger)));
    const other = (at: number) => genuineOnes[(at + 1 + (at % 997)) % 1000] as SeenAnswer;
    const splice = (left: string, right: string, field: number) =>
      left
        .split(";")
        .map((part, at) => (at === field ? right.split(";")[at] : part))
        .join(";");
    const tricks: Array<(at: number, mine: SeenAnswer, signature: string) => Partial<SeenAnswer>> = [
      (at) => ({ signature: forged[at]?.signature }),
      (at) => ({ signature: forged[at]?.signature?.replace(stranger.id, key.id) }),
      (at, _, signature) => ({ signature: signature.slice(0, at % signature.length) }),
      (at, _, signature) => ({ signature: signature.slice(1 + (at % (signature.length - 1))) }),
      (at, _, signature) => ({ signature: splice(signature, other(at).signature as string, 4) }),
      (at, _, signature) => ({ signature: splice(signature, other(at).signature as string, 5) }),
      (at) => ({ signature: other(at).signature }),
      (at) => ({ body: other(at).body, signature: other(at).signature }),
      (at) => ({ body: other(at).body }),
      (at) => ({ nonce: other(at).nonce }),
      (at) => ({ request: other(at).request }),
      () => ({ signature: undefined }),
    ];
    const taken = genuineOnes.flatMap((mine, at) => {
      const change = (tricks[at % tricks.length] as (typeof tricks)[number])(at, mine, mine.signature as string);
      return genuine({ ...mine, ...change }) ? [change] : [];
    });
    expect(taken).toEqual([]);
    expect(genuineOnes.every(genuine)).toBe(true);
  });

  it("to a request without a body is bound to its Authorization, and to one that was not read to neither", async () => {
    const plain = { method: "GET", route: "/api/session/watch", authorization: "Bearer 0123456789abcdef" };
    const empty = newRequest({ ...plain, body: Buffer.alloc(0) });
    const answer = await answerTo(empty);
    expect(genuine({ ...answer, request: plain.authorization })).toBe(true);
    expect(genuine(answer)).toBe(false);
    const unread = newRequest();
    const signature = await signing({ ...unread, body: "unread" })?.signAnswer(413, "{}");
    const seen = { ...unread, request: unread.body, status: 413, body: "{}", signature };
    expect([isGenuine(TRUSTED, seen, true), isGenuine(TRUSTED, seen)]).toEqual([true, false]);
  });
});

describe("rotation", () => {
  const asks = (by: Signing, trusts?: string) => answerTo(newRequest({ trusts }), by);
  const keyOf = ({ signature }: SeenAnswer) => signature?.split(";")[1];

  it("keeps every client served, from the first step to the last", async () => {
    const [clientOld, clientBoth, clientNew] = [[older], [key, older], [key]];
    const steps: Array<[SigningKey[], Array<SigningKey | undefined>]> = [
      [[older], [older, older, undefined]], // before
      [
        [key, older],
        [older, key, key],
      ], // the new key in front
      [[key], [undefined, key, key]], // the old one retired, once no client has only it
    ];
    for (const [configured, expected] of steps) {
      const service = createSigning(configured);
      for (const [at, trusted] of [clientOld, clientBoth, clientNew].entries()) {
        const answer = await asks(service, trusted.map(({ id }) => id).join(","));
        const by = expected[at];
        expect(keyOf(answer)).toBe(by?.id);
        const publicKeys = trusted.map(({ publicKey }) => publicKey);
        expect(isGenuine(publicKeys, answer)).toBe(by !== undefined);
      }
    }
  });

  it("signs with the newest for whoever names none, and for nobody who trusts another only", async () => {
    expect(keyOf(await asks(signing))).toBe(key.id);
    expect(keyOf(await asks(signing, stranger.id))).toBeUndefined();
  });
});

describe("the events of a stream", () => {
  const stream = { route: "/api/session/watch", nonce: newNonce(), authorization: "Bearer 0123456789abcdef" };
  const open = (given: Partial<typeof stream> = {}) =>
    signing({ ...newRequest(), ...stream, ...given, method: "GET", body: Buffer.alloc(0) });

  async function tell(given: Partial<typeof stream> = {}): Promise<SeenEvent[]> {
    const signer = open(given);
    const events: SeenEvent[] = [];
    for (const event of ["live", "note", "note", "ended"]) {
      const data = JSON.stringify({ success: true });
      events.push({ event, data, signature: await signer?.signEvent(event, data) });
    }
    return events;
  }

  const takes = (events: SeenEvent[]) => {
    const check = createEventCheck(TRUSTED, stream);
    return events.map(check);
  };

  it("are genuine in their order, and also where several are signed at once", async () => {
    expect(takes(await tell())).toEqual([true, true, true, true]);
    const signer = open();
    const signatures = await Promise.all(["a", "b", "c"].map((event) => signer?.signEvent(event, "{}")));
    expect(takes(signatures.map((signature, at) => ({ event: "abc"[at] as string, data: "{}", signature })))).toEqual([
      true,
      true,
      true,
    ]);
  });

  it("are refused from the first that is in a wrong order, left out, repeated, changed, or of another stream", async () => {
    const [live, first, second, ended] = (await tell()) as [SeenEvent, SeenEvent, SeenEvent, SeenEvent];
    expect(takes([live, second, first, ended])).toEqual([true, false, false, false]);
    expect(takes([live, second, ended])).toEqual([true, false, false]);
    expect(takes([first, second, ended])).toEqual([false, false, false]);
    expect(takes([live, live, first])).toEqual([true, false, false]);
    expect(takes([live, first, first])).toEqual([true, true, false]);
    expect(takes([live, { ...first, data: "{}" }])).toEqual([true, false]);
    expect(takes([live, { ...first, event: "ended" }])).toEqual([true, false]);
    expect(takes([live, { ...first, signature: undefined }])).toEqual([true, false]);
    for (const other of [
      { nonce: newNonce() },
      { authorization: "Bearer fedcba9876543210" },
      { route: "/api/session/watch?x=1" },
    ]) {
      const [itsLive, itsFirst] = (await tell(other)) as [SeenEvent, SeenEvent];
      expect([takes([itsLive]), takes([live, itsFirst])]).toEqual([[false], [true, false]]);
    }
  });
});

describe("a nonce", () => {
  it.each(["a".repeat(16), "A-_9".repeat(32)])("%s is taken", async (nonce) => {
    expect(genuine(await answerTo(newRequest({ nonce })))).toBe(true);
  });

  const bad = [
    "",
    "a".repeat(15),
    "a".repeat(129),
    `${"a".repeat(16)}\n`,
    "a".repeat(16).replace("a", "ä"),
    "a b".repeat(8),
  ];
  it.each(bad)("%j is refused, also where none of our keys is trusted", (nonce) => {
    expect(() => signing(newRequest({ nonce }))).toThrow(expect.objectContaining({ code: "invalid_request" }));
    expect(() => signing(newRequest({ nonce, trusts: stranger.id }))).toThrow(/Keybeat-Nonce must be 16 to 128/);
  });
});
