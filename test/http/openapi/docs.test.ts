/** /openapi.json, /openapi-3.0.json and /docs as served: as committed, from memory, compressed. */
import { readFileSync } from "node:fs";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";

const db = useDatabase();
const app = useApp(db);

const get = async (path: string, headers: Record<string, string> = {}, method = "GET") => {
  const response = await app.fetch(new Request(`http://test${path}`, { method, headers }));
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
};

const FILES: Array<[path: string, source: string, type: RegExp]> = [
  ["/openapi.json", "src/http/openapi/openapi.json", /^application\/json$/],
  ["/openapi-3.0.json", "src/http/openapi/openapi-3.0.json", /^application\/json$/],
  ["/docs", "src/http/openapi/page/index.html", /^text\/html; charset=utf-8$/],
  ["/docs/start.js", "src/http/openapi/page/start.js", /^text\/javascript; charset=utf-8$/],
  ["/docs/page.css", "src/http/openapi/page/page.css", /^text\/css; charset=utf-8$/],
];

describe.each(FILES)("%s", (path, source, type) => {
  it("is the file that is committed, in each of its forms", async () => {
    const bytes = readFileSync(source);
    const plain = await get(path);
    expect(plain.bytes.equals(bytes)).toBe(true);
    expect(plain.headers.get("content-type")).toMatch(type);
    expect(plain.headers.get("content-encoding")).toBeNull();
    const br = await get(path, { "Accept-Encoding": "gzip, deflate, br, zstd" });
    expect(br.headers.get("content-encoding")).toBe("br");
    expect(brotliDecompressSync(br.bytes).equals(bytes)).toBe(true);
    const gzip = await get(path, { "Accept-Encoding": "GZIP;q=0.5, br;q=0" });
    expect(gzip.headers.get("content-encoding")).toBe("gzip");
    expect(gunzipSync(gzip.bytes).equals(bytes)).toBe(true);
    for (const form of [plain, br, gzip]) {
      expect(form.headers.get("vary")).toBe("Accept-Encoding");
      expect(form.headers.get("content-length")).toBe(String(form.bytes.length));
    }
    expect(new Set([plain, br, gzip].map((form) => form.headers.get("etag"))).size).toBe(3);
  });

  it("is not sent again to who has it", async () => {
    const etag = (await get(path)).headers.get("etag") as string;
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const again = await get(path, { "If-None-Match": known });
      expect([again.status, again.bytes.length, again.headers.get("etag")]).toEqual([304, 0, etag]);
    }
    expect((await get(path, { "If-None-Match": '"other"' })).status).toBe(200);
  });

  it("answers HEAD as GET, without the body, over the wire too", async () => {
    const [head, whole] = [await get(path, {}, "HEAD"), await get(path)];
    expect(head.status).toBe(200);
    expect(head.bytes.length).toBe(0);
    expect(head.headers.get("etag")).toBe(whole.headers.get("etag"));
    const wire = await fetch(app.url + path);
    expect(Buffer.from(await wire.arrayBuffer()).equals(whole.bytes)).toBe(true);
  });
});

describe("/docs", () => {
  it("allows nothing inline and nothing from another host", async () => {
    const policy = (await get("/docs")).headers.get("content-security-policy") as string;
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    const html = (await get("/docs")).bytes.toString();
    expect(html).not.toMatch(/https?:\/\/|<script(?! src="docs\/)|style="| on\w+=/);
  });

  it("has no other file, and takes no other method", async () => {
    for (const path of ["/docs/", "/docs/nothing.js", "/docs/..%2fopenapi.json", "/docs/start.js/x"]) {
      expect((await get(path)).status).toBe(404);
    }
    const post = await get("/docs", {}, "POST");
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });
});
