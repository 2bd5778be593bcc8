import { checkOptions } from "./check-options.ts";
import { claimKey } from "./claim.ts";
import type { KeybeatError } from "./error.ts";
import { endOnSignals, followPage } from "./exit.ts";
import { createHandle, type Session } from "./handle.ts";
import { openTrust } from "./load-trust.ts";
import { SessionLoop } from "./loop.ts";
import type { StartOptions } from "./options.ts";
import { openLink } from "./platform.ts";
import { keepSessionId } from "./storage.ts";

/**
 * Claims the key and keeps it until `end()`, or until it is lost.
 *
 * Rejects with a KeybeatError, and then holds nothing: `invalid_key`, `key_expired`, `key_revoked`; `key_in_use` with
 * `data.holder`, if `onConflict` is "refuse" or `ask` said no; `session_id_used`; `invalid_request`; `unreachable`
 * after `startTimeoutMs` without an answer, or at once if a retry would fail too. Rejects with a TypeError if an option
 * is wrong.
 */
export async function startSession(given: StartOptions): Promise<Session> {
  const options = checkOptions(given);
  const { link, leases } = await openTrust(openLink(options), options);
  const storedId = leases?.storedId ?? keepSessionId(options.storage);
  // With a lease that holds there is no need to wait for the network.
  const held = leases?.look() === "held";
  const startTimeoutMs = held ? link.requestTimeoutMs : options.startTimeoutMs;
  const claimed = await claimKey(link, { ...options, startTimeoutMs }, storedId, leases?.text).catch((error) => {
    const { code } = error as KeybeatError;
    if (held && code === "unreachable") return undefined;
    // The service knows better than a lease of before the key was withdrawn.
    if (/^key_|_key$/.test(code)) void leases?.drop();
    throw error;
  });
  let ending: Promise<void> | undefined;
  const end = () => {
    ending ??= loop.end();
    return ending;
  };
  const handle = createHandle(options.onEvent, end, leases);
  const loop = new SessionLoop({ link, options, handle, storedId, leases });
  const over = loop.over.signal;
  followPage(
    options.page,
    {
      hide(mayReturn) {
        if (mayReturn) return loop.pause();
        if (options.endOnExit === false) return;
        // The next page must start anew, as this `end` may arrive after its start.
        void storedId.forget();
        void end();
      },
      show: () => loop.check(),
      online: () => handle.session.state === "live" || loop.check(),
    },
    over,
  );
  if (options.endOnSignals) endOnSignals(end, over);
  if (claimed) loop.begin(claimed);
  else loop.beginOffline((await storedId.read()) as string);
  return handle.session;
}
