/** What a check found: a line for a person, and for a program. */
export interface Finding {
  /** What was looked at, in a word or two. */
  check: string;
  /** fail: something does not work or breaks a guarantee; warn: it works, and will not for ever or not well. */
  state: "ok" | "warn" | "fail";
  message: string;
  /** How to mend it. Absent where nothing is wrong. */
  mend?: string;
}

export const ok = (check: string, message: string): Finding => ({ check, state: "ok", message });

export const warn = (check: string, message: string, mend: string): Finding => ({
  check,
  state: "warn",
  message,
  mend,
});

export const fail = (check: string, message: string, mend: string): Finding => ({
  check,
  state: "fail",
  message,
  mend,
});
