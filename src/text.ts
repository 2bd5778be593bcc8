/** Only whole code points where a browser does not know characters of several. */
const graphemes = Intl.Segmenter && new Intl.Segmenter();

/**
 * At most so many characters (code points), and the last one whole: a letter with its accents, an emoji of several parts.
 * The service and its clients cut alike; Python's does in `_cut`. Half of a surrogate pair becomes U+FFFD.
 */
export function cutText(text: string, max: number): string {
  const characters = [...text.replace(/\p{Cs}/gu, "\ufffd")];
  const kept = characters.slice(0, max).join("");
  if (characters.length <= max) return kept;
  const last = graphemes?.segment(kept + characters[max]).containing(kept.length);
  return kept.slice(0, last?.index || undefined);
}
