/** Python apps that want proof, signatures or a lease, and the real service. */
import { createPrivateKey, createPublicKey, randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { useDatabase } from "../../support/database.ts";
import { type RunningServer, startServer } from "../../support/process.ts";
import { describeWithPython, newFolder, python, usePython } from "./support/app.ts";

usePython();

function createKey(): { seed: string; publicKey: string } {
  const seed = randomBytes(32);
  const key = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const secret = createPrivateKey({ key, format: "der", type: "pkcs8" });
  const encoded = createPublicKey(secret).export({ type: "spki", format: "der" }).subarray(-32);
  return { seed: seed.toString("base64url"), publicKey: encoded.toString("base64url") };
}

describeWithPython("a Python app that wants trust, and the real service", () => {
  const db = useDatabase();
  const [newer, older, foreign] = [createKey(), createKey(), createKey()];
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({
      DATABASE_URL: db.url,
      CLEANUP_CRON: "",
      SIGNING_KEY: `${newer.seed} ${older.seed}`,
      OFFLINE_HOURS_MAX: "24",
    });
  });
  afterAll(async () => {
    await server.stop();
  });

  it("lives by what the service signs, with any of its keys, and hears who took the key", async () => {
    for (const { publicKey } of [newer, older]) {
      const { key } = await db.makeKey();
      const app = python(
        `
with start_session(url, key, public_key=more[0], proof=True, on_lost=tell) as session:
    say("live", state=session.state)
    session.wait_lost()`,
        [server.url, key, publicKey],
      );
      expect(await app.next("live")).toMatchObject({ state: "live" });
      await server.post("/api/session/start", { access_key: key, device: { name: "Laptop" } });
      expect(await app.next("lost")).toMatchObject({ reason: "replaced", by: { device: { name: "Laptop" } } });
      await app.ended();
    }
  });

  it("takes a service with another key for a failed network", async () => {
    const { key } = await db.makeKey();
    const app = python(
      `
try:
    start_session(url, key, public_key=more[0], start_timeout=2)
except KeybeatError as error:
    say("failed", code=error.code)`,
      [server.url, key, foreign.publicKey],
    );
    expect(await app.next("failed")).toMatchObject({ code: "unreachable" });
    await app.ended();
  });

  it("resumes with proof, and is told of a copy of its session, on both sides", async () => {
    const { key } = await db.makeKey();
    const [file, copy] = [join(newFolder(), "session"), join(newFolder(), "session")];
    const script = `
import keybeat, shutil
keybeat._TICK = 0.2
storage = FileStorage(more[1])
def beat(session):
    session._platform.post(lambda: (setattr(session._keeper, "_ask_at", 0), session._keeper._tick()))
session = start_session(url, key, public_key=more[0], proof=True, storage=storage, on_lost=tell, end_at_exit=False)
say("live", generation=session.generation)
for line in sys.stdin:
    if line.strip() == "copy":
        shutil.copy(more[1], more[2])
        say("copied")
    elif line.strip() == "beat":
        beat(session)
    else:
        os._exit(0)
`;
    const args = [server.url, key, newer.publicKey];
    const first = python(script, [...args, file, copy]);
    const { generation } = await first.next("live");
    first.child.stdin?.write("copy\n");
    await first.next("copied");
    first.child.stdin?.write("beat\nquit\n");
    await first.ended();
    // The process is gone: the next one is no copy.
    const second = python(script, [...args, file, copy]);
    expect(await second.next("live")).toMatchObject({ generation });
    const clone = python(script, [...args, copy, file]);
    expect(await clone.next("live")).toMatchObject({ generation });
    second.child.stdin?.write("beat\n");
    expect(await second.next("lost")).toMatchObject({ reason: "cloned", final: true, code: "session_cloned" });
    expect(await clone.next("lost")).toMatchObject({ reason: "cloned", final: true, code: "session_cloned" });
    second.child.stdin?.write("quit\n");
    clone.child.stdin?.write("quit\n");
    await second.ended();
    await clone.ended();
  });

  it("keeps its key by a lease, and comes back by it", async () => {
    const { key } = await db.makeKey();
    const file = join(newFolder(), "session");
    const script = `
try:
    session = start_session(url, key, public_key=more[0], storage=FileStorage(more[1]), request_timeout=2)
    say("state", state=session.state, generation=session.generation)
    for hours in (1, 100):
        try:
            say("lease", until=session.lease(hours))
        except KeybeatError as error:
            say("lease", code=error.code)
    session.end()
except KeybeatError as error:
    say("state", code=error.code)`;
    const first = python(script, [server.url, key, newer.publicKey, file]);
    const { generation } = await first.next("state");
    expect((await first.next("lease")).until).toMatch(/Z$/);
    expect(await first.next("lease")).toMatchObject({ code: "lease_unavailable" });
    await first.ended();
    const stranger = python(script, [server.url, key, newer.publicKey, `${file}-of-another`]);
    expect(await stranger.next("state")).toMatchObject({ code: "key_in_use" });
    await stranger.ended();
    const offline = python(script, ["http://127.0.0.1:1", key, newer.publicKey, file]);
    expect(await offline.next("state")).toMatchObject({ state: "offline", generation });
    expect(await offline.next("lease")).toMatchObject({ code: "unreachable" });
    await offline.ended();
    const back = python(script, [server.url, key, newer.publicKey, file]);
    const now = await back.next("state");
    expect(now).toMatchObject({ state: "live" });
    expect(now.generation).toBeGreaterThan(generation);
    await back.ended();
  });
});
