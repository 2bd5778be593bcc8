/**
 * Traces, where the standard variables of OpenTelemetry ask for them. Nothing of it is loaded otherwise, and no span
 * carries a key, a session id, an address or a parameter: only routes, codes and the text of statements.
 */
export type TraceExporter = "otlp" | "console";

export interface Tracing {
  /** A span around a request. `answered` must be called before `run` is done. */
  request(
    headers: Record<string, string | undefined>,
    run: (answered: (answer: { method: string; route: string; status: number; code: string }) => void) => Promise<void>,
  ): Promise<void>;
  /** A span around a call to the database; `seen` is told the statement's text, with placeholders for what is given. */
  call<T>(lane: string, run: (seen: (text: string | undefined) => void) => Promise<T>): Promise<T>;
  /** Sends what is left. */
  close(): Promise<void>;
}
