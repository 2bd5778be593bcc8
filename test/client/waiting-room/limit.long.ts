/** processWithLimit, against the real service: the permit is always given back, and once. */
import { beforeEach, describe, expect, it } from "vitest";
import { agePlaces, newUser, resetRoom } from "../../sessions/waiting-room/support/room.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { clientOf, code } from "./support/client.ts";

const db = useDatabase();
const app = useApp(db);
let user: string;

beforeEach(async () => {
  await resetRoom(db, { maxActive: 1, maxRequests: 2 });
  user = newUser();
  await clientOf(app).createSession(user);
});

const permits = async () =>
  (await db.sql`SELECT granted FROM waiting_room_permits ORDER BY ticket`).map((row) => row.granted);

/** Work that ends when told to. */
function work<T>(result: T) {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const signals: AbortSignal[] = [];
  const fn = async (signal: AbortSignal) => {
    signals.push(signal);
    await ended;
    return result;
  };
  return { fn, signals, end: () => end() };
}

describe("processWithLimit", () => {
  it("holds a permit while the work runs, gives its result, and has given the permit back by then", async () => {
    const { fn, signals, end } = work("done");
    const done = clientOf(app).processWithLimit(user, fn);
    await expect.poll(permits).toEqual([true]);
    end();
    expect(await done).toBe("done");
    expect([await permits(), signals[0]?.aborted]).toEqual([[], false]);
    expect(await clientOf(app).processWithLimit(user, () => 7)).toBe(7);
  });

  it("takes one listener of the caller's signal, however much work goes by it", async () => {
    const abort = new AbortController();
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning);
    process.on("warning", onWarning);
    const waitMs = 20_000;
    const all = Array.from({ length: 12 }, () =>
      clientOf(app).processWithLimit(user, (signal) => signal.aborted, { signal: abort.signal, waitMs }),
    );
    expect(await Promise.all(all)).toEqual(Array(12).fill(false));
    const { fn, signals } = work("never");
    const done = clientOf(app).processWithLimit(user, fn, { signal: abort.signal });
    await expect.poll(() => signals.length).toBe(1);
    abort.abort(new Error("called off"));
    await expect(done).rejects.toThrow("called off");
    process.off("warning", onWarning);
    expect([signals[0]?.aborted, warnings]).toEqual([true, []]);
  });

  it("gives it back when the work fails, at once or later, with the work's own error", async () => {
    const broken = new Error("the work is broken");
    const fail = () => {
      throw broken;
    };
    await expect(clientOf(app).processWithLimit(user, fail)).rejects.toBe(broken);
    await expect(clientOf(app).processWithLimit(user, async () => fail())).rejects.toBe(broken);
    expect(await permits()).toEqual([]);
  });

  it("gives it back when it is called off, also by work that does not listen, with the caller's reason", async () => {
    const abort = new AbortController();
    const { fn, signals } = work("never");
    const done = clientOf(app).processWithLimit(user, fn, { signal: abort.signal });
    await expect.poll(permits).toEqual([true]);
    abort.abort(new Error("the user went on"));
    await expect(done).rejects.toThrow("the user went on");
    expect([await permits(), signals[0]?.aborted]).toEqual([[], true]);
    const never = clientOf(app).processWithLimit(user, fn, { signal: abort.signal });
    await expect(never).rejects.toThrow("the user went on");
    expect(signals).toHaveLength(1);
  });

  it("never runs more at once than there are permits; who waits runs in turn", async () => {
    let running = 0;
    let most = 0;
    const one = async () => {
      running++;
      most = Math.max(most, running);
      await expect.poll(() => most).toBeGreaterThan(1);
      await new Promise((resolve) => setTimeout(resolve, 20)); // for one too many to come
      running--;
      return 1;
    };
    const client = clientOf(app);
    const all = Array.from({ length: 12 }, () => client.processWithLimit(user, one, { waitMs: 20_000 }));
    expect((await Promise.all(all)).reduce((sum, n) => sum + n)).toBe(12);
    expect([most, await permits()]).toEqual([2, []]);
  });

  it("is refused with too_many_requests at once, and not before its own wait is over", async () => {
    const { fn, end } = work("held");
    const held = [1, 2].map(() => clientOf(app).processWithLimit(user, fn));
    await expect.poll(permits).toEqual([true, true]);
    await expect(clientOf(app).processWithLimit(user, () => 1)).rejects.toEqual(code("too_many_requests"));
    const began = performance.now();
    const late = clientOf(app).processWithLimit(user, () => 1, { waitMs: 400 });
    await expect(late).rejects.toEqual(code("too_many_requests"));
    expect(performance.now() - began).toBeGreaterThanOrEqual(399);
    end();
    await Promise.all(held);
  });

  it("called off while it waits rejects at once, and a permit that comes late is given back", async () => {
    const { fn, end } = work("held");
    const held = [1, 2].map(() => clientOf(app).processWithLimit(user, fn));
    await expect.poll(permits).toEqual([true, true]);
    const abort = new AbortController();
    let ran = false;
    const waiting = clientOf(app).processWithLimit(user, () => (ran = true), { waitMs: 20_000, signal: abort.signal });
    await expect.poll(permits).toEqual([true, true, false]);
    abort.abort();
    await expect(waiting).rejects.toThrow(/abort/i);
    end();
    await Promise.all(held);
    await expect.poll(permits).toEqual([]);
    expect(ran).toBe(false);
  });

  it("is refused with not_active for who only waits in line", async () => {
    const waiter = newUser();
    await clientOf(app).createSession(waiter);
    await expect(clientOf(app).processWithLimit(waiter, () => 1)).rejects.toEqual(code("not_active"));
  });

  it("calls the work off when the seat is lost, as the permit is lost with it", async () => {
    const { fn, signals } = work("never");
    const done = clientOf(app).processWithLimit(user, fn);
    await expect.poll(permits).toEqual([true]);
    await clientOf(app).closeSession(user);
    await expect(done).rejects.toEqual(code("not_active"));
    expect(signals[0]?.reason).toEqual(code("not_active"));
  });

  it("keeps the seat for as long as the work takes", async () => {
    const { fn, end } = work("done");
    const done = clientOf(app).processWithLimit(user, fn);
    await expect.poll(permits).toEqual([true]);
    await agePlaces(db, 1_790, [user]);
    await new Promise((resolve) => setTimeout(resolve, 11_000));
    end();
    expect(await done).toBe("done");
  });

  it("does not keep the result back for trouble on the way, and tries again to give the permit back", async () => {
    let away = false;
    let refused = 0;
    const flaky = clientOf(app, {
      fetch: (url, init) => {
        if (!away) return fetch(url, init);
        if (++refused === 2) away = false;
        return Promise.reject(new TypeError("no network"));
      },
    });
    const { fn, end } = work("done");
    const done = flaky.processWithLimit(user, fn);
    await expect.poll(permits).toEqual([true]);
    away = true;
    end();
    expect(await done).toBe("done");
    await expect.poll(permits).toEqual([]);
    expect(refused).toBe(2);
  });
});
