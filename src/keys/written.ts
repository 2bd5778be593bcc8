/** A key as people write it: pasted with what nobody sees around it, or typed by hand from paper. */
import { UsageError } from "../errors.ts";
import { isStorable } from "./text.ts";

export const KEY_LENGTH_MAX = 512;

/** White space, what steers text or a terminal, what has no ink. */
const UNSEEN = /[\s\p{Cf}\p{Cc}\p{Default_Ignorable_Code_Point}\u2800]/u;

/** NUL is seen: no text of ours may have one, wherever it stands. */
const isSeen = (character: string) => character === "\0" || !UNSEEN.test(character);

/** Without what nobody sees around it. */
export function trimKey(text: string): string {
  const characters = [...text];
  const first = characters.findIndex(isSeen);
  return first === -1 ? "" : characters.slice(first, characters.findLastIndex(isSeen) + 1).join("");
}

const MINTED = /^[0-9a-hjkmnp-tv-z]{32}$/;

/** As it would have been minted here; undefined for what cannot have been. */
export function asMinted(key: string): string | undefined {
  const read = key.toLowerCase().replaceAll("o", "0").replace(/[il]/g, "1");
  return MINTED.test(read) ? read : undefined;
}

/**
 * What a key may be kept as: as it is given, and as it would have been minted here, if that is another text. A key of
 * somebody else's making may look like one of ours, so the given one comes first.
 */
export function formsOf(key: string): string[] {
  const minted = asMinted(key);
  return minted === undefined || minted === key ? [key] : [key, minted];
}

/** The key that a text says. Throws a UsageError, which says nothing of it. */
export function readKey(text: string): string {
  const key = trimKey(text);
  if (key === "") throw new UsageError("the key is empty");
  if ([...key].length > KEY_LENGTH_MAX) throw new UsageError(`the key has over ${KEY_LENGTH_MAX} characters`);
  if (!isStorable(key)) throw new UsageError("the key is not well-formed text");
  return key;
}
