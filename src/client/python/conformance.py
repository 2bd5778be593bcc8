"""
The Python client against the table that every client has to meet, in virtual time.

    python3 conformance.py [name …]     a line a scenario, then n/n passed; exit code 1 if one is not

The table's fields are explained in ../conformance/README.md. All of keybeat.py except its network and threads runs here
as in an app.
"""

import asyncio
import functools
import itertools
import json
import logging
import sys
from pathlib import Path
from typing import Any, Callable, Coroutine, Dict, List, Optional

sys.dont_write_bytecode = True

import keybeat  # noqa: E402
from virtual_world import ScriptedServer, VirtualLoop, VirtualTime  # noqa: E402

ACCESS_KEY = "conformance-key-0001"
# Python 3.8 gives the name as it was typed.
FOLDER = Path(__file__).resolve().parent
TABLE = json.loads((FOLDER.parent / "conformance" / "scenarios.json").read_text("utf-8"))

# What every call of the random source gives, so that jitter is tried at its ends.
CHANCES = [0.0, 0.5, 0.999]


def main(names: List[str]) -> int:
    # A restart drops a client in the middle of what it does, of which asyncio complains.
    logging.getLogger("asyncio").disabled = True
    logs = LogLines()
    logging.getLogger("keybeat").addHandler(logs)
    logging.getLogger("keybeat").setLevel(logging.DEBUG)
    scenarios = [one for one in TABLE["scenarios"] if not names or one["name"] in names]
    passed = 0
    for scenario in scenarios:
        faults = [f"with {chance}: {fault}" for chance in CHANCES for fault in Run(scenario, chance, logs).play()]
        print("FAIL" if faults else "PASS", scenario["name"], *("\n     " + fault for fault in faults))
        passed += not faults
    print(f"{passed}/{len(scenarios)} passed")
    return 0 if passed == len(scenarios) > 0 else 1


