/** Python apps that want proof, signatures or a lease, over real sockets and in real processes. */
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type SigningKey, table } from "../support/scenario.ts";
import { describeWithPython, FOLDER, newFolder, python, usePython } from "./support/app.ts";
import { useServers } from "./support/servers.ts";
import { createSigningService } from "./support/signing-server.ts";

usePython();

describeWithPython("a Python app with a public key", () => {
  const { fake, listen } = useServers();
  const { public_key: publicKey, id } = table.signing_keys.first as SigningKey;

  async function serve() {
    const service = createSigningService();
    const [, url] = await listen((request, response) => void service.handle(request, response));
    return { ...service, url };
  }

  it("lives by signed answers and a signed stream, with a nonce of its own in every request", async () => {
    const { url, seen, streams } = await serve();
    const app = python(
      `
with start_session(url, key, public_key=more[0], proof=True) as session:
    say("live", state=session.state)
    session.wait_lost()
    say("lost", reason=session.lost.reason, code=session.lost.code)`,
      [url, "some-key-of-ours", publicKey],
    );
    expect(await app.next("live")).toMatchObject({ state: "live" });
    await expect.poll(() => streams).toHaveLength(1);
    streams[0]?.("cloned", { error: "twice", code: "session_cloned", ended_at: "2030-01-01T00:00:00.000Z" });
    expect(await app.next("lost")).toMatchObject({ reason: "cloned", code: "session_cloned" });
    await app.ended();
    expect(seen.map(({ path }) => path).sort()).toEqual(["start", "watch"]);
    expect(seen.map(({ headers }) => headers["keybeat-trusts"])).toEqual([id, id]);
    const [first, second] = seen.map(({ headers }) => String(headers["keybeat-nonce"]));
    expect(first).toMatch(/^[\w-]{16,128}$/);
    expect(second).not.toBe(first);
  });

  it("is satisfied by no fake server", async () => {
    const { url } = await fake();
    const app = python(
      `
for public_key in (None, more[0]):
    try:
        with start_session(url, key, public_key=public_key, start_timeout=2) as session:
            say("answer", state=session.state)
    except KeybeatError as error:
        say("answer", state=error.code, message=str(error))`,
      [url, "demo-key-1", publicKey],
    );
    expect(await app.next("answer")).toMatchObject({ state: "live" });
    const refused = await app.next("answer");
    expect(refused).toMatchObject({ state: "unreachable" });
    expect(refused.message).toMatch(/^HTTP 200 without a right signature from /);
    await app.ended();
  });

  it("gets a lease, from any thread, works on by it in the next process, and gives it back", async () => {
    const { url, seen } = await serve();
    const file = join(newFolder(), "session");
    const script = `
def attempt(what, call):
    try:
        say(what, result=call())
    except Exception as error:
        say(what, kind=type(error).__name__, code=getattr(error, "code", None))
session = start_session(url, key, public_key=more[0], storage=FileStorage(more[1]), start_timeout=2, request_timeout=1)
say("state", state=session.state, generation=session.generation)
`;
    const args = [url, "some-key-of-ours", publicKey, file];
    const app = python(
      `${script}
attempt("lease", lambda: session.lease(2))
session._platform.tell(lambda: attempt("callback", lambda: session.lease(2)))
time.sleep(0.5)
session.end()
attempt("late", lambda: session.lease(2))`,
      args,
    );
    expect(await app.next("state")).toMatchObject({ state: "live", generation: 7 });
    const { result: until } = await app.next("lease");
    expect(until).toMatch(/^2030-.*Z$/);
    expect(await app.next("callback")).toMatchObject({ thread: "keybeat-callbacks", result: until });
    expect(await app.next("late")).toMatchObject({ kind: "KeybeatError", code: "ended" });
    await app.ended();
    const offline = python(script, ["http://127.0.0.1:1", ...args.slice(1)]);
    expect(await offline.next("state")).toMatchObject({ state: "offline", generation: 7 });
    await offline.ended();
    const back = python(
      `${script}
attempt("lease", lambda: session.lease(1))
attempt("return", session.return_lease)
attempt("return", session.return_lease)
session.end()`,
      args,
    );
    expect(await back.next("state")).toMatchObject({ state: "live" });
    await back.next("lease");
    expect(await back.next("return")).toMatchObject({ result: true });
    expect(await back.next("return")).toMatchObject({ result: false });
    await back.ended();
    const starts = seen.filter(({ path }) => path === "start").map(({ body }) => typeof body.lease);
    expect(starts).toEqual(["undefined", "string"]);
  });

  it("hears at once of a key that is none, of a missing file, and that leases need a storage", async () => {
    const alone = newFolder();
    copyFileSync(join(FOLDER, "keybeat.py"), join(alone, "keybeat.py"));
    const { url } = await serve();
    const script = `
def attempt(**options):
    try:
        with start_session(url, key, start_timeout=2, **options) as session:
            say("answer", kind=session.state)
            session.lease(1)
    except Exception as error:
        say("answer", kind=type(error).__name__, message=str(error))
attempt(public_key=more[0])
attempt(public_key=more[0] + "=")
attempt(public_key=[])
attempt()`;
    const args = [url, "some-key-of-ours", publicKey];
    const answers = async (app: ReturnType<typeof python>, count: number) => {
      const heard = [];
      for (let n = 0; n < count; n++) heard.push(await app.next("answer"));
      await app.ended();
      return heard.map(({ kind, message }) => message ?? kind);
    };
    const needs = "leases need the options public_key and storage";
    expect(await answers(python(script, args), 6)).toEqual([
      ...["live", needs],
      expect.stringMatching(/^public_key must be 43 characters/),
      "public_key must have at least one key",
      ...["live", needs],
    ]);
    const missing = "public_key needs the file keybeat_trust.py beside keybeat.py";
    expect(await answers(python(script, args, { PYTHONPATH: alone }), 5)).toEqual([
      ...[missing, missing, missing],
      ...["live", needs],
    ]);
  });

  it("finds the second file inside of a package, too", async () => {
    const folder = newFolder();
    mkdirSync(join(folder, "vendored"));
    for (const name of ["keybeat.py", "keybeat_trust.py"]) {
      copyFileSync(join(FOLDER, name), join(folder, "vendored", name));
    }
    copyFileSync(join(FOLDER, "keybeat.py"), join(folder, "keybeat.py"));
    const { url } = await serve();
    const app = python(
      `
from vendored import keybeat
with keybeat.start_session(url, key, public_key=more[0]) as session:
    say("live", state=session.state)`,
      [url, "some-key-of-ours", publicKey],
      { PYTHONPATH: folder },
    );
    expect(await app.next("live")).toMatchObject({ state: "live" });
    await app.ended();
  });
});

