/** Options of an app: mistakes are reported at once with the fix, and pasted values are cleaned. */
import { describe, expect, it } from "vitest";
import type { StartOptions } from "../../src/client/index.ts";
import { createWaitingRoom } from "../../src/client/waiting-room/index.ts";
import { virtualApp } from "./support/virtual-app.ts";

const started = async (more: object) => {
  const app = virtualApp({}, more as Partial<StartOptions>);
  const thrown = await app.start().then(
    () => undefined,
    (error: unknown) => error as Error,
  );
  return { thrown, sent: app.server.requests[0]?.body as Record<string, unknown> | undefined };
};

describe("a wrong option", () => {
  it.each([
    ["keys.example.com", "https://keys.example.com"],
    ["keys.example.com:8443/keys/", "https://keys.example.com:8443/keys"],
    ["localhost:3000", "http://localhost:3000"],
    ["[::1]:3000", "http://[::1]:3000"],
    ["//keys.example.com", "https://keys.example.com"],
    ["htps://keys.example.com", "https://keys.example.com"],
    ["wss://keys.example.com", "https://keys.example.com"],
    ["https://me:secret@keys.example.com/x", "https://keys.example.com/x"],
    ["https://keys.example.com/?key=secret", "https://keys.example.com"],
    ["https://keys.example.com/#x", "https://keys.example.com"],
    ["https://keys.example.com/api/session", "https://keys.example.com"],
  ])("the url %s is refused at once, with %s in its place", async (url, right) => {
    const { thrown, sent } = await started({ url });
    expect(thrown).toBeInstanceOf(TypeError);
    expect(thrown?.message).toBe(`url must be as in "${right}"`);
    expect(sent).toBeUndefined();
    const room = () => createWaitingRoom({ baseUrl: url });
    expect(room).toThrow(new TypeError(`baseUrl must be as in "${right}"`));
  });

  it.each([
    ["a url that is none", { url: "https://exa mple" }],
    ["a port that is none", { url: "https://keys.example.com:99999" }],
    ["no url", { url: undefined }],
    ["no url, outside of a page", { url: "" }],
    ["no key", { accessKey: undefined }],
    ["a conflict rule with a typo", { onConflict: "replce" }],
    ["a start timeout that is no number", { startTimeoutMs: Number.NaN }],
    ["a request timeout of nothing", { requestTimeoutMs: 0 }],
    ["a request timeout that a timer takes for nothing", { requestTimeoutMs: Number.POSITIVE_INFINITY }],
  ])("%s is refused at once", async (_, more) => {
    const { thrown, sent } = await started(more);
    expect(thrown).toBeInstanceOf(TypeError);
    expect(sent).toBeUndefined();
  });

  it("a url with blanks around it, a path, or slashes at its end is none", async () => {
    for (const url of [" https://keys.test/ ", "http://keys.test/a@b//", "HTTPS://keys.test", "https://[::1]:8443"]) {
      expect((await started({ url })).thrown).toBeUndefined();
    }
  });
});

describe("what people paste", () => {
  it("is taken without the blanks and invisible characters around the key, but for those inside", async () => {
    const around = "\ufeff \t\r\n\u00a0\u3000\u200b\u200d\u2060\u00ad\u202e\u3164\u0000";
    const { sent } = await started({ accessKey: `${around}ab-\u200bcd${around}` });
    expect(sent?.access_key).toBe("ab-\u200bcd");
  });

  it("is cut where it only describes, at whole characters", async () => {
    const device = async (name: unknown) => (await started({ device: { name } })).sent?.device as { name?: string };
    expect(await device("x".repeat(101))).toEqual({ name: "x".repeat(100) });
    expect(await device(`${"x".repeat(99)}😀😀`)).toEqual({ name: `${"x".repeat(99)}😀` });
    expect(await device(`${"x".repeat(99)}e\u0301`)).toEqual({ name: "x".repeat(99) });
    expect(await device(`${"x".repeat(96)}👩‍👩‍👧`)).toEqual({ name: "x".repeat(96) });
    expect(await device("a\0b")).toEqual({ name: "ab" });
    expect(await device(12)).toEqual({ name: "12" });
    const { sent } = await started({ device: { platform: "y".repeat(60), app_version: "1".repeat(60), name: null } });
    expect(sent?.device).toEqual({ platform: "y".repeat(50), app_version: "1".repeat(50), name: null });
  });
});
