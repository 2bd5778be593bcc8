/** A device that watches is told: a stream that stays open long after the ending was known has missed it. */
import { describeCall, type History, type Violation } from "./history.ts";
import type { KeyStory } from "./story.ts";

/** The backstop behind the notification looks every 10 s. */
const TOLD_WITHIN_MS = 12_000;

export function checkStreams(story: KeyStory, { streams, circumstances }: History): Violation[] {
  return streams.flatMap((stream) => {
    const gone = stream.key === story.key ? story.byId.get(stream.sessionId)?.gone : undefined;
    if (!gone || stream.told) return [];
    const from = Math.max(gone.at, stream.openedAt);
    const away = circumstances.outages.some((outage) => outage.from < stream.closedAt && outage.to > from);
    if (away || stream.closedAt - from <= TOLD_WITHIN_MS) return [];
    const seconds = ((stream.closedAt - from) / 1000).toFixed(1);
    const sentence = `a watch stream stayed open for ${seconds} s after the end was known: ${describeCall(gone.call)}`;
    return [{ rule: "missed-ending", sentence }];
  });
}
