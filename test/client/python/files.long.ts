/** The files of the Python client, and the conformance table in virtual time. */
import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { table } from "../support/scenario.ts";
import { describeWithPython, FOLDER, newFolder, python, usePython } from "./support/app.ts";

usePython();

describeWithPython("the files", () => {
  it.each([
    "keybeat.py",
    "keybeat_batch.py",
    "keybeat_trust.py",
    "conformance.py",
    "virtual_world.py",
    "virtual_trust.py",
  ])("%s compiles with warnings as errors, and has no syntax that Python 3.8 does not know", (name) => {
    const check = `
import ast, sys
with open(sys.argv[1], encoding="utf-8") as file:
    source = file.read()
compile(source, "keybeat.py", "exec")
ast.parse(source, feature_version=(3, 8))`;
    const checked = spawnSync("python3", ["-W", "error", "-c", check, join(FOLDER, name)], { encoding: "utf8" });
    expect([checked.status, checked.stderr]).toEqual([0, ""]);
  });

  it("does nothing when it is imported", async () => {
    const app = python(
      `
import atexit, importlib, keybeat, keybeat_batch, keybeat_trust
before = atexit._ncallbacks()
for file in (keybeat, keybeat_batch, keybeat_trust):
    importlib.reload(file)
say("again", threads=threading.active_count(), exit_calls=atexit._ncallbacks() - before)`,
      ["", ""],
    );
    expect(await app.next("again")).toMatchObject({ threads: 1, exit_calls: 0 });
    await app.ended();
  });

  it("connect in the same way", () => {
    const read = (name: string) => readFileSync(join(FOLDER, name), "utf8");
    const shared =
      /^# RFC 8305[\s\S]*?(?=^def _prepare_connection|^class _Line)|^class _Line:[\s\S]*?self\._handle = None$(?=\n+(?:_sessions|$(?![\s\S])))/gm;
    expect(read("keybeat_batch.py").match(shared)).toEqual(read("keybeat.py").match(shared));
  });
});

describeWithPython("the conformance table, for Python", () => {
  const run = (folder: string, names: string[] = []) =>
    spawnSync("python3", ["-S", "-X", "dev", "-B", join(folder, "python/conformance.py"), ...names], {
      encoding: "utf8",
    });

  it("is met in every scenario, in virtual time", () => {
    const { status, stdout, stderr } = run(join(FOLDER, ".."));
    const n = table.scenarios.length;
    const lines = table.scenarios.map(({ name }) => `PASS ${name}`);
    expect([stdout.trimEnd().split("\n"), stderr, status]).toEqual([[...lines, `${n}/${n} passed`], "", 0]);
  });

  it("is found from any folder, also where the program is known by the name that was typed, as in Python 3.8", () => {
    const as38 = `
import sys
sys.argv, sys.path[0], __file__ = ["conformance.py", "happy-path"], ".", "conformance.py"
with open("conformance.py", encoding="utf-8") as file:
    exec(compile(file.read(), "conformance.py", "exec"))`;
    const passed = "PASS happy-path\n1/1 passed\n";
    expect(spawnSync("python3", ["-B", "-c", as38], { cwd: FOLDER, encoding: "utf8" }).stdout).toBe(passed);
    const relative = ["-B", "client/python/conformance.py", "happy-path"];
    expect(spawnSync("python3", relative, { cwd: join(FOLDER, "../.."), encoding: "utf8" }).stdout).toBe(passed);
  });

  it.each([
    ["counts its deadline from the answer", "deadline-counts-from-sending", "sent_at + timeout -", "now() + timeout -"],
    ["takes no answer for the end", "packet-loss", 'answer.kind == "failed":', 'answer.kind == "none":'],
    ["reclaims a key that was taken", "takeover-by-stream", 'reason != "expired", by', "False, by"],
    ["comes back by force", "sleep-expired-then-taken", 'id, on_conflict="refuse"', 'id, on_conflict="replace"'],
    ["replaces a holder that nobody has seen", "ask-yes", 'agreed.get("generation") if', "None if"],
    ["believes a proxy's 404", "garbage", "_REFUSAL.fullmatch(", 're.search("4.. ", '],
    ["does not hear the stream", "takeover-by-stream", "if event in _FINAL_EVENTS", "if event in ()"],
    ["does not notice a sleep", "sleep-clock-stands-key-taken", "_ASLEEP = 20.0", "_ASLEEP = 1e9"],
    ["does not obey Retry-After", "retry-after", "if answer.retry_after > 0:", "if False:"],
    ["logs a session id", "happy-path", "return session_id[:8]", "return session_id"],
    ["forgets to end", "happy-path", 'post("end", request', 'post("heartbeat", request'],
    [
      "makes a new beat where it should send the last one again",
      "proof-repeats-the-beat",
      "if not self._beat or",
      "if True or",
    ],
    ["never makes a next beat", "proof-of-each-beat", "self._beat = None\n\n\ndef", "pass\n\n\ndef"],
    ["answers challenges for ever", "challenges-without-end", "_CHALLENGES_MAX = 5", "_CHALLENGES_MAX = 6"],
    ["comes back to a copied session", "cloned", 'reason != "expired", by', 'reason not in ("expired", "cloned"), by'],
    ["asks for a lease without proof", "lease-with-proof", 'path == "lease" and self._proof', "None"],
    ["sends a lease beside a heartbeat", "lease-waits-for-the-heartbeat", "async with self._turn:", "if True:"],
    ["sends a heartbeat beside a lease", "heartbeat-waits-for-the-lease", "async with self._turn:", "if True:"],
    ["believes unsigned answers", "answer-unsigned", "if exchange.is_answered() else", "if True else"],
    ["believes unsigned events", "stream-event-unsigned", "if not exchange.is_told(event):", "if False:"],
    ["waits for whoever asks, an hour too", "proxy-asks-for-an-hour", "min(seconds, 60.0)", "seconds"],
    ["does not wait for a proxy", "proxy-asks-to-wait", "return answer if is_trouble else", "return"],
    ["loses a session that has a lease", "lease-carries-on-offline", 'if hold == "held":\n', "if False:\n"],
    ["forgets its lease on the way back", "lease-carries-on-offline", '"lease": lease, **rule', "**rule"],
    ["goes on offline for ever", "lease-ends", 'state == "offline" and hold', 'state == "none" and hold'],
    [
      "keeps a lease that was used",
      "lease-used-up",
      "if self._leases and self._leases.gen",
      "if False and self._leases.gen",
    ],
    [
      "starts anew where it should ask again",
      "start-outcome-unknown",
      "._start_request(self._session_id",
      "._start_request(secrets.token_hex(9)",
    ],
  ])("finds a client that %s", (_, scenario, right, wrong) => {
    const folder = newFolder();
    cpSync(FOLDER, join(folder, "python"), { recursive: true });
    cpSync(join(FOLDER, "../conformance"), join(folder, "conformance"), { recursive: true });
    expect(run(folder, [scenario]).stdout).toBe(`PASS ${scenario}\n1/1 passed\n`);
    const source = readFileSync(join(FOLDER, "keybeat.py"), "utf8");
    expect(source.split(right)).toHaveLength(2);
    writeFileSync(
      join(folder, "python/keybeat.py"),
      source.replace(right, wrong.replace("now()", "self._platform.now()")),
    );
    const { status, stdout } = run(folder, [scenario]);
    expect(stdout).toMatch(/^FAIL .+\n {5}with 0\.0: /);
    expect([stdout.trimEnd().split("\n").at(-1), status]).toEqual(["0/1 passed", 1]);
  });
});
