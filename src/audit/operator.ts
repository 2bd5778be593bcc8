import { userInfo } from "node:os";

/** Who makes a change, for the audit log. */
export interface Operator {
  who: string;
  /** The address of the request; null: none. */
  from: string | null;
}

/** Whoever may run a command here needs no token, but has a name. */
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
