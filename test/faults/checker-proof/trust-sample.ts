/**
 * Keys whose devices prove that they run, and take leases: a restart, a real copy, a day offline, a lease given back. One
 * story, told by calls that do not overlap; when they happen is random.
 */
import type { EndedRow, History } from "../checker/history.ts";
import { type Answer, type Call, deviceName, maskSessionId, type ProofSent } from "../load/call.ts";

/** After everything else. */
const BEGINS_AT = 60_000;
const LEASE_MS = 36_000;

export function playTrust(key: number, random: () => number, history: History): void {
  const { timeoutMs, clock } = history.circumstances;
  let at = BEGINS_AT + random() * 1000;
  let generation = 0;
  const onClock = () => Math.floor(at) + clock.offsetMs;
  const wait = (ms: number) => {
    at = Math.floor(at + ms);
  };
  const call = (operation: Call["operation"], sessionId: string, answer: Answer, more: Partial<Call> = {}) => {
    const [sentAt, answeredAt] = [at - random() * 20, at + random() * 20];
    history.calls.push({ operation, key, sessionId, server: 0, status: 200, sentAt, answeredAt, answer, ...more });
    wait(60);
  };
  const nameOf = (letter: string) => `${key}trust-${letter}-of-a-made-up-history`;
  const [a, b, c, d, e, f] = ["a", "b", "c", "d", "e", "f"].map(nameOf) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];

  const start = (sessionId: string, more: Partial<Call> = {}, held?: EndedRow): EndedRow => {
    wait(20);
    const startedAt = onClock();
    if (held) Object.assign(held, { endedAt: startedAt, reason: "replaced", replacedByGeneration: generation + 1 });
    const previous = held ? maskSessionId(held.sessionId) : null;
    call("start", sessionId, { is: "started", generation: ++generation, resumed: false, previous, startedAt }, more);
    const row = { key, sessionId, generation, startedAt, lastHeartbeat: startedAt };
    return { ...row, endedAt: 0, reason: "ended", replacedByGeneration: null };
  };
  const proof = (instance: string, number: number, answers = false): { proof: ProofSent } => ({
    proof: { instance: `${key}-${instance}`, number, beatId: `${key}-${instance}-${number}`, answers },
  });
  const beat = (row: EndedRow, more: Partial<Call> = {}) => {
    row.lastHeartbeat = onClock();
    call("heartbeat", row.sessionId, { is: "live", generation: row.generation }, more);
  };
  const ask = (row: EndedRow, answer: Answer, more: Partial<Call> = {}) =>
    call("heartbeat", row.sessionId, answer, more);
  const challenged: Answer = { is: "challenged", challenge: "of a made-up history" };
  /** The lease that the session has from now on; asked for twice. */
  const lease = (row: EndedRow, more: Partial<Call> = {}): Answer & { is: "leased" } => {
    const [issuedAt, leaseId] = [onClock(), `lease of ${row.sessionId}`];
    const given = { is: "leased" as const, lease: leaseId, leaseId, issuedAt, until: issuedAt + LEASE_MS };
    if (more.proof) row.lastHeartbeat = issuedAt;
    call("lease", row.sessionId, given, more);
    call("lease", row.sessionId, { ...given }, more);
    return given;
  };
  /** A process that was not there before. */
  const join = (row: EndedRow, instance: string) => {
    ask(row, challenged, proof(instance, 0));
    beat(row, proof(instance, 0, true));
  };

  const first = start(a, proof("a1", 0));
  beat(first, proof("a1", 1));
  join(first, "a2");
  ask(first, { is: "proof-required" });
  first.lastHeartbeat = onClock();
  ask(first, { is: "unknown", why: "503" }, proof("a2", 1));
  ask(first, { is: "live", generation }, proof("a2", 1));
  call("lease", a, { is: "proof-required" });
  const proved = lease(first, proof("a2", 2));
  call("return", a, { is: "returned", success: true }, { leaseId: proved.leaseId });

  const copied = start(b, proof("b1", 0), first);
  call("heartbeat", a, { is: "ended", reason: "replaced", endedAt: first.endedAt, by: deviceName(b) }, proof("a2", 3));
  history.copies.push({ key, sessionId: b, from: at });
  beat(copied, proof("b1", 1));
  join(copied, "b2");
  ask(copied, challenged, proof("b1", 2));
  Object.assign(copied, { endedAt: onClock(), reason: "cloned" });
  const cloned: Answer = { is: "ended", reason: "cloned", endedAt: copied.endedAt };
  ask(copied, cloned, proof("b1", 2, true));
  ask(copied, cloned, proof("b2", 1));
  ask(copied, { ...cloned, asRevoked: true });
  call("lease", b, cloned, proof("b2", 1));

  const keepOut = (row: EndedRow, { until }: Answer & { is: "leased" }) => {
    const refused = {
      is: "refused" as const,
      code: "key_in_use",
      holderGeneration: row.generation,
      leasedUntil: until,
    };
    for (const more of [{}, { refuse: true }]) call("start", d, refused, more);
  };
  const offline = start(c);
  beat(offline);
  const away = lease(offline);
  keepOut(offline, away);
  wait(timeoutMs + 1000);
  Object.assign(offline, { endedAt: offline.lastHeartbeat + timeoutMs, reason: "expired" });
  keepOut(offline, away);
  const back = start(e, { leaseId: away.leaseId });
  const { leaseId } = lease(back);
  beat(back);
  for (const success of [true, false]) call("return", e, { is: "returned", success }, { leaseId });
  const last = start(f, {}, back);
  keepOut(last, lease(last));
  beat(last);

  history.rows.keys.push({ key, generation });
  history.rows.history.push(first, copied, offline, back);
  const { sessionId, startedAt, lastHeartbeat } = last;
  history.rows.active.push({ key, sessionId, generation, startedAt, lastHeartbeat });
}
