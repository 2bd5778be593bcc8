/** A page that goes, comes back, and gets its network back. In virtual time. */
import { describe, expect, it } from "vitest";
import { FakePage, memoryStorage, virtualApp } from "./support/virtual-app.ts";

describe("a page", () => {
  it("that goes for good ends its session before the event is over, by a request that outlives it", async () => {
    const page = new FakePage();
    const storage = memoryStorage();
    const app = virtualApp({}, { page, storage });
    const { fetch } = app.server;
    const keepalives: unknown[] = [];
    app.options.fetch = (url, init) => {
      if (url.endsWith("/end")) keepalives.push(init.keepalive);
      return fetch(url, init);
    };
    const session = await app.start();
    page.dispatch("pagehide");
    expect(keepalives).toEqual([true]);
    // Else the next page would resume a session that this `end` is about to end.
    expect(storage.get()).toBeUndefined();
    expect(session.state).toBe("ended");
  });

  it("that goes for good keeps its session where the app says so", async () => {
    const page = new FakePage();
    const app = virtualApp({}, { page, endOnExit: false });
    await app.start();
    page.dispatch("pagehide");
    expect(app.asked()).toEqual(["0 start A"]);
  });

  it("that may come back closes its stream, ends nothing, and checks at once when it is back", async () => {
    const page = new FakePage();
    const app = virtualApp({ server: [{ to: "heartbeat", from: 12_000, reply: "replaced" }] }, { page });
    const session = await app.start();
    await app.time.runUntil(10_000);
    page.dispatch("pagehide", true);
    app.server.loseConnections();
    app.time.sleep(3_000, "runs");
    page.dispatch("pageshow", true);
    await app.time.runUntil(13_000);
    expect(app.asked()).toEqual(["0 start A", "13000 heartbeat A"]);
    expect(session.lost).toMatchObject({ reason: "replaced", final: true });
  });

  it("that is shown for the first time asks nothing", async () => {
    const page = new FakePage();
    const app = virtualApp({}, { page });
    await app.start();
    page.dispatch("pageshow", false);
    expect(app.asked()).toEqual(["0 start A"]);
  });

  it("asks at once when the browser says that the network is back, if it was missed", async () => {
    const page = new FakePage();
    const app = virtualApp({ server: [{ to: "*", from: 20_000, until: 100_000, fail: "refused" }] }, { page });
    const session = await app.start();
    page.dispatch("online");
    expect(app.asked()).toEqual(["0 start A"]);
    await app.time.runUntil(100_000);
    expect(session.state).toBe("lost");
    page.dispatch("online");
    await app.time.runUntil(100_000);
    expect(session.state).toBe("live");
  });

  it("is left alone once the session is over", async () => {
    const page = new FakePage();
    const app = virtualApp({ stream: [{ at: 10_000, event: "replaced", reply: "replaced" }] }, { page });
    const session = await app.start();
    await app.time.runUntil(20_000);
    for (const type of ["online", "pageshow", "pagehide"] as const) page.dispatch(type, type === "pageshow");
    expect(app.asked()).toEqual(["0 start A"]);
    expect(session.state).toBe("lost");
  });
});
