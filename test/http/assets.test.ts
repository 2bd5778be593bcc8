/** A browser's file that cannot be read: missing, or a temporary fault of ours? */
import { Hono } from "hono";
import { expect, it } from "vitest";
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
