/**
 * Traces, if the standard variables of OpenTelemetry ask for them; otherwise the SDK is not loaded. A span carries only
 * routes, codes and the text of statements, never a key, a session id, an address or a parameter.
 */
export type TraceExporter = "otlp" | "console";

export interface Tracing {
  /** A span around a request. Call `answered` before `run` is done. */
  request(
    headers: Record<string, string | undefined>,
    run: (answered: (answer: { method: string; route: string; status: number; code: string }) => void) => Promise<void>,
  ): Promise<void>;
  /** A span around a call to the database; `seen` gets the statement's text with placeholders for the values. */
  call<T>(lane: string, run: (seen: (text: string | undefined) => void) => Promise<T>): Promise<T>;
  /** Sends what is left. */
  close(): Promise<void>;
}
