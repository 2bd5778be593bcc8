/** Each guarantee that `keybeat check` knows, broken by a relay before our server that spoils one thing. */
import { createServer, type Server } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useDatabase } from "../../support/database.ts";
import { keybeat, type RunningServer, startServer } from "../../support/process.ts";
import { findSecrets } from "../../support/secrets.ts";
import { DEFECTS, type Defect, type Exchange, type Fields, seen } from "./support/defects.ts";

const db = useDatabase();
let ours: RunningServer;
let relay: Server;
let defect: Defect;

beforeAll(async () => {
  ours = await startServer({ DATABASE_URL: db.url });
  relay = createServer(async (request, response) => {
    const path = request.url ?? "";
    const verb = path.split("/").at(-1) ?? "";
    const given = request.headers["x-request-id"];
    const headers: Record<string, string> = typeof given === "string" ? { "X-Request-Id": given } : {};
    const body = await text(request);
    const sent: Fields = body === "" ? {} : JSON.parse(body);
    const forwarded = { ...sent };
    defect.spoilRequest?.(verb, forwarded);
    const {
      status,
      headers: named,
      body: said,
    } = await (body === "" ? ours.get(path, headers) : ours.post(path, forwarded, headers));
    const kept = new Headers({ "X-Request-Id": named.get("x-request-id") ?? "" });
    const exchange: Exchange = { verb, sent, reply: { status, headers: kept, body: said } };
    defect.spoilReply?.(exchange);
    seen.push(exchange);
    response.writeHead(exchange.reply.status, Object.fromEntries(exchange.reply.headers));
    response.end(JSON.stringify(exchange.reply.body));
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  relay.closeAllConnections();
  relay.close();
  await ours.stop();
});

async function check(broken: Defect) {
  defect = broken;
  seen.length = 0;
  const { key } = await db.makeKey();
  const { port } = relay.address() as { port: number };
  const { code, stdout, stderr } = await keybeat(["check", `http://127.0.0.1:${port}`, "--key", key]);
  expect(findSecrets(stdout + stderr)).toEqual([]);
  for (const { sent } of seen) {
    if (typeof sent.session_id === "string") expect(stdout + stderr).not.toContain(sent.session_id);
  }
  const failed = [...stdout.matchAll(/^FAIL (.*): expected .*, came /gm)].map((match) => match[1]);
  return { code, failed, passed: stdout.split("\n").filter((line) => line.startsWith("PASS")).length, stderr };
}

describe("keybeat check against a server that speaks the whole contract, but", () => {
  it("spoils nothing: all pass (so each failure below is the defect's)", async () => {
    expect(await check({ name: "", fails: "" })).toMatchObject({ code: 0, failed: [] });
  });

  for (const broken of DEFECTS) {
    it(`${broken.name}: "${broken.fails}" fails`, async () => {
      const { code, failed, stderr } = await check(broken);
      expect(failed.toSorted()).toEqual([broken.fails, ...(broken.also ?? [])].toSorted());
      expect(code).toBe(1);
      expect(stderr).toMatch(/^keybeat: \d+ of \d+ checks failed\n$/);
    });
  }
});