describeWithPython("a Python app with proof", () => {
  const { listen } = useServers();

  it("is another instance in each process: after a fork, and when it resumes", async () => {
    const service = createSigningService();
    const [, url] = await listen((request, response) => void service.handle(request, response));
    const app = python(
      `
session = start_session(url, key, proof=True)
child = os.fork()
if child == 0:
    with start_session(url, key + "-of-child", proof=True):
        pass
    os._exit(0)
os.waitpid(child, 0)
session.end()
start_session(url, key, proof=True).end()
say("done")`,
      [url, "some-key"],
    );
    await app.next("done");
    const proofs = service.seen.filter(({ path }) => path === "start").map(({ body }) => body.proof);
    expect(proofs.map(({ number }) => number)).toEqual([1, 1, 1]);
    expect(new Set(proofs.flatMap(({ instance, beat_id }) => [instance, beat_id])).size).toBe(6);
    for (const { instance, beat_id } of proofs)
      expect(`${instance} ${beat_id}`).toMatch(/^[\w-]{16,128} [\w-]{16,128}$/);
  });

  it("draws other ids than its twin, whose random number generator is the same", async () => {
    const app = python(
      `
import keybeat
os.urandom = lambda length: bytes(length)
say("drawn", ids=len({keybeat._draw_id() for _ in range(1000)}))`,
      ["", ""],
    );
    expect(await app.next("drawn")).toMatchObject({ ids: 1000 });
    await app.ended();
  });
});
