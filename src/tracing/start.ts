import type { Logger } from "../log.ts";
import type { TraceExporter, Tracing } from "./tracing.ts";

/** Undefined unless traces are asked for: the SDK is then not loaded. */
export async function startTracing(
  exporter: TraceExporter | undefined,
  version: string,
  log: Logger,
): Promise<Tracing | undefined> {
  if (exporter === undefined) return undefined;
  const { createTracing } = await import("./open-telemetry.ts");
  return createTracing(exporter, version, log);
}
