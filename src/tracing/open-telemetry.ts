/** Traces through OpenTelemetry's own SDK, which reads its standard variables: endpoint, headers, sampler, names. */
import {
  type Context,
  context,
  DiagLogLevel,
  diag,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, ConsoleSpanExporter, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { AppError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { TraceExporter, Tracing } from "./tracing.ts";

const CLOSE_MS_MAX = 2_000;
/** Runs each second, and says nothing about a request. */
const TICK = "serve_tick(";

export function createTracing(exporter: TraceExporter, version: string, log: Logger): Tracing {
  reportTrouble(log);
  const own = resourceFromAttributes({ "service.name": "keybeat", "service.version": version });
  const provider = new NodeTracerProvider({
    resource: defaultResource()
      .merge(own)
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(exporter === "otlp" ? new OTLPTraceExporter() : new ConsoleSpanExporter())],
  });
  provider.register();
  const tracer = trace.getTracer("keybeat", version);

  return {
    request(headers, run) {
      const caller = propagation.extract(ROOT_CONTEXT, headers);
      const span = tracer.startSpan("request", { kind: SpanKind.SERVER }, caller);
      return context.with(trace.setSpan(caller, span), async () => {
        try {
          await run(({ method, route, status, code }) => {
            span.updateName(`${method} ${route}`);
            span.setAttributes({
              "http.request.method": method,
              "http.route": route,
              "http.response.status_code": status,
              ...(code !== "ok" && { "error.type": code }),
            });
            if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
          });
        } finally {
          span.end();
        }
      });
    },
    async call(lane, run) {
      const parent = parentOf(lane);
      const startTime = performance.timeOrigin + performance.now();
      let text: string | undefined;
      let failure: string | undefined;
      try {
        return await run((seen) => {
          text = seen;
        });
      } catch (error) {
        // Not the error itself: a driver's detail can hold parameters.
        failure = error instanceof AppError ? error.code : "failed";
        throw error;
      } finally {
        if (!text?.includes(TICK)) {
          const attributes = {
            "db.system.name": "postgresql",
            "keybeat.lane": lane,
            ...(text !== undefined && { "db.query.text": text }),
            ...(failure !== undefined && { "error.type": failure }),
          };
          const name = (text && summarize(text)) ?? lane;
          const span = tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes, startTime }, parent);
          if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
          span.end();
        }
      }
    },
    async close() {
      const late = new Promise((resolve) => setTimeout(resolve, CLOSE_MS_MAX).unref());
      await Promise.race([provider.shutdown().catch((err) => log.debug({ err }, "no last traces")), late]);
    },
  };
}

/** A batch of heartbeats belongs to no single request; it has a trace of its own. */
function parentOf(lane: string): Context {
  return lane === "heartbeats" ? ROOT_CONTEXT : context.active();
}

/** "SELECT end_session" of "SELECT end_session($1, …) AS ended". */
function summarize(text: string): string | undefined {
  const [verb] = /^\w+/.exec(text.trim()) ?? [];
  const [, called, target] = /\b(?:SELECT\s+(\w+)\(|(?:FROM|INTO|UPDATE)\s+(\w+))/i.exec(text) ?? [];
  return verb && `${verb} ${called ?? target ?? ""}`.trim();
}

/** An absent receiver is no reason to stop; it is reported once a minute at most. */
function reportTrouble(log: Logger): void {
  let silentUntil = 0;
  const report = (message: string) => {
    if (performance.now() < silentUntil) return;
    silentUntil = performance.now() + 60_000;
    log.warn({ reason: message.slice(0, 300) }, "traces could not be sent");
  };
  const quiet = () => {};
  const logger = { error: report, warn: report, info: quiet, debug: quiet, verbose: quiet };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}
