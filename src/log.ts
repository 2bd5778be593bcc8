/** Logs as JSON lines, readable where a terminal looks on. Nothing secret: no key, no session id, no driver's detail. */
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from "pino";
import pretty from "pino-pretty";
import { createLogOutput } from "./log-output.ts";

export type { Logger };

export function createLog(level: string, destination: DestinationStream = standardOutput()): Logger {
  return pino(
    { level, base: null, timestamp: stdTimeFunctions.isoTime, serializers: { err: describeError } },
    destination,
  );
}

function standardOutput(): DestinationStream {
  return process.stdout.isTTY
    ? pretty({ colorize: process.stdout.hasColors(), sync: true, translateTime: "HH:MM:ss", ignore: "pid,hostname" })
    : createLogOutput(1);
}

/**
 * An error's own fields can carry parameters (the driver's detail says «Key (session_id)=(…) already exists»,
 * drizzle puts them into its message), so only what cannot hold them is logged.
 */
function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: typeof error };
  const code = (error as { code?: unknown }).code;
  const hidden = error.name === "DrizzleQueryError";
  return {
    type: error.name,
    message: hidden ? "query failed" : error.message,
    ...(typeof code === "string" && { code }),
    ...(hidden ? {} : { stack: error.stack }),
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}
