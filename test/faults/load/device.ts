/**
 * The life of one simulated device: start, beat, sometimes look, watch, fall silent or end; when told that the session is
 * over wait a while and, as a new person would, start again with a new id.
 *
 *   start ──► hold: beat, look, watch ──► ended, or told that it ended ──► a last late call ──► wait ──► start …
 *     └─ refused: wait ──► start …           └─ silent for longer than the timeout ──► beat again
 *
 * Some sessions have proof: their process restarts now and then, and is copied, so that two run. Some take a lease, work
 * offline, and come back by it or give it back.
 *
 * What has an unknown outcome is asked again, at another server if there is one, as a right client does.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, type Asked, deviceName, type ProofSent } from "./call.ts";
import type { Client } from "./client.ts";
import { createProver, type Prover } from "./prover.ts";

export interface Temper {
  /** After an ending until the next start, at most. */
  waitMs: number;
  /** Between two heartbeats: half of it to all of it. */
  beatMs: number;
  /** How long silence lasts when a device falls silent. */
  silenceMs: number;
  /** The shares of starts that spare a live holder, and that replace only the one they know of. */
  refuses: number;
  expects: number;
  /** In each beat: the chance to end, to fall silent, to ask for the status. */
  ends: number;
  fallsSilent: number;
  looks: number;
  /** Of the sessions, how many are watched. */
  watches: number;
  /** And how many have proof; in each beat of these: the chance of a new process, of a second one beside it. */
  proves: number;
  restarts: number;
  copies: number;
  /** In each beat: the chance to take a lease and work offline. */
  leases: number;
}

export interface DeviceOptions {
  client: Client;
  key: { id: number; accessKey: string };
  temper: Temper;
  newSessionId(): string;
  /** Until its very first start, at most. */
  firstWaitMs: number;
  /** Aborted: finish the call that is under way, and go. */
  signal: AbortSignal;
}

/** What a device has that works offline. */
interface Lease {
  lease: string;
  leaseId: string;
}

/** The shortest that there is. */
const LEASE_HOURS = 0.01;

/** How often one start or end is asked again before the device gives it up, its outcome for ever unknown. */
const TRIES_MAX = 12;

export async function liveAsDevice(options: DeviceOptions): Promise<void> {
  const { temper, signal } = options;
  const pause = (ms: number) => sleep(ms, undefined, { signal }).catch(() => {});
  await pause(Math.random() * options.firstWaitMs);
  let known: number | undefined;
  let lease: Lease | undefined;
  while (!signal.aborted) {
    const session = createSession(options, pause);
    const started = await session.start(known, lease);
    lease = undefined;
    if (started?.is === "started") {
      known = started.generation;
      lease = await session.hold();
      await session.callLate();
      // By its lease it is back as soon as it may be.
      if (lease) continue;
    } else if (started?.is === "refused") {
      known = started.holderGeneration ?? known;
    }
    await pause(temper.waitMs * (0.2 + 0.8 * Math.random()));
  }
}

