import { checkOptions } from "./check-options.ts";
import { claimKey } from "./claim.ts";
import { endOnSignals, followPage } from "./exit.ts";
import { createHandle, type Session } from "./handle.ts";
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
  const link = openLink(options);
  const storedId = keepSessionId(options.storage);
  const claimed = await claimKey(link, options, storedId);
  let ending: Promise<void> | undefined;
  const end = () => {
    ending ??= loop.end();
    return ending;
  };
  const handle = createHandle(options.onEvent, end);
  const loop = new SessionLoop({ link, options, handle, storedId });
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
  loop.begin(claimed);
  return handle.session;
}
