/** Where trust cannot be had, the start says so at once; and what it does not cost those who do not ask for it. */
import { afterEach, describe, expect, it, vi } from "vitest";
import type { StartOptions } from "../../../src/client/index.ts";
import { table } from "../support/scenario.ts";
import { virtualApp } from "../support/virtual-app.ts";

const KEY = table.signing_keys.first?.public_key as string;

afterEach(() => vi.restoreAllMocks());
afterEach(() => vi.unstubAllGlobals());

async function failure(more: Partial<StartOptions>): Promise<Error> {
  const app = virtualApp({}, more);
  const thrown = await app.start().then(
    () => new Error("it started"),
    (error: Error) => error,
  );
  expect(app.server.requests).toEqual([]);
  return thrown;
}

describe("a public key", () => {
  it.each([
    ["is too short", KEY.slice(1)],
    ["has padding", `${KEY}=`],
    ["has a bit too many", KEY.replace(/.$/, "B")],
    ["is a private key's file", "-----BEGIN PRIVATE KEY-----"],
    ["is empty", ""],
    ["is missing from its list", []],
    ["is one of several and malformed", [KEY, "x"]],
  ])("that %s throws at the start, before anything is sent", async (_, publicKey) => {
    const thrown = await failure({ publicKey });
    expect(thrown).toBeInstanceOf(TypeError);
    expect(thrown.message).toMatch(/publicKey/);
  });

  it("throws at the start where the platform has no Ed25519", async () => {
    vi.spyOn(crypto.subtle, "importKey").mockRejectedValue(new DOMException("Unrecognized name.", "NotSupportedError"));
    const thrown = await failure({ publicKey: KEY });
    expect(thrown).toBeInstanceOf(TypeError);
    expect(thrown.message).toMatch(/Ed25519/);
  });

  it("throws on a page without https, which has no crypto.subtle", async () => {
    vi.stubGlobal("crypto", { getRandomValues: (bytes: Uint8Array) => bytes });
    const thrown = await failure({ publicKey: KEY });
    expect(thrown).toBeInstanceOf(TypeError);
    expect(thrown.message).toMatch(/https/);
  });
});

describe("proof", () => {
  it("is refused in a page, whose tab can be duplicated", async () => {
    vi.stubGlobal("document", { hidden: false });
    const thrown = await failure({ proof: true });
    expect(thrown).toBeInstanceOf(TypeError);
    expect(thrown.message).toMatch(/startSharedSession/);
  });

  it("differs between twins: a cloned machine draws the same random numbers", async () => {
    vi.spyOn(crypto, "getRandomValues").mockImplementation((bytes) => bytes);
    const sent = new Set<unknown>();
    for (let twin = 0; twin < 50; twin++) {
      const app = virtualApp({}, { proof: true });
      await app.start();
      const body = app.server.requests[0]?.body ?? {};
      const { instance, beat_id } = body.proof as { instance: string; beat_id: string };
      expect([instance, beat_id].every((id) => /^[\w-]{16,128}$/.test(id))).toBe(true);
      sent.add(instance).add(beat_id);
    }
    expect(sent.size).toBe(100);
  });

  it("is not sent by who did not ask for it, nor a nonce, nor a query of the stream", async () => {
    const app = virtualApp();
    const { fetch } = app.options;
    const headers: string[] = [];
    app.options.fetch = (url, init) => {
      headers.push(url, ...Object.keys(init.headers as object), String(init.body));
      return (fetch as NonNullable<typeof fetch>)(url, init);
    };
    await app.start();
    expect(headers.join()).not.toMatch(/proof|keybeat-|\?/i);
    expect(headers.length).toBeGreaterThan(5);
  });
});

describe("a lease", () => {
  it.each([
    ["without a public key", {}],
    ["without a storage", { publicKey: KEY }],
  ])("cannot be asked for %s", async (_, more) => {
    const app = virtualApp({ signs_with: ["first"] }, more);
    const session = await app.start();
    await expect(session.lease(1)).rejects.toThrow(TypeError);
    await expect(session.returnLease()).rejects.toThrow(TypeError);
  });
});
