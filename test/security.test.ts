/** What SECURITY.md says of headers and limits, asked of a running service. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { useApp } from "./support/app.ts";
import { useDatabase } from "./support/database.ts";

const app = useApp(useDatabase());
const said = readFileSync("SECURITY.md", "utf8");
const [everyAnswer = ""] = said.split("\n## Headers\n").slice(1).join().split("The page at");

describe("SECURITY.md", () => {
  it("names the headers that every answer has", async () => {
    const named = [...everyAnswer.matchAll(/`([\w-]+): ([\w-]+)`/g)].map(([, ...pair]) => pair);
    expect(named).toHaveLength(4);
    for (const path of ["/health/live", "/api/session/nothing", "/openapi.json", "/metrics"]) {
      const answer = await fetch(app.url + path);
      const has = named.map(([name = ""]) => [name, answer.headers.get(name)]);
      expect([path, has]).toEqual([path, named]);
    }
  });

  it("says what the pages may load", async () => {
    for (const path of ["/admin", "/docs", "/demo/waiting-room"]) {
      const answer = await fetch(app.url + path);
      expect(answer.headers.get("content-security-policy")).toMatch(/^default-src 'none'/);
      expect(answer.headers.get("strict-transport-security")).toBeNull();
    }
  });

  it("says how much may be sent", async () => {
    const long = (bytes: number) => ({ headers: { "X-Long": "x".repeat(bytes) } });
    expect((await fetch(`${app.url}/health/live`, long(15 * 1024))).status).toBe(200);
    expect((await fetch(`${app.url}/health/live`, long(17 * 1024))).status).toBe(431);
    const body = (bytes: number) =>
      app.post("/api/session/status", { access_key: "x", more: "x".repeat(bytes) }).then(({ status }) => status);
    expect(await body(15 * 1024)).toBe(200);
    expect(await body(17 * 1024)).toBe(413);
    for (const limit of ["16 KiB, 5 s", "16 KiB and 10 s"]) expect(said).toContain(limit);
  });
});
