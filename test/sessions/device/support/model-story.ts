/** Tells one story to the reference and to the program, step by step, and compares everything that they say. */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { AppError } from "../../../../src/errors.ts";
import type { DeviceSessions } from "../../../../src/sessions/device/deps.ts";
import type { TestDatabase } from "../../../support/database.ts";
import { newLeaseId, newSessionId } from "../../../support/secrets.ts";
import type { Tally } from "../../../support/stories.ts";
import { maskSessionId } from "./chain.ts";
import type { Command, OddKey, Proving, Story } from "./model-commands.ts";
import { createProcesses, type Processes } from "./model-processes.ts";
import { ask, byId, cleanUp, type Place, pin, readPlaces } from "./model-program.ts";
import { redateBeat } from "./model-proof.ts";
import { type Answer, type Call, createReference, type ModelKey, type Reference } from "./model-reference.ts";

/** The database's clock runs on while a story is told; its rows are dated anew this often. */
const PIN_EVERY_MS = 250;
/** Within this time after dating, a session that is 59 s silent by the model is live for the program too. */
const PINNED_FOR_MS = 900;

/**
 * After every step the answer, and where each session stands, must be the reference's. As the reference knows one live
 * session a key and ends each session once, this says as well: at most one live row a key, no ended id live again, every
 * ended session in the history exactly once and for its reason. Generations must rise on top of it.
 */
export async function tell(db: TestDatabase, service: DeviceSessions, story: Story, tally: Tally): Promise<void> {
  const reference = createReference(await makeKeys(db, story.oddKey));
  const processes = createProcesses();
  const told: string[] = [];
  let places: Place[] = [];
  let pinnedAtMs = Number.NEGATIVE_INFINITY;
  try {
    for (const command of [...story.commands, { do: "cleanup" } as const]) {
      if (command.do === "pass") reference.pass(command.seconds);
      if (command.do === "pass" || performance.now() - pinnedAtMs > PIN_EVERY_MS) {
        pinnedAtMs = performance.now();
        await pin(db, reference);
        for (const session of reference.sessions) redateBeat(session.beaten);
        places = await readPlaces(db, reference);
      }
      const step = await takeStep(service, { reference, processes }, command, places);
      places = await readPlaces(db, reference);
      count(tally, `${command.do}: ${step.is}`);
      told.push(`${told.length + 1}. ${JSON.stringify(command)} → ${step.is}`);
      const faults = [...step.faults, ...comparePlaces(reference, places)];
      if (faults.length === 0) continue;
      // The machine stood still for so long that the two clocks came apart: this story proves nothing.
      fc.pre(performance.now() - pinnedAtMs < PINNED_FOR_MS);
      throw new Error([`The story (third key: ${story.oddKey})`, ...told, ...faults].join("\n"));
    }
  } catch (error) {
    // Nor does one in which the machine was too slow for an answer in time.
    fc.pre(!(error instanceof AppError && error.code === "unavailable"));
    throw error;
  } finally {
    await db.sql`WITH leases AS (DELETE FROM leases) DELETE FROM active_sessions`;
  }
}

interface World {
  reference: Reference;
  processes: Processes;
}

interface Step {
  is: string;
  faults: string[];
}

async function takeStep(service: DeviceSessions, world: World, command: Command, before: Place[]): Promise<Step> {
  if (command.do === "pass") return { is: "time passes", faults: [] };
  if (command.do === "cleanup") return cleanAndCompare(service, before);
  const call = fillIn(world, command);
  const step = await callAndCompare(service, world.reference, call);
  if (!step.challenge || !("proof" in call) || !call.proof || !("proof" in command) || !command.proof) return step;
  world.processes.challenge(call.sessionId, command.proof.by, step.challenge);
  if (!command.proof.answers || step.faults.length > 0) return step;
  const answered = { ...call, proof: { ...call.proof, answer: step.challenge } };
  const { is, faults } = await callAndCompare(service, world.reference, answered);
  return { is: `${is} when challenged`, faults };
}

async function callAndCompare(
  service: DeviceSessions,
  reference: Reference,
  call: Call,
): Promise<Step & { challenge?: string }> {
  const due = reference.answer(call);
  const { learn, ...said } = await ask(service, call);
  if (call.do === "lease" && due.is === "leased" && due.leaseId === undefined) {
    due.leaseId = said.leaseId; // a new one, which only the program can name
    const lease = reference.sessions.find(({ id }) => id === call.sessionId)?.key.lease;
    if (lease) lease.id = String(said.leaseId);
  }
  const faults = compare(said, due);
  const started = reference.sessions.at(-1);
  if (due.is === "started" && said.is === "started" && started) {
    const { generation, startedAt } = learn as { generation: number; startedAt: string };
    if (generation <= started.key.generation) faults.push(`   Generation ${generation} did not rise`);
    started.key.generation = generation;
    Object.assign(started, { generation, startedAt });
  }
  const { challenge } = (learn ?? {}) as { challenge?: string };
  return { is: describeAnswer(due), faults, ...(challenge !== undefined && { challenge }) };
}

/** A cleanup sweeps those that are silent and were not swept before, every one of them and no other. */
async function cleanAndCompare(service: DeviceSessions, before: Place[]): Promise<Step> {
  const silent = before
    .filter(({ stands }) => stands === "silent")
    .map(({ id }) => maskSessionId(id))
    .sort();
  return { is: silent.length > 0 ? "some" : "none", faults: compare(await cleanUp(service), silent) };
}

