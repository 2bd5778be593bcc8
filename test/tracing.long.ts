/** Traces go to a receiver where the standard variables of OpenTelemetry ask for it, and say nothing secret. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { createSeed } from "../src/trust/signing-keys.ts";
import { openProver } from "./sessions/device/support/prover.ts";
import { seenAnswers } from "./support/answers.ts";
import { useDatabase } from "./support/database.ts";
import { keybeat, type RunningServer, startServer } from "./support/process.ts";
import { findSecrets, newSessionId } from "./support/secrets.ts";

interface Span {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  kind: number;
  attributes: Record<string, string | number>;
  failed: boolean;
}

interface Receiver {
  url: string;
  spans: Span[];
  /** All that came, as text, with the headers. */
  text(): string;
  resource: Record<string, string | number>;
}

const SERVER = 2;
const CLIENT = 3;

const db = useDatabase();
const servers: RunningServer[] = [];
const receivers: Server[] = [];
const folder = mkdtempSync(join(tmpdir(), "keybeat-tracing-"));

const serve = async (env: Record<string, string>) => {
  const server = await startServer({ DATABASE_URL: db.url, CLEANUP_CRON: "", OTEL_BSP_SCHEDULE_DELAY: "50", ...env });
  servers.push(server);
  return server;
};

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  for (const receiver of receivers.splice(0)) receiver.closeAllConnections();
});

type Attribute = { key: string; value: { stringValue?: string; intValue?: number } };
const readAttributes = (list: Attribute[]) =>
  Object.fromEntries(list.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]));

/** OTLP over HTTP, as JSON. */
async function receive(): Promise<Receiver> {
  const received = { url: "", spans: [] as Span[], resource: {}, text: () => texts.join("\n") };
  const texts: string[] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    texts.push(JSON.stringify(request.headers), body);
    expect(`${request.method} ${request.url}`).toBe("POST /v1/traces");
    for (const { resource, scopeSpans } of JSON.parse(body).resourceSpans) {
      received.resource = readAttributes(resource.attributes);
      for (const { spans } of scopeSpans) {
        for (const span of spans) {
          received.spans.push({
            ...span,
            attributes: readAttributes(span.attributes),
            failed: span.status?.code === 2,
          });
        }
      }
    }
    response.setHeader("Content-Type", "application/json").end("{}");
  });
  receivers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  received.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return received;
}

const findSpan = (receiver: Receiver, name: string, more: (span: Span) => boolean = () => true) =>
  expect.poll(() => receiver.spans.find((span) => span.name === name && more(span)));

async function spanOf(receiver: Receiver, name: string, more?: (span: Span) => boolean): Promise<Span> {
  await findSpan(receiver, name, more).toBeDefined();
  return receiver.spans.find((span) => span.name === name && (more?.(span) ?? true)) as Span;
}

describe.each(["1", "2"])("with WORKERS=%s", (WORKERS) => {
  it("a request is a span by its route, with the database's calls in it", async () => {
    const receiver = await receive();
    const leasing = { SIGNING_KEY: createSeed(), OFFLINE_HOURS_MAX: "1" };
    const server = await serve({ WORKERS, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, ...leasing });
    const { key } = await db.makeKey({ label: "Secret Customer Ltd" });
    const session_id = newSessionId();
    await server.post("/api/session/start", { access_key: key, session_id, device: { name: "Secret Device" } });
    await server.post("/api/session/heartbeat", { session_id });
    await server.post("/api/session/heartbeat", { session_id: newSessionId() });
    await server.get(`/nowhere/${session_id}?key=${key}`);
    const prover = openProver(server, session_id);
    await prover.beat(); // challenged
    await prover.beat();
    const { lease } = (await server.post("/api/session/lease", { session_id, hours: 1 })).body;
    await server.post("/api/session/end", { session_id });
    await server.post("/api/session/lease/return", { lease });

    const start = await spanOf(receiver, "POST /api/session/start");
    expect(start).toMatchObject({
      kind: SERVER,
      failed: false,
      attributes: {
        "http.request.method": "POST",
        "http.route": "/api/session/start",
        "http.response.status_code": 200,
      },
    });
    const call = await spanOf(receiver, "SELECT start_device_session");
    expect(call).toMatchObject({
      kind: CLIENT,
      traceId: start.traceId,
      parentSpanId: start.spanId,
      attributes: {
        "db.system.name": "postgresql",
        "db.query.text":
          "SELECT * FROM start_device_session(caller_waits($1, $2::bytea), $3, $4, $5, $6, $7, $8, $9, $10)",
      },
    });
    const beat = await spanOf(receiver, "POST /api/session/heartbeat");
    const batch = await spanOf(receiver, "SELECT beat_sessions");
    expect(batch.traceId).not.toBe(beat.traceId);
    expect(batch.parentSpanId).toBeUndefined();
    await findSpan(receiver, beat.name, (span) => span.attributes["error.type"] === "session_not_found").toBeDefined();
    await findSpan(receiver, "any none", (span) => span.attributes["http.response.status_code"] === 404).toBeDefined();
    await findSpan(receiver, "POST /api/session/lease/return").toBeDefined();
    await findSpan(receiver, "SELECT beat_with_proof").toBeDefined();
    await seenAnswers(); // with the lease
    expect(receiver.resource).toMatchObject({ "service.name": "keybeat" });
    expect(receiver.text()).not.toContain("serve_tick"); // each process ticks before it listens

    expect(findSecrets(receiver.text())).toEqual([]);
    for (const secret of [key.slice(0, 8), session_id.slice(0, 8), "Secret", "nowhere"]) {
      expect(receiver.text()).not.toContain(secret);
    }
  });
});

