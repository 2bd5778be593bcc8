import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { type NumbersReply, numbersReply } from "../../../src/admin/device/contract.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { newAccessKey, newSessionId } from "../../support/secrets.ts";
import { byToken, exactly } from "../support/admin.ts";

const db = useDatabase();
const app = useApp(db);

const HOUR_MS = 3_600_000;
const start = (access_key: string, session_id = newSessionId(), device?: object, more = {}) =>
  app.post("/api/session/start", { access_key, session_id, device, ...more });
const read = async (query = "") => exactly(numbersReply, (await byToken(app).get(`/numbers${query}`)).body);
const sum = (numbers: NumbersReply, of: "starts" | "takeovers" | "expiries" | "ends" | "revocations" | "refusals") =>
  numbers.hours.reduce((total, hour) => total + hour[of], 0);

/** A past session that ended that many hours ago. */
async function addPast(
  keyId: number,
  hoursAgo: number,
  reason: string,
  device: object | null,
  by: object | null = null,
) {
  await db.sql`
    INSERT INTO session_history (key_id, access_key, session_id, generation, started_at, last_heartbeat, ended_at,
                                 reason, device, replaced_by_generation, replaced_by_device)
    SELECT ${keyId}, 'past…', ${newSessionId()}, (random() * 1e12)::bigint, at, at, at, ${reason},
           ${device && db.sql.json(device as never)}, ${reason === "replaced" ? 1 : null},
           ${by && db.sql.json(by as never)}
    FROM (SELECT clock_timestamp() - make_interval(hours => ${hoursAgo}) AS at) t`;
}

beforeEach(async () => {
  await db.sql`TRUNCATE active_sessions, session_history, refusal_counts, live_peaks`;
});

