/** The stream, byte by byte. In virtual time. */
import { describe, expect, it } from "vitest";
import { table } from "./support/scenario.ts";
import { type VirtualApp, virtualApp } from "./support/virtual-app.ts";
import { settle } from "./support/virtual-time.ts";

const FINAL = `event: replaced\ndata: ${JSON.stringify(table.replies.replaced?.body)}\n\n`;

/** An app whose stream says what the test writes. */
interface StreamingApp extends VirtualApp {
  write(bytes: Uint8Array): Promise<void>;
  /** The client has given the stream up. */
  cancelled(): boolean;
}

async function streamingApp(): Promise<StreamingApp> {
  const app = virtualApp();
  const { fetch } = app.server;
  let cancelled = false;
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  app.options.fetch = async (url, init) => {
    if (!url.endsWith("/watch")) return fetch(url, init);
    const body = new ReadableStream<Uint8Array>({
      start(its) {
        controller = its;
      },
      cancel() {
        cancelled = true;
      },
    });
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  };
  await app.start();
  const write = async (bytes: Uint8Array) => {
    controller?.enqueue(bytes);
    await settle();
  };
  return { ...app, write, cancelled: () => cancelled };
}

const types = (app: VirtualApp) => app.events.map(({ type }) => type);
const encode = (text: string) => new TextEncoder().encode(text);

describe("the watch stream", () => {
  it("is understood when it comes byte by byte, with a letter of several bytes in it", async () => {
    const app = await streamingApp();
    const bytes = encode(`: hello\n\nevent: live\ndata: {}\n\n${FINAL.replace("Laptop", "Büro-PC")}`);
    for (const byte of bytes) {
      expect(types(app)).toEqual(["live"]);
      await app.write(Uint8Array.of(byte));
    }
    expect(app.events.at(-1)).toMatchObject({ reason: "replaced", by: { device: { name: "Büro-PC" } } });
  });

  it("is understood with the line ends of another server", async () => {
    const app = await streamingApp();
    await app.write(encode(FINAL.replaceAll("\n", "\r\n")));
    expect(types(app)).toEqual(["live", "lost"]);
  });

  it("ends nothing by an event that nobody knows, nor by a final one that is broken or cut off", async () => {
    for (const noise of [
      FINAL.replace("replaced", "reloaded"),
      FINAL.slice(0, -1),
      "event: replaced\ndata: {broken\n\n",
      "event: replaced\n\n",
      `data: ${FINAL}`,
    ]) {
      const app = await streamingApp();
      await app.write(encode(noise));
      expect(types(app), noise).toEqual(["live"]);
      await app.time.runUntil(60_000);
      expect(types(app), noise).toEqual(["live"]);
    }
  });

  it("is understood where a name holds what some take for the end of a line", async () => {
    const app = await streamingApp();
    await app.write(encode(FINAL.replace("Laptop", "Lap\u2028event: top")));
    expect(app.events.at(-1)).toMatchObject({ reason: "replaced", by: { device: { name: "Lap\u2028event: top" } } });
  });

  it("is given up when it brings comments without end, and the session goes on", async () => {
    const app = await streamingApp();
    for (let sent = 0; sent < 65; sent++) await app.write(encode(":\n\n".repeat(333)));
    expect(app.cancelled()).toBe(false);
    await app.write(encode(":\n\n".repeat(333)));
    expect(app.cancelled()).toBe(true);
    await app.time.runUntil(60_000);
    expect(types(app)).toEqual(["live"]);
  });

  it("is given up when it floods the memory, and the session goes on", async () => {
    const app = await streamingApp();
    for (let sent = 0; sent < 65; sent++) await app.write(encode("x".repeat(1_000)));
    expect(app.cancelled()).toBe(false);
    await app.write(encode("x".repeat(1_000)));
    expect(app.cancelled()).toBe(true);
    await app.time.runUntil(60_000);
    expect(types(app)).toEqual(["live"]);
  });
});
