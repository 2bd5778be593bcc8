/** Checks shared by every client's options. A mistake in the app's code throws a TypeError at once. */

/** The service's URL without a trailing slash. A page may leave out the origin: "" or "/keys". */
export function checkUrl(given: string, option: string): string {
  const url = withoutSlashes(String(given).trim());
  const { location } = globalThis as { location?: unknown };
  if (location && /^(\/[^/?#]|$)/.test(url)) return url;
  const place = placeOf(url);
  const scheme = /^https?(?=:)/i.exec(url)?.[0] ?? (/^(localhost|127\.|\[)/.test(place) ? "http" : "https");
  const right = `${scheme}://${place}`;
  expectThat(url === right, `${option} must be as in "${right}"`);
  new URL(url); // throws if it is not a URL
  return url;
}

/** Host and path alone. */
function placeOf(url: string): string {
  const [bare = ""] = url.split(/[?#]/, 1);
  const rest = bare.replace(/^(\w*(:\/|\/\/)\/*)/, "");
  const [authority = ""] = rest.split("/", 1);
  let place = withoutSlashes(rest.slice(authority.lastIndexOf("@") + 1));
  for (const end of ["/api/v1/session", "/api/session"]) if (place.endsWith(end)) place = place.slice(0, -end.length);
  return withoutSlashes(place);
}

function withoutSlashes(text: string): string {
  let end = text.length;
  while (text[end - 1] === "/") end--;
  return text.slice(0, end);
}

/** A time in ms; beyond 2^31 a platform's timer would fire at once. */
export function checkMs(option: string, ms = 1): void {
  expectThat(ms > 0 && ms < 2 ** 31, `${option} must be above 0, and below 2^31`);
}

export function expectThat(right: unknown, otherwise: string): void {
  if (!right) throw new TypeError(otherwise);
}
