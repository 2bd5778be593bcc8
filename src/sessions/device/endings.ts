/** How a session can end. The only list of endings. */
export const ENDINGS = {
  replaced: {
    by: "takeover",
    message: "Another device has taken over this access key",
    when: "another device has started a session of the key. Final.",
  },
  expired: { by: "timeout", message: "The session has expired", when: "no heartbeat came within the timeout. Final." },
  ended: {
    by: "device",
    message: "The session has ended",
    when: "the session was ended by its device, or by the owner of the key, which `reason` then says. Final.",
  },
  revoked: {
    by: "operator",
    message: "The session was ended by the operator",
    when: "the operator has ended the session or revoked the key; `reason`, if one was given, is for the person at the device. Final.",
  },
  cloned: {
    by: "copy",
    message: "The session is in use on two devices",
    when: "two processes proved that they use one session id; for callers that never sent proof it reads session_revoked. Final.",
  },
} as const;

export type EndingReason = keyof typeof ENDINGS;
export const ENDING_REASONS = Object.keys(ENDINGS) as [EndingReason, ...EndingReason[]];
export const ENDED_BY_OPERATOR = ENDING_REASONS.filter((reason) => ENDINGS[reason].by === "operator");
export const ENDING_CODES = ENDING_REASONS.map((reason) => `session_${reason}` as const);
