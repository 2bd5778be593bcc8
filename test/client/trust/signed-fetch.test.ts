/** Only what the service signed for this very request comes through: beyond the conformance table, bit by bit. */
import { describe, expect, it } from "vitest";
import { importPublicKeys } from "../../../src/client/trust/public-keys.ts";
import { signedFetch } from "../../../src/client/trust/signed-fetch.ts";
import { table } from "../support/scenario.ts";
import { type SignedRequest, TestSigner } from "../support/test-signer.ts";

const { first, second } = table.signing_keys as Record<"first" | "second", { public_key: string; id: string }>;
const URL_ = "https://keys.test/prefix/api/session/heartbeat";
const BODY = '{"session_id":"0123456789abcdef"}';
const ANSWER = '{"success":true,"name":"Büro"}';
const signer = new TestSigner(table.signing_keys);

interface Answer {
  status: number;
  body: string;
  signature: string;
}

/** What a service that signs says to a request, or what somebody on the way makes of it. */
async function ask(onTheWay: (answer: Answer, asked: SignedRequest) => Answer, url = URL_): Promise<string> {
  const plain = async (_: string, init: RequestInit) => {
    const nonce = new Headers(init.headers).get("keybeat-nonce") ?? "";
    const asked = { method: "POST", route: url.slice(url.lastIndexOf("/api/")), nonce, content: BODY };
    const at = Date.now();
    const signature = signer.signAnswer("first", asked, { status: 200, body: ANSWER, at });
    const { status, body, signature: told } = onTheWay({ status: 200, body: ANSWER, signature }, asked);
    return new Response(body, { status, headers: { "Keybeat-Signature": told } });
  };
  const keys = await importPublicKeys([second.public_key, first.public_key]);
  const fetch = signedFetch(plain, keys);
  const init = { method: "POST", body: BODY, headers: { "Content-Type": "application/json" } };
  const came = await fetch(url, init).catch(() => undefined);
  return came === undefined ? "failed" : came.text();
}

/** With that bit of its letters or digits turned, or a letter beside it. */
const turn = (text: string, at: number, bit: number) =>
  text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << bit)) + text.slice(at + 1);

describe("an answer", () => {
  it("comes through as it was signed, in trees of every size and place up to seven", async () => {
    for (let n = 0; n < 49; n++) expect(await ask((answer) => answer)).toBe(ANSWER);
  });

  it("is refused with any bit of its signature, status or body turned", async () => {
    let tried = 0;
    for (let at = 0; ; at++) {
      let ended = false;
      for (const bit of [0, 1, 2, 3, 4, 5, 6]) {
        let meaningless = false;
        const came = await ask((answer) => {
          ended = at >= answer.signature.length;
          // Trees of five and of seven have the same way up from most places: the size is no field that is signed.
          meaningless = /\/\d*$/.test(answer.signature.slice(0, at + 1));
          return { ...answer, signature: turn(answer.signature, at, bit) };
        });
        if (ended) break;
        if (!meaningless) expect(came, `bit ${bit} of character ${at}`).toBe("failed");
        tried++;
      }
      if (ended) break;
    }
    for (let at = 0; at < ANSWER.length; at++) {
      expect(await ask((answer) => ({ ...answer, body: turn(ANSWER, at, at % 7) }))).toBe("failed");
    }
    for (const status of [201, 400, 403, 404, 409, 410]) {
      expect(await ask((answer) => ({ ...answer, status }))).toBe("failed");
    }
    expect(tried).toBeGreaterThan(700);
  });

  it("is refused with any field of the request different from what was sent", async () => {
    const others: ((asked: SignedRequest) => SignedRequest)[] = [
      (asked) => ({ ...asked, method: "PUT" }),
      (asked) => ({ ...asked, route: "/api/session/status" }),
      (asked) => ({ ...asked, route: `${asked.route}?` }),
      (asked) => ({ ...asked, nonce: turn(asked.nonce, 0, 0) }),
      (asked) => ({ ...asked, nonce: asked.nonce.slice(0, -1) }),
      (asked) => ({ ...asked, content: turn(BODY, 20, 0) }),
      (asked) => ({ ...asked, content: "" }),
    ];
    for (const other of others) {
      const came = await ask((answer, asked) => {
        const at = Date.now();
        return { ...answer, signature: signer.signAnswer("first", other(asked), { status: 200, body: ANSWER, at }) };
      });
      expect(came).toBe("failed");
    }
  });

  it("is refused where it is forged, cut or replayed, a thousand times", async () => {
    let seed = 1;
    const draw = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    const genuine: Answer[] = [];
    const ways: ((answer: Answer, asked: SignedRequest) => Answer)[] = [
      (answer) => ({ ...answer, signature: answer.signature.slice(0, draw(answer.signature.length)) }),
      (answer) => ({ ...answer, body: answer.body.slice(0, draw(answer.body.length)) }),
      (answer) => ({ ...answer, signature: `${answer.signature}${"A".repeat(1 + draw(50))}` }),
      (answer) => ({ ...answer, signature: answer.signature.replace(first.id, second.id) }),
      (answer, asked) => ({
        ...answer,
        signature: signer.signAnswer("first", asked, { ...answer, at: Date.now() }, draw(2) ? "forged" : "stranger"),
      }),
      () => genuine[draw(genuine.length)] as Answer,
      (answer) => ({ ...answer, signature: (genuine[draw(genuine.length)] as Answer).signature }),
      (answer) => ({
        ...answer,
        signature: Array.from({ length: draw(200) }, () => String.fromCharCode(33 + draw(94))).join(""),
      }),
    ];
    for (let n = 0; n < 20; n++) {
      await ask((answer) => {
        genuine.push(answer);
        return answer;
      });
    }
    for (let n = 0; n < 1_000; n++) expect(await ask(ways[n % ways.length] as never), `way ${n % 8}`).toBe("failed");
  });

  it("of a proxy that is overloaded says no more than when to try again", async () => {
    for (const status of [429, 500, 503]) {
      expect(await ask((answer) => ({ ...answer, status, signature: "" }))).toBe("");
    }
  });
});

