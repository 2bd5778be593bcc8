import type { Logger } from "../log.ts";
import type { TraceExporter, Tracing } from "./tracing.ts";

/** Undefined where nobody asks for traces: then nothing of the SDK is loaded. */
export async function startTracing(
  exporter: TraceExporter | undefined,
  version: string,
  log: Logger,
): Promise<Tracing | undefined> {
  if (exporter === undefined) return undefined;
  const { createTracing } = await import("./open-telemetry.ts");
  return createTracing(exporter, version, log);
}
