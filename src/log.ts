/** Logs JSON lines, or readable ones on a terminal. Never a secret: no key, no session id, no detail of the driver. */
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from "pino";
import { prettyFactory } from "pino-pretty";
import { createLogOutput } from "./log-output.ts";

export type { Logger };

export function createLog(level: string, destination: DestinationStream = standardOutput()): Logger {
  return pino(
    { level, base: null, timestamp: stdTimeFunctions.isoTime, serializers: { err: describeError } },
    destination,
  );
}

/** A closed terminal must not end the process either: the output swallows its errors. */
function standardOutput(): DestinationStream {
  const output = createLogOutput(1);
  if (!process.stdout.isTTY) return output;
  const colorize = process.stdout.hasColors();
  const pretty = prettyFactory({ colorize, translateTime: "HH:MM:ss", ignore: "pid,hostname" });
  return { write: (line: string) => output.write(pretty(line)) };
}

/**
 * An error's own fields may hold parameters (the driver's detail says «Key (session_id)=(…) already exists»), so only
 * fields that cannot are logged.
 */
function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: typeof error };
  const code = (error as { code?: unknown }).code;
  return {
    type: error.name,
    message: error.message,
    ...(typeof code === "string" && { code }),
    stack: error.stack,
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}
