const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** At most so many characters, and the last one whole: a letter with its accents, an emoji of several parts. */
export function cutText(text: string, max: number): string {
  if (text.length <= max) return text;
  const characters = [...text.slice(0, 2 * (max + 1))]; // of two units each, at most
  const kept = characters.slice(0, max).join("");
  if (kept === text) return text;
  const last = graphemes.segment(characters.slice(0, max + 1).join("")).containing(kept.length);
  return last === undefined || last.index === 0 ? kept : kept.slice(0, last.index);
}
