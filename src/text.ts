/** Only whole code points where a browser does not know characters of several. */
const graphemes = Intl.Segmenter && new Intl.Segmenter(undefined, { granularity: "grapheme" });

/**
 * At most so many characters (code points), and the last one whole: a letter with its accents, an emoji of several parts.
 * The service and its clients cut alike; Python's does in `_cut`. Half of a surrogate pair becomes U+FFFD.
 */
export function cutText(given: string, max: number): string {
  const text = given.replace(/\p{Cs}/gu, "\ufffd");
  if (text.length <= max) return text;
  const characters = [...text.slice(0, 2 * (max + 1))]; // of two units each, at most
  const kept = characters.slice(0, max).join("");
  if (kept === text || !graphemes) return kept;
  const last = graphemes.segment(characters.slice(0, max + 1).join("")).containing(kept.length);
  return last === undefined || last.index === 0 ? kept : kept.slice(0, last.index);
}
