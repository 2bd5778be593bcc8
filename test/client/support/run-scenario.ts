/** Plays one scenario with the TypeScript client and collects everything that contradicts the table. */
import { isDeepStrictEqual } from "node:util";
import { type Holder, KeybeatError, type Session, type StartOptions, startSession } from "../../../src/client/index.ts";
import { type Happening, type RequestPattern, type Scenario, table, type Window } from "./scenario.ts";
import { type NotedRequest, ScriptedServer } from "./scripted-server.ts";
import { memoryStorage } from "./virtual-app.ts";
import { settle, VirtualTime } from "./virtual-time.ts";

const ACCESS_KEY = "conformance-key-0001";

type Seen = { at: number; event: string } & Record<string, unknown>;

/** `chance`: what every call of the random source gives, so that jitter is tried at its ends. */
export async function runScenario(scenario: Scenario, chance: number): Promise<string[]> {
  const time = new VirtualTime();
  const server = new ScriptedServer(time, table, scenario);
  const seen: Seen[] = [];
  const faults: string[] = [];
  const answers = [...(scenario.client?.answers ?? [])];
  const storage = memoryStorage();
  let session: Session | undefined;
  let process = 0;

  /** Notes what happens to the process that runs now; a killed one is heard of no more. */
  const noter = () => {
    const mine = process;
    return (event: string, fields: object = {}) => {
      if (mine === process) seen.push({ at: time.now, event, ...fields });
    };
  };

  const launch = () => {
    const mine = ++process;
    const note = noter();
    const options: StartOptions = {
      url: "https://keys.test/",
      accessKey: ACCESS_KEY,
      device: { name: "Conformance" },
      fetch: server.fetch,
      clock: time.clock,
      timers: time.timers,
      random: () => chance,
      requestTimeoutMs: table.defaults.request_timeout,
      startTimeoutMs: scenario.client?.start_timeout,
      onConflict: scenario.client?.on_conflict ?? "replace",
      ask: (holder: Holder) => {
        note("asked", { holder });
        return answers.shift() ?? false;
      },
      storage: scenario.client?.storage ? storage : undefined,
      proof: scenario.client?.proof,
      publicKey: scenario.client?.public_keys?.map((name) => table.signing_keys[name]?.public_key),
      onEvent: ({ type, ...fields }) => {
        note(type, fields);
        const fired = session?.signal.aborted;
        if (session && fired !== (type === "lost"))
          faults.push(`the signal has${fired ? "" : " not"} fired at ${type}`);
      },
    } as StartOptions;
    startSession(options).then(
      (started) => {
        if (mine === process) session = started;
      },
      (error: unknown) => {
        if (!(error instanceof KeybeatError)) faults.push(`threw something else: ${error}`);
        else note("threw", { code: error.code, holder: error.data.holder });
      },
    );
  };

  const happen = (happening: Happening) => {
    const note = noter();
    if (happening.do === "wall_clock") time.setWallClock(happening.by);
    else if (happening.do === "sleep") {
      server.loseConnections();
      time.sleep(happening.for, happening.monotonic);
    } else if (happening.do === "restart") {
      session = undefined;
      time.clearTimers();
      server.loseConnections();
      launch();
    } else if (happening.do === "lease") {
      session?.lease(happening.hours).then(
        (lease) => note("leased", lease),
        ({ code }) => note("not_leased", { code }),
      );
    } else if (happening.do === "return_lease") {
      session?.returnLease().then(
        (returned) => note(returned ? "lease_returned" : "no_lease"),
        ({ code }) => note("lease_not_returned", { code }),
      );
    } else {
      const calledAt = time.now;
      session?.end().then(
        () => time.now - calledAt > 3_500 && faults.push(`end() took ${time.now - calledAt} ms`),
        (error) => faults.push(`end() threw ${error}`),
      );
    }
  };

  for (const happening of scenario.happens ?? []) time.at(happening.at, () => happen(happening));
  launch();
  await time.runUntil(scenario.run_for);
  await settle();

  faults.push(...server.violations, ...checkEvents(scenario, seen), ...checkRequests(scenario, server.requests));
  faults.push(...checkEnd(scenario, session, server, seen));
  return faults;
}

function checkEvents(scenario: Scenario, seen: Seen[]): string[] {
  const line = (event: Seen) => `${event.at} ${event.event} ${event.reason ?? event.code ?? event.generation ?? ""}`;
  const faults = scenario.events.flatMap(({ at, ...fields }, index) => {
    const event = seen[index];
    if (!event) return [`missing: ${JSON.stringify(fields)}`];
    const bad = !within(at, event.at) || !includes(event, fields);
    return bad ? [`expected ${JSON.stringify({ at, ...fields })}, but got ${JSON.stringify(event)}`] : [];
  });
  for (const extra of seen.slice(scenario.events.length)) faults.push(`too many: ${line(extra)}`);
  return faults;
}

function checkRequests(scenario: Scenario, requests: NotedRequest[]): string[] {
  const faults: string[] = [];
  const asked = requests.filter(({ request }) => request !== "watch");
  const shown = asked.map(({ at, request, session }) => `${at} ${request} ${session}`).join(", ");
  if (scenario.requests) {
    const fits = asked.length === scenario.requests.length && scenario.requests.every((p, i) => matches(asked[i], p));
    if (!fits) faults.push(`requests were: ${shown}`);
  }
  for (const { from = 0, ...pattern } of scenario.never ?? []) {
    const found = requests.find((request) => request.at >= from && matches(request, pattern));
    if (found) faults.push(`must never happen: ${JSON.stringify(found)}`);
  }
  for (const { request, min, max } of scenario.count ?? []) {
    const times = requests.filter((one) => one.request === request).length;
    if (times < min || times > max) faults.push(`${times} times ${request}`);
  }
  for (const { request, body, authorization } of requests) {
    if (request === "watch" && !authorization?.startsWith("Bearer ")) faults.push("a watch without its bearer");
    if (request === "start" && body.access_key !== ACCESS_KEY) faults.push("a start without the key");
  }
  return faults;
}

/** What holds at the end of every scenario. */
function checkEnd(scenario: Scenario, session: Session | undefined, server: ScriptedServer, seen: Seen[]): string[] {
  const faults: string[] = [];
  const { state, session: name } = scenario.ends_as;
  const { requests } = server;
  if ((session?.state ?? "none") !== state) faults.push(`ends as ${session?.state}`);
  if (name && session && server.nameOf(session.sessionId) !== name) faults.push("ends with another session id");
  if (session && session.signal.aborted !== (state === "lost" || state === "ended")) faults.push("the signal is wrong");
  const last = seen.at(-1);
  if (last?.event === "lost" && last.final) {
    const late = requests.find((request) => request.at > last.at);
    if (late) faults.push(`a ${late.request} at ${late.at}, after the session was lost for good`);
  }
  const told = JSON.stringify(seen) + JSON.stringify(session ?? {});
  if (session && told.includes(session.sessionId)) faults.push("the session id is in what the app prints");
  return faults;
}

const within = ([min, max]: Window, at: number) => at >= min && at <= max;

/** Every field that is expected is there and the same; within objects too. */
function includes(actual: unknown, expected: unknown): boolean {
  if (typeof expected !== "object" || expected === null) return isDeepStrictEqual(actual, expected);
  return Object.entries(expected).every(([name, value]) => includes((actual as never)?.[name], value));
}

function matches(request: NotedRequest | undefined, { at, ...pattern }: RequestPattern): boolean {
  return request !== undefined && (!at || within(at, request.at)) && includes(request, pattern);
}
