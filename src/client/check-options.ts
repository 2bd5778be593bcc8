/**
 * What the caller gave, made fit. A mistake in the app's code throws a TypeError at once, which says what to write
 * instead: no second try mends it.
 */
import type { Device } from "../sessions/device/contract.ts";
import type { StartOptions } from "./options.ts";

const TEXT_MAX = { name: 100, platform: 50, app_version: 50 };
/** What a person copies along with a key: blanks of every kind, and what cannot be seen. */
const AROUND = /^[\s\p{C}\p{DI}]+|[\s\p{C}\p{DI}]+$/gu;

/** The options as they are used: the key without what is invisible around it, the device's texts no longer than allowed. */
export function checkOptions<T extends StartOptions>(options: T): T {
  const { accessKey, ask, device, onConflict = "replace", startTimeoutMs } = options;
  expectThat(typeof accessKey === "string", "accessKey must be a string");
  expectThat(/^(replace|refuse|ask)$/.test(onConflict), 'onConflict must be "replace", "refuse" or "ask"');
  expectThat(onConflict !== "ask" || ask, 'onConflict: "ask" needs the function ask');
  checkMs("startTimeoutMs", startTimeoutMs);
  return { ...options, accessKey: accessKey.replace(AROUND, ""), device: device && cutTexts(device) };
}

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

function expectThat(right: unknown, otherwise: string): void {
  if (!right) throw new TypeError(otherwise);
}

function cutTexts(device: Device): Device {
  const cut: Record<string, unknown> = { ...device };
  for (const [name, max] of Object.entries(TEXT_MAX)) {
    if (cut[name] != null) cut[name] = cutText(String(cut[name]), max);
  }
  return cut;
}

/** Whole characters only: neither half of an emoji nor a letter without its accent. */
function cutText(given: string, max: number): string {
  let text = given.replaceAll("\0", "");
  if (text.length <= max) return text;
  const segments = Intl.Segmenter
    ? Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment)
    : [...text];
  text = "";
  for (const segment of segments) {
    if (text.length + segment.length > max) break;
    text += segment;
  }
  return text;
}
