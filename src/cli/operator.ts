import { userInfo } from "node:os";
import type { Operator } from "../audit/operator.ts";

/** A person who may run commands here needs no token, but has a name. */
export function operatorOfCommandLine(): Operator {
  return { who: `command line (${userName()})`, from: null };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? "unknown"}`; // a container's user without an entry in /etc/passwd
  }
}
