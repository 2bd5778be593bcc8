/** Tells the story of a demonstration: a line each, with the seconds since its beginning, and a colour for each who acts. */
const startedAt = Date.now();
const colours = process.stdout.hasColors?.() ?? false;

/** `colour`: by name, as a terminal numbers them; `story` needs none. */
export function createTell(colour: Record<string, string>): (who: string, text: string) => void {
  return (who, text) => {
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(1).padStart(5);
    const name = who === "story" ? "" : `${who.padEnd(12)} `;
    const line = `${name}${text}`;
    const code = who === "story" ? "1" : colour[who];
    console.log(`${seconds} s  ${colours ? `\x1b[${code}m${line}\x1b[0m` : who === "story" ? `-- ${line}` : line}`);
  };
}