describe("GET /api/admin/numbers", () => {
  it("is all zero in an empty installation", async () => {
    const numbers = await read();
    const none = { takeovers_between_devices: [], newest_takeovers: [] };
    expect(numbers).toMatchObject({ live: 0, ...none, unclean_share: null });
    expect(numbers.hours).toHaveLength(24);
    expect(numbers.limits).toEqual(Array.from({ length: 10 }, (_, at) => ({ limit: at + 1, keys_served: 0 })));
    expect(
      ["starts", "takeovers", "expiries", "ends", "revocations", "refusals"].map((of) => sum(numbers, of as "starts")),
    ).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it("counts starts and each kind of ending in its hour, oldest first, the present hour last", async () => {
    const { key, id } = await db.makeKey();
    await start(key);
    await start(key); // a takeover
    const third = newSessionId();
    await start(key, third);
    await app.post("/api/session/end", { session_id: third });
    await start(key);
    await byToken(app).post("/sessions/kick", { key_id: id });
    for (const reason of ["expired", "expired", "ended", "cloned"]) await addPast(id, 3, reason, null);
    await addPast(id, 30, "expired", null);

    const numbers = await read();
    const moments = numbers.hours.map((hour) => Date.parse(hour.hour));
    expect(moments).toEqual(moments.map((_, at) => (moments[0] as number) + at * HOUR_MS));
    expect(Date.now() - (moments.at(-1) as number)).toBeLessThan(HOUR_MS + 60_000);
    expect(numbers.hours.at(-1)).toMatchObject({ starts: 4, takeovers: 2, expiries: 0, ends: 1, revocations: 1 });
    expect(numbers.hours.at(-4)).toMatchObject({ starts: 4, expiries: 2, ends: 1, revocations: 0, copies: 1 });
    expect([sum(numbers, "starts"), sum(numbers, "expiries")]).toEqual([8, 2]);
    expect(numbers.unclean_share).toBeCloseTo(2 / 7, 10);

    const longer = await read("?hours=48");
    expect([longer.hours.length, sum(longer, "expiries")]).toEqual([48, 3]);
    expect((await read("?hours=1")).hours).toHaveLength(1);
  });

  it("names the ten newest takeovers, the newest first, and no other ending", async () => {
    const { key, id } = await db.makeKey({ label: "Contested" });
    for (let n = 1; n <= 12; n++) await start(key, newSessionId(), { name: `Device ${n}` });
    await byToken(app).post("/sessions/kick", { key_id: id });
    const { newest_takeovers } = await read();
    expect(newest_takeovers.map(({ to_device }) => to_device?.name)).toEqual(
      Array.from({ length: 10 }, (_, at) => `Device ${12 - at}`),
    );
    expect(newest_takeovers[0]).toMatchObject({ key_id: id, label: "Contested", from_device: { name: "Device 11" } });
  });

  it("counts a silent session as expired, not as live, before and after the cleanup alike", async () => {
    const { key, id } = await db.makeKey();
    await start(key);
    await start((await db.makeKey()).key);
    await db.age(id, 61);
    const before = await read();
    expect([before.live, sum(before, "starts"), sum(before, "expiries")]).toEqual([1, 2, 1]);
    await byToken(app).post("/cleanup-sessions");
    const after = await read();
    expect({ ...after, peak: null, hours: after.hours.map((hour) => ({ ...hour, live_peak: null })) }).toEqual({
      ...before,
      peak: null,
      hours: before.hours.map((hour) => ({ ...hour, live_peak: null })),
    });
  });

  it("keeps the peak of live sessions, and when it was", async () => {
    const keys = [await db.makeKey(), await db.makeKey(), await db.makeKey()];
    for (const { key } of keys) await start(key);
    const high = await read();
    expect([high.live, high.peak?.live, high.hours.at(-1)?.live_peak]).toEqual([3, 3, 3]);
    for (const { id } of keys.slice(1)) await byToken(app).post("/sessions/kick", { key_id: id });
    const low = await read();
    expect([low.live, low.peak]).toEqual([1, high.peak]);
    await db.sql`
      INSERT INTO live_peaks (hour, live, at, sampled_at)
      SELECT date_trunc('hour', t, 'UTC'), 7, t, t FROM (SELECT clock_timestamp() - interval '2 hours' AS t) x`;
    const past = await read();
    expect([past.peak?.live, past.hours.at(-3)?.live_peak]).toEqual([7, 7]);
  });

  it("is counted while nobody asks, too", async () => {
    await start((await db.makeKey()).key);
    while ((await db.sql`SELECT FROM live_peaks WHERE live = 1`).length === 0) await sleep(200);
  });

  it("counts what was refused, by code, of all processes together", async () => {
    const { key } = await db.makeKey();
    await start(key);
    const refused = [
      ...[1, 2, 3].map(() => start(newAccessKey())),
      start(key, newSessionId(), undefined, { on_conflict: "refuse" }),
      beside.post("/api/session/start", { access_key: newAccessKey() }),
    ];
    for (const reply of await Promise.all(refused)) expect([403, 409]).toContain(reply.status);
    while (sum(await read(), "refusals") < 5) await sleep(100);
    await sleep(2500); // nothing is counted twice
    expect((await read()).hours.at(-1)?.refusals).toBe(5);
    const rows = await db.sql`SELECT code, refusals FROM refusal_counts ORDER BY code`;
    expect(rows.map((row) => [row.code, row.refusals])).toEqual([
      ["invalid_key", 4],
      ["key_in_use", 1],
    ]);
  });

  it("names the keys that change hands between different devices, most first, and by masked key only", async () => {
    const shared = await db.makeKey({ label: "shared" });
    const twice = await db.makeKey({ label: "twice" });
    const own = await db.makeKey({ label: "own" });
    const [pc, mac, phone] = [{ name: "PC" }, { name: "Mac" }, { name: "Phone", platform: "android" }];
    for (const device of [pc, mac, phone, pc]) await start(shared.key, newSessionId(), device);
    for (const device of [pc, mac]) await start(twice.key, newSessionId(), device);
    // The same device again in another version, and devices that do not identify themselves.
    for (const app_version of ["1", "2", "3"]) await start(own.key, newSessionId(), { ...pc, app_version });
    const silent = await db.makeKey();
    await start(silent.key);
    await start(silent.key);
    await addPast(twice.id, 30, "replaced", pc, mac);

    const numbers = await read();
    expect(numbers.takeovers_between_devices).toEqual([
      { key_id: shared.id, access_key: `${shared.key.slice(0, 8)}…`, label: "shared", takeovers: 3, devices: 3 },
      { key_id: twice.id, access_key: `${twice.key.slice(0, 8)}…`, label: "twice", takeovers: 1, devices: 2 },
    ]);
    expect(sum(numbers, "takeovers")).toBe(3 + 1 + 2 + 1);
    expect(numbers.limits.map((limit) => limit.keys_served)).toEqual([2, 3, 4, 4, 4, 4, 4, 4, 4, 4]);
  });

  it("does not count a key as served by ten devices that eleven or more used", async () => {
    const { id } = await db.makeKey();
    for (let n = 0; n < 12; n++) await addPast(id, 0, "ended", { name: `PC ${n}` });
    expect((await read()).limits.map((limit) => limit.keys_served)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it.each(["hours=0", "hours=745", "hours=x"])("refuses ?%s", async (query) => {
    expect((await byToken(app).get(`/numbers?${query}`)).status).toBe(400);
  });
});

const beside = useApp(db);
