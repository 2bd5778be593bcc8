/**
 * A correct history, made up: a plain service with a clock of its own, called at moments that are known, by callers whose
 * calls overlap, are lost on the way there or on the way back, and are asked again.
 */

import type { ActiveRow, EndedRow, History } from "../checker/history.ts";
import { type Answer, type Call, deviceName, maskSessionId, type Operation } from "../load/call.ts";
import { playBatch } from "./batch-sample.ts";
import { playMatches } from "./match-sample.ts";
import { playRoom, SAMPLE_TIMEOUTS } from "./room-sample.ts";
import { playTrust } from "./trust-sample.ts";

const TIMEOUT_MS = 5_000;
/** The database's clock less that of the calls. */
const OFFSET_MS = 1_700_000_000_000;
const STEPS = 400;

export function makeHistory(seed: number): History {
  const random = createRandom(seed);
  const { roomCalls, room } = playRoom(createRandom(seed), OFFSET_MS);
  const { batchCalls, batch } = playBatch(createRandom(seed));
  const { matchCalls, matches } = playMatches(createRandom(seed), OFFSET_MS);
  const clock = { offsetMs: OFFSET_MS, errorMs: 1 };
  const history: History = {
    calls: [],
    streams: [],
    copies: [],
    roomCalls,
    batchCalls,
    matchCalls,
    circumstances: { timeoutMs: TIMEOUT_MS, roomTimeoutMs: SAMPLE_TIMEOUTS, outages: [], crashes: [], clock },
    rows: { keys: [], active: [], history: [], gap: null, room, batch, matches },
  };
  for (let key = 1; key <= 4; key++) playKey(key, random, history);
  for (let key = 5; key <= 7; key++) playTrust(key, random, history);
  history.calls.sort((a, b) => a.answeredAt - b.answeredAt);
  return history;
}

/** Proof and leases are in another sample. */
type Asking = Exclude<Operation, "lease" | "return">;

function playKey(key: number, random: () => number, { calls, rows }: History): void {
  const service = createService(key);
  const ids: string[] = [];
  let at = 1_000;
  for (let step = 0; step < STEPS; step++) {
    at += random() < 0.01 ? TIMEOUT_MS * 1.5 : 5 + random() * 100;
    const fresh = random() < 0.12 || ids.length === 0;
    if (fresh) ids.push(`${key}${String(ids.length).padStart(7, "0")}-of-a-made-up-history`);
    // Mostly the newest sessions: of two that are rivals, and of some that are long over.
    const sessionId = ids.at(fresh ? -1 : -1 - Math.floor(random() ** 3 * Math.min(ids.length, 4))) as string;
    const operation = fresh ? "start" : chooseOperation(random);
    const call: Call & { operation: Asking } = {
      operation,
      key,
      sessionId,
      server: random() < 0.5 ? 0 : 1,
      status: 200,
      sentAt: at - random() * 80,
      answeredAt: at + random() * 80,
      answer: { is: "inactive" },
    };
    if (operation === "start" && random() < 0.2) call.refuse = true;
    if (operation === "start" && random() < 0.2)
      call.expectedGeneration = service.rows().at(random() < 0.5 ? -1 : -2)?.generation;
    const lost = random();
    call.answer = lost < 0.04 ? { is: "unknown", why: "503" } : service.ask(call, at);
    if (lost > 0.96) call.answer = { is: "unknown", why: "cut" };
    calls.push(call);
  }
  const all = service.rows();
  rows.keys.push({ key, generation: all.at(-1)?.generation ?? 0 });
  for (const row of all) {
    if ("endedAt" in row) rows.history.push(row);
    else rows.active.push(row);
  }
}

function chooseOperation(random: () => number): Asking {
  const draw = random();
  const shares: Array<[Asking, number]> = [
    ...([
      ["heartbeat", 0.55],
      ["start", 0.7],
      ["status", 0.85],
      ["watch", 0.92],
      ["end", 0.97],
    ] as const),
  ].map(([operation, share]) => [operation, share]);
  return shares.find(([, share]) => draw < share)?.[0] ?? "kick";
}

/** One key of the service as the contract has it; every call happens at one moment. */
function createService(key: number) {
  const rows: Array<ActiveRow | EndedRow> = [];
  let generation = 0;

  const holder = () => rows.find((row) => !("endedAt" in row));
  const find = (id: string) => rows.find((row) => row.sessionId === id);
  const end = (row: ActiveRow, how: Pick<EndedRow, "endedAt" | "reason"> & Partial<EndedRow>) =>
    Object.assign(row, { replacedByGeneration: null, ...how });

  const start = (call: Call, now: number): Answer => {
    const held = holder();
    const known = find(call.sessionId);
    if (known && known === held) {
      held.lastHeartbeat = now;
      return {
        is: "started",
        generation: held.generation,
        resumed: true,
        previous: null,
        startedAt: held.startedAt,
      };
    }
    if (known) return { is: "refused", code: "session_id_used" };
    const holderGeneration = held?.generation;
    if (held && call.refuse) return { is: "refused", code: "key_in_use", holderGeneration };
    if (held && call.expectedGeneration !== undefined && call.expectedGeneration !== holderGeneration) {
      return { is: "refused", code: "holder_changed", holderGeneration };
    }
    generation++;
    if (held) end(held, { endedAt: now, reason: "replaced", replacedByGeneration: generation });
    rows.push({ key, sessionId: call.sessionId, generation, startedAt: now, lastHeartbeat: now });
    const previous = held ? maskSessionId(held.sessionId) : null;
    return { is: "started", generation, resumed: false, previous, startedAt: Math.floor(now) };
  };

  const tell = ({ reason, endedAt, replacedByGeneration }: EndedRow): Answer => {
    const by = rows.find((row) => row.generation === replacedByGeneration);
    return { is: "ended", reason, endedAt, ...(by && { by: deviceName(by.sessionId) }) };
  };

  const ask = (call: Call & { operation: Asking }, at: number): Answer => {
    const now = Math.floor(at) + OFFSET_MS;
    const held = holder();
    if (held && now - held.lastHeartbeat > TIMEOUT_MS) {
      end(held, { endedAt: held.lastHeartbeat + TIMEOUT_MS, reason: "expired" });
    }
    const known = find(call.sessionId);
    const live = known !== undefined && !("endedAt" in known);
    switch (call.operation) {
      case "start":
        return start(call, now);
      case "heartbeat":
      case "watch":
        if (known === undefined) return { is: "not-found" };
        if ("endedAt" in known) return tell(known);
        if (call.operation === "heartbeat") known.lastHeartbeat = now;
        return { is: "live", generation: known.generation };
      case "end":
      case "kick":
        if (live) end(known, { endedAt: now, reason: call.operation === "end" ? "ended" : "revoked" });
        return { is: "done", success: live };
      case "status": {
        const shown = holder();
        if (!shown) return { is: "inactive" };
        const isCurrent = shown === known;
        const sessionId = isCurrent ? shown.sessionId : maskSessionId(shown.sessionId);
        return { is: "active", sessionId, isCurrent, generation: shown.generation };
      }
    }
  };

  return { ask, rows: () => rows };
}

/** The same numbers for the same seed (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