describe("a stream", () => {
  const asked = { method: "GET", route: "/api/session/watch", nonce: "", content: "Bearer 0123456789abcdef" };
  const EVENTS = ["live", "moved", "ended"];

  /** What comes of the events that reach the client, in the order in which they do. */
  async function follow(onTheWay: (blocks: string[]) => string[]): Promise<string> {
    const plain = async (_: string, init: RequestInit) => {
      const nonce = new Headers(init.headers).get("keybeat-nonce") ?? "";
      const sign = signer.streamSigner("first", { ...asked, nonce });
      const blocks = EVENTS.map((event, index) => {
        const data = `{"n":${index}}`;
        return `event: ${event}\ndata: ${data}\nsignature: ${sign(event, data, Date.now())}\n\n`;
      });
      return new Response(onTheWay(blocks).join(": still here\n\n"), {
        headers: { "Content-Type": "text/event-stream" },
      });
    };
    const fetch = signedFetch(plain, await importPublicKeys(first.public_key));
    const headers = { Accept: "text/event-stream", Authorization: asked.content };
    const { body } = await fetch("https://keys.test/api/session/watch", { headers });
    let came = "";
    try {
      for await (const piece of body as unknown as AsyncIterable<Uint8Array>) came += new TextDecoder().decode(piece);
    } catch {
      came += "broken";
    }
    return (came.match(/(?<=event: )\w+|broken/g) ?? []).join(" ");
  }

  it("brings its events as they were signed", async () => {
    expect(await follow((blocks) => blocks)).toBe("live moved ended");
  });

  it.each([
    ["one is left out", ([a, , c]) => [a, c], "live broken"],
    ["the first is left out", ([, b, c]) => [b, c], "broken"],
    ["two change places", ([a, b, c]) => [a, c, b], "live broken"],
    ["one comes twice", ([a, b, c]) => [a, a, b, c], "live broken"],
    ["one has another name", ([a, b, c]) => [a, b?.replace("moved", "ended"), c], "live broken"],
    ["one has other data", ([a, b, c]) => [a, b?.replace('"n":1', '"n":2'), c], "live broken"],
    ["one has no signature", ([a, b, c]) => [a, b?.replace(/signature.*\n/, ""), c], "live broken"],
  ] as [string, (blocks: (string | undefined)[]) => string[], string][])(
    "is broken where %s, and what came before counts",
    async (_, change, expected) => {
      expect(await follow(change as never)).toBe(expected);
    },
  );
});