it("a caller's trace goes on in ours, and the standard names and headers are taken", async () => {
  const receiver = await receive();
  const server = await serve({
    OTEL_TRACES_EXPORTER: "otlp",
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/v1/traces`,
    OTEL_EXPORTER_OTLP_HEADERS: "x-tenant=acme",
    OTEL_SERVICE_NAME: "keys",
  });
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  await server.get("/health", { traceparent: `00-${traceId}-b7ad6b7169203331-01` });
  const span = await spanOf(receiver, "GET /health");
  expect(span).toMatchObject({ traceId, parentSpanId: "b7ad6b7169203331" });
  expect((await spanOf(receiver, "SELECT", (one) => one.traceId === traceId)).parentSpanId).toBe(span.spanId);
  expect(receiver.resource).toMatchObject({ "service.name": "keys" });
  expect(receiver.text()).toContain('"x-tenant":"acme"');
});

it("the last spans are sent on the way out", async () => {
  const receiver = await receive();
  const server = await serve({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: "60000" });
  await server.get("/health/live");
  expect(await server.stop()).toBe(0);
  servers.pop();
  expect(receiver.spans.map((span) => span.name)).toContain("GET /health/live");
});

it("a receiver that is away stops nobody", async () => {
  const server = await serve({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" });
  for (let n = 0; n < 5; n++) expect((await server.get("/health")).status).toBe(200);
  await expect.poll(() => server.output()).toContain("traces could not be sent");
  expect((await server.get("/health")).status).toBe(200);
});

describe("nothing of the SDK is loaded unless asked for", () => {
  const hook = join(folder, "loaded.cjs");
  writeFileSync(
    hook,
    `process.on("exit", () => {
      const files = Object.keys(require("node:module")._cache).filter((file) => file.includes("@opentelemetry/sdk-trace"));
      process.stdout.write("SDK " + (files.length > 0 ? "loaded" : "absent") + "\\n");
    });`,
  );

  it.each([
    ["loaded", { OTEL_TRACES_EXPORTER: "otlp" }],
    ["loaded", { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" }],
    ["absent", {}],
    ["absent", { OTEL_TRACES_EXPORTER: "none", OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" }],
    ["absent", { OTEL_SDK_DISABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" }],
  ])("%s with %o", async (expected, env) => {
    const server = await serve({ NODE_OPTIONS: `--require ${hook}`, ...env });
    await server.get("/health");
    servers.pop();
    await server.stop();
    expect(server.output()).toContain(`SDK ${expected}`);
  });
});

it("an exporter or protocol that it does not have is refused in a line that names the variable", async () => {
  for (const [name, value] of [
    ["OTEL_TRACES_EXPORTER", "zipkin"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"],
  ] as const) {
    const { code, stderr } = await keybeat(["serve"], { DATABASE_URL: db.url, [name]: value });
    expect([code, stderr]).toEqual([2, expect.stringContaining(`${name} must be one of`)]);
  }
  rmSync(folder, { recursive: true });
});
