/** An app's own compiler looks at the client: as it is published, and as a browser's code without Node's types. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "keybeat-types-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const APP = `
import { KeybeatError, startSession, type Holder, type Session } from "keybeat/client";

export async function run(show: (text: string) => void, ask: (holder: Holder) => Promise<boolean>): Promise<void> {
  try {
    await using session = await startSession({
      url: "https://keys.example.com", accessKey: "k", device: { name: "Office PC" }, onConflict: "ask", ask,
      storage: { get: () => null, set: () => {}, remove: () => {} },
      onEvent: (event) => event.type === "degraded" && show(event.error + event.deadlineInMs),
    });
    const off: () => void = session.on("lost", ({ reason, by, final }) => {
      if (reason === "replaced") show(by?.device?.name ?? "?");
      const flag: boolean = final;
      show(String(flag));
    });
    off();
    const signal: AbortSignal = session.signal;
    const generation: number = session.generation;
    await fetch("/work", { signal, headers: { "X-Generation": String(generation) } });
    await session.end();
  } catch (error) {
    if (error instanceof KeybeatError && error.code === "key_in_use") show(error.data.holder?.started_at ?? "");
  }
}

export async function misuse(session: Session): Promise<void> {
  // @ts-expect-error no such event
  session.on("losst", () => {});
  // @ts-expect-error "ask" needs the function
  await startSession({ url: "u", accessKey: "k", onConflict: "ask" });
  // @ts-expect-error a session cannot be moved
  session.generation = 1;
  // @ts-expect-error the holder's generation is a number, not any
  await startSession({ url: "u", accessKey: "k", onConflict: "ask", ask: (h) => h.generation.length > 0 });
}
`;

const ROOM = `
import { createWaitingRoom, KeybeatError, type PlaceEvent } from "keybeat/waiting-room";
export async function wait(show: (text: string) => void): Promise<number> {
  const room = createWaitingRoom({ baseUrl: "u", token: async () => "t" });
  const place = await room.createSession("jun", { priority: 5 });
  if (place.status === "queued") show(String(place.position + (place.estimated_wait_minutes ?? 0)));
  const watch = room.watchPosition("jun", (event: PlaceEvent) => {
    if (event.type === "position" && event.status === "queued") show(String(event.position));
    if (event.type === "error" && event.error instanceof KeybeatError && event.error.code === "queue_full") show("full");
  });
  watch.stop();
  // @ts-expect-error the work gets a signal
  await room.processWithLimit("jun", (signal: number) => signal);
  return room.processWithLimit("jun", (signal) => (signal.aborted ? 0 : 1), { waitMs: 1_000 });
}
`;

const BATCH = `
import { followBatch, KeybeatError, runBatch, type BatchState } from "keybeat/batch";
export async function work(show: (text: string) => void): Promise<string> {
  try {
    const { sessionId, status, endedReason, completed } = await runBatch({
      url: "u", token: "t", canvasPath: "a.canvas", nodes: [{ id: "a", page: 1 }], concurrency: 3, timeoutSeconds: 600,
      run: async ({ page }, { signal, attempt, skip }) => (page > 1 ? skip("later") : { page, attempt, aborted: signal.aborted }),
      onProgress: ({ completed, total, undelivered }) => show(String(completed / total + undelivered)),
    });
    if (status === "partial_failure" && endedReason === "reported") show(String(completed));
    return sessionId;
  } catch (error) {
    if (error instanceof KeybeatError && error.code === "claimed") show(error.data.holder?.worker ?? "?");
    throw error;
  }
}
export const seen = followBatch("id", {
  url: "", onChange: ({ counts, groups, nodes }: BatchState) => [counts.failed, groups[0]?.groupId, nodes?.get("a")?.error],
});
export async function misuse(): Promise<void> {
  // @ts-expect-error a new run needs a path
  await runBatch({ url: "u", nodes: ["a"], run: () => {} });
  await runBatch({ url: "u", resume: "id", nodes: ["a"], run: () => {} });
  // @ts-expect-error a node is an id, or has one
  await runBatch({ url: "u", canvasPath: "a", nodes: [{ name: "a" }], run: () => {} });
  // @ts-expect-error the node is what was given
  await runBatch({ url: "u", canvasPath: "a", nodes: ["a"], run: (node) => node.id });
}
`;

const GAME = `
import { KeybeatError, openGames, type CombatState } from "keybeat/game";
export async function play(show: (text: string) => void, a: string, b: string): Promise<string | undefined> {
  const games = openGames({ url: "u", token: async () => "t", giveUpMs: 1_000 });
  const { session_id } = await games.createMatch({ mode: "pvp", participants: [a, b], settings: { rules: { health: 50 } } });
  const seen = games.follow(session_id, {
    onChange: ({ participants, phase }: CombatState) => show(phase + participants[0]?.health),
    onEvent: ({ sequence, type }) => show(sequence + type),
    after: 0,
  });
  try {
    const { damage_dealt, new_state } = await games.act(session_id, { action_type: "attack", player_id: a, target_id: b });
    show(String(damage_dealt + new_state.time_remaining));
  } catch (error) {
    if (error instanceof KeybeatError && error.code === "cooldown") show(String(error.data.ready_in));
  }
  const { sessions, next_cursor } = await games.listSessions({ type: "combat", limit: 5 });
  show(String(sessions.length) + next_cursor);
  await games.updateSession(session_id, { status: "paused", version: 1 }, { signal: AbortSignal.timeout(1) });
  await seen;
  return (await games.readMatch(session_id)).stats.winner;
}
export async function misuse(): Promise<void> {
  // @ts-expect-error a player has a token
  openGames({ url: "u" });
  // @ts-expect-error no such action
  await openGames({ url: "u", token: "t" }).act("id", { action_type: "atack", player_id: "a" });
}
`;

const TABS = `
import { startSharedSession, type Session } from "keybeat/client/tabs";
export const shared: Promise<Session> = startSharedSession({ url: "u", accessKey: "k", shareTabs: true });
`;

/** What the README's code presupposes. */
const AROUND_README = `
declare const url: string;
declare const accessKey: string;
declare function showStopped(reason: string, by: string | undefined, final: boolean): void;
declare function showInUse(holder: unknown): void;
declare function showOffline(until: string): void;
declare const storage: { get(): string | null; set(text: string): void; remove(): void };
declare function doWork(signal: AbortSignal, generation: number): Promise<void>;
declare const userId: string;
declare function showPlace(position: number, minutes: number | null): void;
declare function startMyApp(url: string): Promise<unknown>;
declare function pauseWork(): void;
declare function resumeWork(state: string): void;
declare module "electron" {
  export const app: {
    on(event: string, listener: (event: { preventDefault(): void }) => void): void;
    quit(): void;
  };
  export const powerMonitor: { on(event: string, listener: () => void): void };
  export const net: { fetch(url: string, init?: RequestInit): Promise<Response> };
}
declare module "undici" {
  export class ProxyAgent { constructor(url: string); }
  export function fetch(url: string, init: object): Promise<Response>;
}
`;

