/** A service that is not what it should be: what the waiting room's client asks of it, and tells. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createWaitingRoom, type PlaceEvent, type PlaceWatch } from "../../../src/client/waiting-room/index.ts";
import { code } from "./support/client.ts";

const watches: PlaceWatch[] = [];
afterEach(() => {
  vi.unstubAllGlobals();
  for (const watch of watches.splice(0)) watch.stop();
});

const json = (body: unknown, init: ResponseInit = {}) => new Response(JSON.stringify(body), init);
const place = { user_id: "jun", status: "queued", position: 3 };

/** A room that answers so, and what was asked of it. */
function room(answer: (path: string, signal: AbortSignal) => Response | Promise<Response>) {
  const asked: string[] = [];
  const fetch = async (url: string, init: RequestInit) => {
    const path = url.split("/session")[1] as string;
    asked.push(path);
    return answer(path, init.signal as AbortSignal);
  };
  const client = createWaitingRoom({ baseUrl: "https://keys.test", fetch });
  const told: PlaceEvent[] = [];
  const watch = (on: (event: PlaceEvent) => void = (event) => void told.push(event)) =>
    watches.push(client.watchPosition("jun", on));
  return { client, told, watch, count: (path: string) => asked.filter((one) => one.startsWith(path)).length };
}

/** Says so again and again, without end. */
function stream(text: string, everyMs: number): Response {
  const bytes = new TextEncoder().encode(text);
  let timer: ReturnType<typeof setInterval>;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      timer = setInterval(() => controller.enqueue(bytes), everyMs);
    },
    cancel: () => clearInterval(timer),
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}
const event = (name: string, data: unknown) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

describe("a watch", () => {
  it("asks once a second at most, however often it is told that the user's turn has come", async () => {
    const { watch, count } = room((path) =>
      path.startsWith("/events") ? stream(event("promoted", { user_id: "jun" }), 5) : json(place),
    );
    watch();
    await sleep(3_000);
    expect(count("/position")).toBeGreaterThanOrEqual(2);
    expect(count("/position")).toBeLessThanOrEqual(5);
  });

  it("opens a stream that ends at once ever more rarely, also where it begins well", async () => {
    const { watch, count } = room((path) =>
      path.startsWith("/events")
        ? new Response(event("position", place), { headers: { "Content-Type": "text/event-stream" } })
        : json(place),
    );
    watch();
    await sleep(5_000);
    expect(count("/events")).toBeGreaterThanOrEqual(2);
    expect(count("/events")).toBeLessThanOrEqual(4);
  });

  it("takes what is no place for trouble, and goes on", async () => {
    for (const body of [null, "page", { ok: true }, { status: "queued", position: "3" }, []]) {
      const { told, watch, count } = room((path) =>
        path.startsWith("/events") ? json({}, { status: 404 }) : json(body),
      );
      watch();
      watches.at(-1)?.check();
      await expect.poll(() => told.map(({ type }) => type)).toEqual(["error"]);
      watches.at(-1)?.check();
      await expect.poll(() => count("/position")).toBe(2);
    }
  });

  it("goes on where the app's own function throws, which is reported as any other mistake", async () => {
    const reported: unknown[] = [];
    vi.stubGlobal("queueMicrotask", (task: () => void) => {
      Promise.resolve()
        .then(task)
        .catch((error) => reported.push(error));
    });
    let position = 9;
    const { watch } = room((path) =>
      path.startsWith("/events") ? json({}, { status: 404 }) : json({ ...place, position: position-- }),
    );
    const heard: PlaceEvent[] = [];
    const mistake = new Error("the app's mistake");
    watch((told) => {
      heard.push(told);
      throw mistake;
    });
    for (const n of [1, 2]) {
      watches.at(-1)?.check();
      await expect.poll(() => heard.length).toBe(n);
    }
    expect(reported).toEqual([mistake, mistake]);
    expect(heard.map(({ type }) => type)).toEqual(["position", "position"]);
  });
});

describe("a call", () => {
  it("takes a page with status 200 for no answer at all", async () => {
    const { client } = room(() => new Response("<h1>Please log in</h1>"));
    await expect(client.createSession("jun")).rejects.toEqual(code("unreachable"));
    await expect(client.checkPosition("jun")).rejects.toEqual(code("unreachable"));
    await expect(client.closeSession("jun")).rejects.toEqual(code("unreachable"));
    await expect(client.processWithLimit("jun", () => 1)).rejects.toEqual(code("unreachable"));
  });

  it("for a permit is not made in a circle where the service does not wait as it was asked to", async () => {
    const { client, count } = room(() => json({ code: "too_many_requests", error: "full" }, { status: 429 }));
    const abort = new AbortController();
    const done = client.processWithLimit("jun", () => 1, { waitMs: 600_000, signal: abort.signal });
    done.catch(() => {});
    await sleep(3_000);
    abort.abort(new Error("enough"));
    await expect(done).rejects.toThrow("enough");
    expect(count("/requests")).toBeLessThanOrEqual(3);
  });
});