function createSession(
  { client, key, temper, newSessionId, signal }: DeviceOptions,
  pause: (ms: number) => Promise<void>,
) {
  const sessionId = newSessionId();
  const about = { key: key.id, sessionId };
  const chance = (share: number) => Math.random() < share;
  let server = Math.floor(Math.random() * client.servers);
  /** Usually the one that answered before. */
  const anyServer = () => (chance(0.6) ? server : Math.floor(Math.random() * client.servers));

  /** Asks again until the answer is known; undefined: given up. */
  const insist = async (ask: () => Promise<Answer>): Promise<Answer | undefined> => {
    for (let tries = 0; tries < TRIES_MAX && !signal.aborted; tries++) {
      const answer = await ask();
      if (answer.is !== "unknown") return answer;
      server = (server + 1) % client.servers;
      await pause(100 + Math.random() * 300);
    }
    return undefined;
  };

  let prover: Prover | undefined = chance(temper.proves) ? createProver() : undefined;
  let isCopied = false;
  /** Calls of processes that have ended. */
  const strays: Array<Promise<unknown>> = [];

  const start = async (known: number | undefined, lease?: Lease) => {
    const asked = {
      ...(chance(temper.refuses) && { refuse: true }),
      ...(known !== undefined && chance(temper.expects) && { expectedGeneration: known }),
      ...(lease && { leaseId: lease.leaseId }),
    };
    const body = {
      access_key: key.accessKey,
      session_id: sessionId,
      device: { name: deviceName(sessionId) },
      ...(asked.refuse && { on_conflict: "refuse" }),
      ...(asked.expectedGeneration !== undefined && { expected_generation: asked.expectedGeneration }),
      ...(lease && { lease: lease.lease }),
    };
    const ask = (at: number) => prove(prover, { operation: "start", ...about, server: at, ...asked }, body);
    // Now and then the same start goes to two servers at once: it must come out as one.
    if (prover || !chance(0.05)) return insist(() => ask(server));
    return insist(async () => {
      const answers = await Promise.all([ask(server), ask((server + 1) % client.servers)]);
      return answers.find((answer) => answer.is === "started") ?? (answers[0] as Answer);
    });
  };

  /** With proof, if that process has some. */
  const prove = (by: Prover | undefined, asked: Asked, body: Record<string, unknown>) =>
    by
      ? by.prove((proof, sent) => client.call({ ...asked, proof }, { ...body, proof: sent }))
      : client.call(asked, body);

  const beat = async (by = prover) => {
    const at = anyServer();
    const answer = await prove(by, { operation: "heartbeat", ...about, server: at }, { session_id: sessionId });
    if (answer.is === "unknown") server = (at + 1) % client.servers;
    return answer;
  };

  const end = () => insist(() => client.call({ operation: "end", ...about, server }, { session_id: sessionId }));

  const look = () => {
    const own = chance(0.7) ? sessionId : undefined;
    return client.call(
      { operation: "status", key: key.id, sessionId: own ?? "", server: anyServer() },
      { access_key: key.accessKey, session_id: own },
    );
  };

  const isOver = (answer: Answer) => !["live", "unknown", "challenged", "proof-required"].includes(answer.is);

  /** The process ends, perhaps with a beat under way, which answers nothing any more; the next one resumes, or just beats. */
  const restart = async (): Promise<boolean> => {
    const ending = prover;
    const once = async (proof: ProofSent, sent: object) => {
      const asked = { operation: "heartbeat" as const, ...about, server: anyServer(), proof };
      strays.push(client.call(asked, { session_id: sessionId, proof: sent }));
      return { is: "unknown" as const, why: "cut" as const };
    };
    if (chance(0.5)) await ending?.prove(once);
    prover = createProver();
    return chance(0.5) || (await start(undefined))?.is === "started";
  };

  const askForLease = (by = prover) =>
    prove(by, { operation: "lease", ...about, server: anyServer() }, { session_id: sessionId, hours: LEASE_HOURS });

  /** As an older version of the same program does, and who has but the session's id. */
  const callUnproven = async () => {
    await client.call({ operation: "heartbeat", ...about, server: anyServer() }, { session_id: sessionId });
    await client.call(
      { operation: "lease", ...about, server: anyServer() },
      { session_id: sessionId, hours: LEASE_HOURS },
    );
  };

  /** A second process, which runs until it is told that the session is over. */
  const runCopy = async (copy: Prover, stop: AbortSignal) => {
    client.noteCopy({ key: key.id, sessionId });
    while (!stop.aborted && !isOver(await beat(copy))) await pause(temper.beatMs * (0.5 + Math.random() / 2));
  };

  /** Works offline for a while. Gives the lease that it comes back by. */
  const goOffline = async (): Promise<Lease | undefined> => {
    const given = await insist(askForLease);
    if (given?.is !== "leased") return undefined;
    if (chance(0.3)) await insist(askForLease);
    await pause(temper.silenceMs * (0.3 + Math.random()));
    const { lease, leaseId } = given;
    if (chance(0.6)) return { lease, leaseId };
    if (chance(0.9)) {
      await insist(() => client.call({ operation: "return", ...about, server: anyServer(), leaseId }, { lease }));
    }
    return undefined;
  };

  /** Watches until the session is over, opening the stream again after every cut. */
  const watchOn = async (told: AbortController, stop: AbortSignal) => {
    while (!stop.aborted) {
      const answer = await client.watch({ ...about, server: anyServer() }, stop);
      if (isOver(answer)) return told.abort();
      await pause(100 + Math.random() * 400);
    }
  };

  /** Resolves when the session is over as far as its device knows, or given up for a lease, which it gives. */
  const hold = async (): Promise<Lease | undefined> => {
    const told = new AbortController();
    const left = new AbortController();
    const nothingToWaitFor = AbortSignal.any([signal, told.signal]);
    const leaving = AbortSignal.any([signal, left.signal]);
    const beside = chance(temper.watches) ? [watchOn(told, leaving)] : [];
    let lease: Lease | undefined;
    for (;;) {
      await sleep(temper.beatMs * (0.5 + Math.random() / 2), undefined, { signal: nothingToWaitFor }).catch(() => {});
      if (nothingToWaitFor.aborted) break;
      if (chance(temper.looks)) await look();
      if (chance(temper.fallsSilent)) {
        await pause(temper.silenceMs * (0.8 + 0.4 * Math.random()));
        // An app that wakes up may well start what it had again.
        if (chance(0.5) && (await start(undefined))?.is !== "started") break;
      }
      if (chance(temper.ends)) {
        await end();
        break;
      }
      if (chance(temper.leases)) {
        lease = await goOffline();
        if (lease) break;
      }
      if (prover && chance(temper.restarts) && !(await restart())) break;
      if (prover && !isCopied && chance(temper.copies)) {
        isCopied = true;
        beside.push(runCopy(chance(0.5) ? prover.twin() : createProver(), leaving));
      }
      if (prover && chance(temper.restarts)) {
        await callUnproven();
      }
      if (isOver(await beat())) break;
    }
    left.abort();
    await Promise.all([...beside, ...strays]);
    return lease;
  };

  /** Some devices do not take the ending for an answer; nothing may come of it. */
  const callLate = async () => {
    if (signal.aborted) return;
    if (isCopied) {
      await callUnproven();
      await askForLease();
    }
    if (!chance(0.3)) return;
    const late = [() => beat(), end, look, () => start(undefined)];
    await late[Math.floor(Math.random() * late.length)]?.();
  };

  return { start, hold, callLate };
}
