/** Files for browsers: one that cannot be read is missing, or a temporary fault of ours; and what the sheets are made of. */
import { readFileSync } from "node:fs";
import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { serveAsset } from "../../src/http/assets.ts";
import { errorReply } from "../../src/http/error-reply.ts";
import { type HttpEnv, requestId } from "../../src/http/request-id.ts";
import { createLog } from "../../src/log.ts";

const statusOf = async (file: string) => {
  const app = new Hono<HttpEnv>().use(requestId).get("/", serveAsset({ file, type: "text/plain" }));
  app.onError(errorReply(createLog("silent")));
  return (await app.request("/")).status;
};

it.each([
  ["that was never built", "no-such-file", 404],
  ["that cannot be read at this moment (a folder stands for any error but that there is none)", "", 503],
])("of a file %s", async (_what, file, status) => {
  expect(await statusOf(file)).toBe(status);
});

describe.each([
  ["src/admin/page/page.css", "admin/page.css"],
  ["src/sessions/device/key-page/page.css", "key/page.css"],
  ["src/sessions/waiting-room/demo/demo.css", "waiting-room/demo.css"],
])("the sheet %s", (source, built) => {
  const names = (text: string, form: RegExp) => new Set([...text.matchAll(form)].map(([, name]) => name));

  it("has no colour of its own, but those of all pages", () => {
    expect(readFileSync(source, "utf8")).not.toMatch(/#[0-9a-f]{3,8}\b|^ *--/m);
    const sheet = readFileSync(`dist/assets/${built}`, "utf8");
    expect(sheet).not.toContain("@import");
    const used = names(sheet, /var\((--[\w-]+)\)/g);
    expect(used.size).toBeGreaterThan(5);
    const [day = "", night = ""] = [...sheet.matchAll(/:root\s*\{([^}]*--page[^}]*)\}/g)].map(([, block]) => block);
    for (const block of [day, night]) {
      const declared = names(block, /(?<![\w-])(--\w[\w-]*):/g);
      expect([...used].filter((name) => !declared.has(name))).toEqual([]);
    }
  });
});