class LogLines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class Run:
    """Plays one scenario and collects everything that contradicts the table."""

    def __init__(self, scenario: Dict[str, Any], chance: float, logs: LogLines) -> None:
        self._scenario = scenario
        self._client = scenario.get("client", {})
        self._chance = chance
        self._logs = logs
        self._time = VirtualTime()
        self._server = ScriptedServer(self._time, TABLE, scenario)
        self._answers = list(self._client.get("answers", []))
        self._storage = Storage() if self._client.get("storage") else None
        keys = self._client.get("public_keys")
        self._public_keys = keys and [TABLE["signing_keys"][name]["public_key"] for name in keys]
        self._session: Any = None
        self._platform: Any = None
        self._seen: List[Dict[str, Any]] = []
        self._faults: List[str] = []

    def play(self) -> List[str]:
        self._logs.lines.clear()
        for at, happenings in itertools.groupby(self._scenario.get("happens", []), key=lambda one: one["at"]):
            self._time.at(at, functools.partial(self._happen, list(happenings)))
        self._launch()
        while self._time.run_until(self._scenario["run_for"], self._platform.loop):
            self._launch()
        self._check_events()
        self._check_requests()
        self._check_end()
        self._platform.loop.close()
        return self._faults + self._server.violations

    def _launch(self) -> None:
        """A process of the app. A scenario that restarts it has two of them."""
        platform = VirtualPlatform(self._time, self._server, self._chance)
        if self._platform:
            self._platform.loop.close()
        self._platform = platform
        self._session = keybeat.start_session(
            "https://keys.test/",
            ACCESS_KEY,
            device={"name": "Conformance"},
            on_conflict=self._client.get("on_conflict", "replace"),
            ask=self._ask,
            storage=self._storage,
            proof=self._client.get("proof", False),
            public_key=self._public_keys,
            on_event=self._note_event,
            on_failed=self._note_failure,
            wait=False,
            start_timeout=self._client.get("start_timeout", 20_000) / 1000,
            request_timeout=TABLE["defaults"]["request_timeout"] / 1000,
            end_at_exit=False,
            platform=platform,
        )

    def _happen(self, happenings: List[Dict[str, Any]]) -> None:
        """What happens at one time: the client runs only after all of it."""
        for happening in happenings:
            self._do(happening["do"], happening)

    def _do(self, what: str, happening: Dict[str, Any]) -> None:
        if what == "wall_clock":
            self._time.set_wall_clock(happening["by"])
        elif what == "sleep":
            self._server.lose_connections()
            self._time.sleep(happening["for"], happening["monotonic"])
        elif what == "restart":
            self._server.lose_connections()
            self._time.restart()
        elif what == "lease":
            self._call(self._session._keeper.lease(happening["hours"]), "leased", "not_leased")
        elif what == "return_lease":
            self._call(self._session._keeper.return_lease(), "lease_returned", "lease_not_returned")
        elif what == "end":
            called_at = self._time.now
            self._session.end(wait=False)
            self._time.at(called_at + 3_500, self._check_finished)
        else:
            raise ValueError(f"nothing is known about {what}")

    def _call(self, call: Coroutine[Any, Any, Any], done: str, refused: str) -> None:
        """What the app calls in a thread of its own, which is not there in virtual time."""

        async def note() -> None:
            try:
                result = await call
                self._note(done, **({"until": result} if done == "leased" else {"was_there": result}))
            except keybeat.KeybeatError as error:
                self._note(refused, code=error.code)

        self._platform.loop.create_task(note())

    def _check_finished(self) -> None:
        if not self._session._finished.is_set():
            self._faults.append("end() took over 3500 ms")

    def _ask(self, holder: Dict[str, Any]) -> bool:
        self._note("asked", holder=holder)
        return self._answers.pop(0) if self._answers else False

    def _note_event(self, event: Any) -> None:
        self._note(event.type, **{name: value for name, value in vars(event).items() if name != "type"})
        if self._session and self._session.signal.is_set() != (event.type == "lost"):
            self._faults.append(f"the signal is wrong at {event.type}")

    def _note_failure(self, error: Exception) -> None:
        if not isinstance(error, keybeat.KeybeatError):
            self._faults.append(f"raised something else: {error!r}")
        else:
            self._note("threw", code=error.code, holder=error.data.get("holder"))

    def _note(self, event: str, **fields: Any) -> None:
        self._seen.append({"at": self._time.now, "event": event, **fields})

    def _check_events(self) -> None:
        expected = self._scenario["events"]
        for index, (event, pattern) in enumerate(zip(self._seen, expected)):
            if not matches(event, pattern):
                self._faults.append(f"event {index} should be {pattern}, but is {event}")
        self._faults += [f"missing: {pattern}" for pattern in expected[len(self._seen) :]]
        self._faults += [f"too many: {event}" for event in self._seen[len(expected) :]]

    def _check_requests(self) -> None:
        requests = self._server.requests
        asked = [request for request in requests if request["request"] != "watch"]
        expected = self._scenario.get("requests")
        if expected is not None and not (len(asked) == len(expected) and all(map(matches, asked, expected))):
            shown = ", ".join("{at} {request} {session}".format(**request) for request in asked)
            self._faults.append(f"requests were: {shown}")
        for rule in self._scenario.get("never", []):
            pattern = {name: value for name, value in rule.items() if name != "from"}
            found = [one for one in requests if one["at"] >= rule.get("from", 0) and matches(one, pattern)]
            self._faults += [f"must never happen: {one}" for one in found]
        for rule in self._scenario.get("count", []):
            times = sum(one["request"] == rule["request"] for one in requests)
            if not rule["min"] <= times <= rule["max"]:
                self._faults.append(f"{times} times {rule['request']}")
        for one in requests:
            if one["request"] == "watch" and not one["authorization"].startswith("Bearer "):
                self._faults.append("a watch without its bearer")
            if one["request"] == "start" and one["body"].get("access_key") != ACCESS_KEY:
                self._faults.append("a start without the key")

    def _check_end(self) -> None:
        """What holds at the end of every scenario."""
        expected = self._scenario["ends_as"]
        session, last = self._session, self._seen[-1]
        state = "none" if session.state == "failed" else session.state
        if state != expected["state"]:
            self._faults.append(f"ends as {state}")
        if "session" in expected and self._server.name_of(session.session_id) != expected["session"]:
            self._faults.append("ends with another session id")
        if session.signal.is_set() != (state in ("lost", "ended", "none")):
            self._faults.append("the signal is wrong at the end")
        if last["event"] == "lost" and last["final"]:
            late = [one for one in self._server.requests if one["at"] > last["at"]]
            self._faults += [f"a {one['request']} at {one['at']}, after it was lost for good" for one in late]
        printed = repr(session) + repr(self._seen) + "".join(self._logs.lines)
        for secret in (*self._server.session_ids, ACCESS_KEY):
            if secret in printed:
                self._faults.append("a key or a session id is in what the app or the log prints")


def matches(actual: Dict[str, Any], pattern: Dict[str, Any]) -> bool:
    """Every field that is expected is there and the same; within objects too. `at` is a window."""
    low, high = pattern.get("at", (0, actual["at"]))
    rest = {name: value for name, value in pattern.items() if name != "at"}
    return low <= actual["at"] <= high and includes(actual, rest)


def includes(actual: Any, expected: Any) -> bool:
    if not isinstance(expected, dict):
        return type(actual) is type(expected) and actual == expected
    if not isinstance(actual, dict):
        return False
    return all(includes(actual.get(name), value) for name, value in expected.items())


class Storage:
    """Outlives the process."""

    def __init__(self) -> None:
        self._session_id: Optional[str] = None

    def get(self) -> Optional[str]:
        return self._session_id

    def set(self, session_id: str) -> None:
        self._session_id = session_id

    def remove(self) -> None:
        self._session_id = None


class VirtualPlatform:
    """What keybeat._Platform is in an app, without threads and network: one loop, in virtual time."""

    def __init__(self, time: VirtualTime, server: ScriptedServer, chance: float) -> None:
        self.loop = VirtualLoop(time)
        self.now = time.monotonic
        self.wall = time.wall
        self.random = lambda: chance
        self.send = server.send
        self._main: "Optional[asyncio.Task[None]]" = None

    def start(self, main: Callable[[], Any], finished: Callable[[], None]) -> None:
        self._main = self.loop.create_task(main())
        self._main.add_done_callback(lambda task: finished())

    def post(self, call: Callable[[], Any]) -> None:
        self.loop.call_soon(call)

    def tell(self, call: Callable[[], None]) -> None:
        call()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
