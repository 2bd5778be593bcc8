/** Python apps at the deadline of their session. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { useDatabase } from "../../support/database.ts";
import { startServer } from "../../support/process.ts";
import { describeWithPython, python, usePython } from "./support/app.ts";

usePython();

describeWithPython("a Python app and a service with a timeout of 3 seconds", () => {
  const db = useDatabase();
  const settings = () => ({ DATABASE_URL: db.url, CLEANUP_CRON: "", SESSION_TIMEOUT_SECONDS: "3" });
  const script = `
session = start_session(url, key, on_event=tell)
sys.stdin.readline()`;

  it("stops at its deadline when the server is killed, and goes on by itself when the server is back", async () => {
    const { key } = await db.makeKey();
    const server = await startServer(settings());
    const app = python(script, [server.url, key]);
    const first = await app.next("live");
    const killedAt = performance.now();
    await server.stop("SIGKILL");
    const degraded = await app.next("degraded");
    const lost = await app.next("lost");
    expect(lost).toMatchObject({ reason: "unreachable", final: false, code: null });
    expect(lost.at - killedAt).toBeLessThan(3_000);
    expect(lost.at - first.at).toBeGreaterThan(2_000);
    expect(lost.at - degraded.at - degraded.deadline_in * 1_000).toBeLessThan(800);
    const again = await startServer({ ...settings(), PORT: new URL(server.url).port });
    expect(await app.next("live")).toMatchObject({ recovered: true });
    app.child.stdin?.write("\n");
    await app.ended();
    expect((await again.post("/api/session/status", { access_key: key })).body.active).toBe(false);
    await again.stop();
  });

  it("comes back after a stop only if nobody else has taken the key", async () => {
    const server = await startServer(settings());
    const comeBack = async (isTaken: boolean) => {
      const { key } = await db.makeKey();
      const app = python(script, [server.url, key]);
      const first = await app.next("live");
      app.child.kill("SIGSTOP");
      await sleep(4_000);
      if (isTaken) await server.post("/api/session/start", { access_key: key });
      app.child.kill("SIGCONT");
      expect(await app.next("lost")).toMatchObject({ final: false });
      if (isTaken) {
        expect(await app.next("lost")).toMatchObject({ reason: "replaced", final: true });
      } else {
        const live = await app.next("live");
        expect(live).toMatchObject({ recovered: true, resumed: false });
        expect(live.generation).toBeGreaterThan(first.generation);
      }
      app.child.stdin?.write("\n");
      await app.ended();
    };
    await Promise.all([comeBack(false), comeBack(true)]);
    await server.stop();
  });
});
