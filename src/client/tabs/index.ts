/**
 * One session for all tabs and windows of a web app: `startSharedSession` in place of `startSession`.
 *
 *                 hello ──►
 *      follower ◄── news ── leader          (BroadcastChannel)
 *          └── the lock is free: leads ──►  (Web Locks)
 *
 * What it promises: exactly one tab, the leader, sends heartbeats; the others see the same session, generation and
 * events. When the leader closes, the next tab goes on with the same session, without a new start. The session ends when
 * the last tab closes; `end()` in any tab ends it for all. A tab that hears nothing from its leader until the deadline
 * reports `unreachable`, like any device that is cut off.
 *
 * Without Web Locks or BroadcastChannel (on an http page, say) each tab gets a session of its own, as by startSession.
 * The session id travels only between the tabs of this origin.
 */
import { checkOptions } from "../check-options.ts";
import { checkUrl } from "../check-url.ts";
import type { Session } from "../handle.ts";
import { openTrust } from "../load-trust.ts";
import { openLink } from "../platform.ts";
import { startSession } from "../start.ts";
import type { SharedOptions, TabChannel, TabLocks } from "./options.ts";
import { SharedTab } from "./shared-tab.ts";

export * from "../index.ts";
export type { SharedOptions, TabChannel, TabLocks } from "./options.ts";

/** Like startSession, but joins the session of another tab of this origin for the same service and key. */
export async function startSharedSession(given: SharedOptions): Promise<Session> {
  const options = checkOptions(given);
  const browser = globalThis as {
    navigator?: { locks?: TabLocks };
    BroadcastChannel?: new (name: string) => unknown;
  };
  const locks = options.locks ?? browser.navigator?.locks;
  const Channel = browser.BroadcastChannel;
  const openChannel = options.openChannel ?? (Channel && ((name: string) => new Channel(name) as TabChannel));
  // Without the others' lead there is no telling a duplicated tab from a copy.
  if (!locks || !openChannel || options.shareTabs === false) return startSession({ ...options, proof: false });
  const { link } = await openTrust(openLink(options), options, true);
  return new SharedTab(link, options, await nameSession(options), locks, openChannel).start();
}

/** The same name for all tabs of this origin with this service and key; the key cannot be recovered from it. */
async function nameSession({ url, accessKey }: SharedOptions): Promise<string> {
  const digest = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(`${checkUrl(url, "url")} ${accessKey}`),
  );
  return `keybeat ${btoa(String.fromCharCode(...new Uint8Array(digest)))}`;
}