/** What the compiler says to these files; empty: nothing. */
function compile(
  client: (name: string) => string,
  options: object,
  files: Record<string, string> = {
    "app.ts": APP,
    "tabs.ts": TABS,
    "room.ts": ROOM,
    "batch.ts": BATCH,
    "game.ts": GAME,
  },
): string {
  const config = {
    compilerOptions: {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      target: "es2022",
      typeRoots: [],
      paths: {
        "keybeat/client": [client("index")],
        "keybeat/client/tabs": [client("tabs/index")],
        "keybeat/waiting-room": [client("waiting-room/index")],
        "keybeat/batch": [client("batch/index")],
        "keybeat/game": [client("game/index")],
        "keybeat/testing": [client("testing/index")],
      },
      ...options,
    },
    files: Object.keys(files),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  writeFileSync(join(folder, "package.json"), '{"type": "module"}');
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  try {
    return execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", folder], { encoding: "utf8" });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

const published = (name: string) => resolve(`dist/src/client/${name}.d.ts`);
const source = (name: string) => resolve(`src/client/${name}.ts`);
const web = { lib: ["esnext", "dom", "dom.iterable"], types: [], module: "esnext", moduleResolution: "bundler" };

describe("the client's types", () => {
  it("fit an app for the web, as they are published", () => {
    expect(compile(published, web)).toBe("");
  });

  it("fit an app for Node, as they are published", () => {
    const node = { lib: ["esnext"], types: ["node"], typeRoots: [resolve("node_modules/@types")] };
    expect(compile(published, { ...node, module: "nodenext", moduleResolution: "nodenext" })).toBe("");
  });

  it("need nothing of Node: the sources compile with a browser's types alone", () => {
    const sources = { allowImportingTsExtensions: true, noUncheckedIndexedAccess: true, verbatimModuleSyntax: true };
    expect(compile(source, { ...web, ...sources })).toBe("");
  });

  it("fit the code in the README", () => {
    const readme = readFileSync("src/client/README.md", "utf8");
    const blocks = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, code], index) => [`readme-${index}.ts`, code]);
    expect(blocks.length).toBeGreaterThanOrEqual(5);
    const files: Record<string, string> = Object.fromEntries(blocks);
    expect(compile(published, web, { ...files, "around.d.ts": AROUND_README })).toBe("");
  });

  it("are looked at: a mistake is found", () => {
    expect(compile((name) => published(name).replace("index.d.ts", "error.d.ts"), web)).toContain("TS2305");
  });
});
