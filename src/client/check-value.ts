/** What is wrong with a value that the app gives: a TypeError at once, which says what to write instead. */

/** Where the service is, without a slash at the end. In a page it may be left to the page's own origin: "" or "/keys". */
export function checkUrl(given: string, option: string): string {
  const url = String(given).trim().replace(/\/+$/, "");
  const { location } = globalThis as { location?: unknown };
  if (location && /^(\/[^/?#]|$)/.test(url)) return url;
  const rest = url.replace(/^(\w*(:\/|\/\/)\/*)?([^/]*@)?|(\/api(\/v1)?\/session)?\/*([?#].*)?$/g, "");
  const scheme = /^https?(?=:)/i.exec(url)?.[0] ?? (/^(localhost|127\.|\[)/.test(rest) ? "http" : "https");
  const right = `${scheme}://${rest}`;
  expectThat(url === right, `${option} must be as in "${right}"`);
  new URL(url); // throws where it is none
  return url;
}

/** A time in ms; beyond 2^31 a platform's timer fires at once. */
export function checkMs(option: string, ms = 1): void {
  expectThat(ms > 0 && ms < 2 ** 31, `${option} must be above 0, and below 2^31`);
}

export function expectThat(right: unknown, otherwise: string): void {
  if (!right) throw new TypeError(otherwise);
}
