import type { Session, SessionEvent } from "../../../src/client/index.ts";

/** The next event of that type, from now on. */
export function nextEvent<T extends SessionEvent["type"]>(
  session: Session,
  type: T,
): Promise<Extract<SessionEvent, { type: T }>> {
  return new Promise((resolve) => {
    const off = session.on(type, (event) => {
      off();
      resolve(event);
    });
  });
}
