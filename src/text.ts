/** Falls back to whole code points in browsers without grapheme segmentation. */
const graphemes = Intl.Segmenter && new Intl.Segmenter();

/**
 * At most that many characters (code points), never splitting the last one (a letter with its accents, a compound
 * emoji). The service and its clients cut alike; Python's is `_cut`. Half of a surrogate pair becomes U+FFFD.
 */
export function cutText(text: string, max: number): string {
  const characters = [...text.replace(/\p{Cs}/gu, "\ufffd")];
  const kept = characters.slice(0, max).join("");
  if (characters.length <= max) return kept;
  const last = graphemes?.segment(kept + characters[max]).containing(kept.length);
  return kept.slice(0, last?.index || undefined);
}
