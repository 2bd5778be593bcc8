/** This process is held up for seconds: what the database answered in time counts, though it is read late. */
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, vi } from "vitest";
import { openLane } from "../../src/database/lane.ts";
import { openListener } from "../../src/database/listener.ts";
import { createLog } from "../../src/log.ts";
import { useDatabase } from "../support/database.ts";
import { stall } from "../support/stall.ts";

const db = useDatabase();

it("a call gets its answer, and the connection stays", async () => {
  const lane = openLane(db.url, { name: "test", connectionsMax: 1, waitingMax: 1, deadlineMs: 1000 });
  const ask = async () => (await lane.query((sql) => sql`SELECT pg_backend_pid() AS pid, pg_sleep(0.1)`))[0]?.pid;
  const pid = await ask();
  const answer = ask();
  await sleep(30);
  await stall(3000);
  expect(await answer).toBe(pid);
  await sleep(700);
  expect(await ask()).toBe(pid);
  expect(lane.counts.calls).toMatchObject({ ok: 3, late: 0 });
  await lane.close();
});

it("the LISTEN connection is not taken for lost", async () => {
  let said = "";
  const listener = openListener(db.url, createLog("warn", { write: (line: string) => (said += line) }));
  const [heard, doubts]: [string[], string[]] = [[], []];
  listener.on("keybeat_test", { hear: (payload) => heard.push(payload), onDoubt: () => doubts.push("") });
  await expect.poll(listener.proven).toBe(true);
  const before = doubts.length;
  const write = vi.spyOn(Socket.prototype, "write");
  for (let times = 1; times <= 3; times++) {
    await vi.waitUntil(() => write.mock.calls.length === times, { interval: 1 });
    await stall(1500);
  }
  write.mockRestore();
  await db.sql`SELECT pg_notify('keybeat_test', 'still here')`;
  await expect.poll(() => heard).toEqual(["still here"]);
  expect([said, doubts.length]).toEqual(["", before]);
  await listener.close();
});