/** A command names sessions by how long ago they were; a call names them by their ids. */
function fillIn({ reference, processes }: World, command: Exclude<Command, { do: "pass" | "cleanup" }>): Call {
  const { keys, sessions } = reference;
  const idOf = (session: number | string) =>
    (typeof session === "number" && sessions.at(-1 - (session % sessions.length))?.id) || newSessionId();
  const keyOf = (key: number) => keys[key] as ModelKey;
  const proofOf = (sessionId: string, proof: Proving | null) =>
    proof === null ? undefined : processes.prove(sessionId, proof);
  const generationOf = (key: ModelKey) => reference.holder(key)?.generation ?? key.generation;
  switch (command.do) {
    case "start": {
      const sessionId = idOf(command.session);
      const own = sessions.find(({ id }) => id === sessionId)?.key ?? keyOf(0);
      const key = command.key === "its own" ? own : keyOf(command.key);
      const last = generationOf(key);
      const expectedGeneration = { nothing: undefined, holder: last, other: Math.max(0, last - 1) }[command.expect];
      const device = command.device === null ? null : { name: command.device };
      const leaseId = { none: undefined, "of the key": key.lease?.id, "made up": newLeaseId() }[command.lease];
      const proof = proofOf(sessionId, command.proof);
      return { do: "start", key, sessionId, refuse: command.refuse, expectedGeneration, device, leaseId, proof };
    }
    case "heartbeat": {
      const sessionId = idOf(command.session);
      return { do: "heartbeat", sessionId, proof: proofOf(sessionId, command.proof) };
    }
    case "lease": {
      const sessionId = idOf(command.session);
      return { do: "lease", sessionId, seconds: command.seconds, proof: proofOf(sessionId, command.proof) };
    }
    case "return":
      return { do: "return", key: keyOf(command.key) };
    case "status":
      return {
        do: "status",
        key: keyOf(command.key),
        sessionId: command.session === "none" ? undefined : idOf(command.session),
      };
    case "revoke":
    case "erase":
      return { do: command.do, key: keyOf(command.key) };
    case "sign-out": {
      const key = keyOf(command.key);
      const last = generationOf(key);
      const expectedGeneration = command.expect === "holder" ? last : Math.max(0, last - 1);
      return { do: "sign-out", key, expectedGeneration };
    }
    default:
      return { do: command.do, sessionId: idOf(command.session) };
  }
}

/** Who expired may stand in either place until the next cleanup, everybody else only in one. */
function comparePlaces(reference: Reference, places: Place[]): string[] {
  const real = new Map(places.map((place) => [place.id, place]));
  const due = reference.sessions.map(({ id, generation, ended, beatAtSeconds }): Place => {
    const active = ended === undefined || (ended === "expired" && real.get(id)?.stands === "silent");
    const stands = active && ended ? "silent" : (ended ?? "live");
    return { id, generation, stands, silentSeconds: active ? reference.nowSeconds - beatAtSeconds : null };
  });
  const leases = reference.keys.flatMap((key): Place[] => {
    const { id, session } = reference.leaseOf(key) ?? {};
    return id && session ? [{ id, generation: session.generation, stands: "leased", silentSeconds: null }] : [];
  });
  return compare(places, [...due, ...leases].sort(byId));
}

function compare(real: unknown, due: unknown): string[] {
  if (isDeepStrictEqual(real, due)) return [];
  return [`   The program: ${JSON.stringify(real)}`, `   The model:   ${JSON.stringify(due)}`];
}

/** What a tally counts: an answer, and the little things about it that a story must have seen. */
function describeAnswer(answer: Answer): string {
  const { is, previous, sessionRevoked, own, leased } = answer;
  const detail = [
    ...(previous ? ["taking over"] : []),
    ...(sessionRevoked ? ["with its session"] : []),
    ...(own ? ["its own"] : []),
    ...(leased ? ["leased"] : []),
  ];
  return [is, ...detail].join(", ");
}

async function makeKeys(db: TestDatabase, oddKey: OddKey): Promise<ModelKey[]> {
  const odd = {
    ordinary: {},
    revoked: {},
    expired: { expires: "2020-01-01" },
    "expires after 30 s": { expires: "1h" },
  };
  const options = [{}, {}, odd[oddKey]];
  const made = await Promise.all(options.map((option) => db.makeKey(option)));
  if (oddKey === "revoked") await db.sql`SELECT revoke_key(${made[2]?.id ?? null}, NULL)`;
  const keys = made.map(
    ({ key, id }): ModelKey => ({
      accessKey: key,
      id,
      known: true,
      revoked: false,
      expiresAtSeconds: Number.POSITIVE_INFINITY,
      generation: 0,
    }),
  );
  const [, , third] = keys;
  if (third) {
    third.revoked = oddKey === "revoked";
    if (oddKey === "expired") third.expiresAtSeconds = -1;
    if (oddKey === "expires after 30 s") third.expiresAtSeconds = 30;
  }
  const unknown = { ...(keys[0] as ModelKey), accessKey: "no such key", id: 999_999_999, known: false };
  return [...keys, unknown];
}

function count(tally: Tally, what: string): void {
  tally.set(what, (tally.get(what) ?? 0) + 1);
}
