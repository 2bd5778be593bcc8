/** What people paste and machines call themselves, as the service takes it: it does the same, a later version at least. */
import type { Device } from "../sessions/device/contract.ts";
import type { StartOptions } from "./options.ts";

/** White space, what steers text, what has no ink; NUL is none of it. */
const UNSEEN = /[\s\p{Cf}\p{Cc}\p{Default_Ignorable_Code_Point}\u2800]/u;
const LENGTH_MAX = { name: 100, platform: 50, app_version: 50 } as const;

/** The key without what nobody sees around it, the device's texts cut to their length. */
export function asSent<T extends StartOptions>(options: T): T {
  const { accessKey, device } = options;
  return { ...options, accessKey: trim(accessKey), ...(device && { device: cut(device) }) };
}

function trim(key: string): string {
  const characters = [...key];
  const isSeen = (character: string) => character === "\0" || !UNSEEN.test(character);
  const first = characters.findIndex(isSeen);
  return first === -1 ? "" : characters.slice(first, characters.findLastIndex(isSeen) + 1).join("");
}

function cut(device: Device): Device {
  const sent: Record<string, unknown> = { ...device };
  for (const [name, max] of Object.entries(LENGTH_MAX)) {
    const text = sent[name];
    // Whole characters: half of one, left by a careless cut, is none.
    if (typeof text === "string") sent[name] = [...text.replace(/\p{Cs}/gu, "\ufffd")].slice(0, max).join("");
  }
  return sent;
}
