/**
 * Checks and normalises the caller's options. A mistake in the app's code throws a TypeError at once that says what to
 * write instead, as no retry mends it.
 */
import type { Device } from "../sessions/device/contract.ts";
import { cutText } from "../text.ts";
import { checkMs, expectThat } from "./check-url.ts";
import type { StartOptions } from "./options.ts";

const TEXT_MAX = { name: 100, platform: 50, app_version: 50 };
/** Characters copied along with a key: blanks of every kind, and invisible ones. */
const UNSEEN = /[\s\p{C}\p{DI}\u2800]/u;

/** The options to use: the key without blanks and invisible characters around it, the device's texts cut to length. */
export function checkOptions<T extends StartOptions>(options: T): T {
  const { accessKey, ask, device, onConflict = "replace", startTimeoutMs } = options;
  expectThat(typeof accessKey === "string", "accessKey must be a string");
  expectThat(/^(replace|refuse|ask)$/.test(onConflict), 'onConflict must be "replace", "refuse" or "ask"');
  expectThat(onConflict !== "ask" || ask, 'onConflict: "ask" needs the function ask');
  checkMs("startTimeoutMs", startTimeoutMs);
  return { ...options, accessKey: trim(accessKey), device: device && cutTexts(device) };
}

function trim(key: string): string {
  const characters = [...key];
  const isSeen = (character: string) => !UNSEEN.test(character);
  const first = characters.findIndex(isSeen);
  return first === -1 ? "" : characters.slice(first, characters.findLastIndex(isSeen) + 1).join("");
}

function cutTexts(device: Device): Device {
  const cut: Record<string, unknown> = { ...device };
  for (const [name, max] of Object.entries(TEXT_MAX)) {
    if (cut[name] != null) cut[name] = cutText(String(cut[name]).replaceAll("\0", ""), max);
  }
  return cut;
}
