import { UsageError } from "../errors.ts";
import { isStorable } from "./text.ts";

const LABEL_LENGTH_MAX = 200;

/** A label as it is kept; empty or absent is none. Throws a UsageError. */
export function checkLabel(text: string | undefined): string | null {
  if (text === undefined || text === "") return null;
  if ([...text].length > LABEL_LENGTH_MAX) throw new UsageError(`a label has at most ${LABEL_LENGTH_MAX} characters`);
  if (!isStorable(text)) throw new UsageError("the label is not well-formed text");
  return text;
}
