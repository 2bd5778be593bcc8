/** Follows a session as a page does. */
import type { TestApp } from "../../../support/app.ts";
import { type Following, followStream } from "../../../support/follow.ts";

export type { Following, Told } from "../../../support/follow.ts";

export const follow = (
  app: Pick<TestApp, "url">,
  sessionId: string,
  lastEventId?: string | number,
): Promise<Following> => followStream(`${app.url}/api/v1/batch/sessions/${sessionId}/events`, lastEventId);
