"""
The world of a scenario: time that passes only when no task has anything left to do, and a server that replies by rules.

Three clocks: the true time (the scenario's, in ms), the device's monotonic clock (in s), which may stand while it
sleeps, and its wall clock (in s), which may be set. Timers fire by the monotonic one, and only while it is awake.
"""

import asyncio
import datetime
import functools
import heapq
import itertools
import json
import math
import selectors
import urllib.parse
from typing import Any, Callable, Dict, List, Optional, Tuple

from virtual_trust import Signer, StreamSigner, TrustRules, read_asked

Json = Dict[str, Any]

EPOCH = 1_893_456_000.0
# Nothing that the service says is nearly as long.
TAKEN_MAX = 1_048_576


class Killed(BaseException):
    """Comes out of the wait of a loop whose process is killed."""


class VirtualTime:
    def __init__(self) -> None:
        self.now = 0.0
        self._monotonic_ms = 1_000_000.0
        self._wall_offset_ms = 0.0
        self._order = itertools.count()
        # What happens outside of the device, by true time.
        self._world: "List[Tuple[float, int, Callable[[], Any]]]" = []
        self._until = 0.0
        self._loop: Any = None

    def monotonic(self) -> float:
        return self._monotonic_ms / 1000

    def wall(self) -> float:
        return EPOCH + (self.now + self._wall_offset_ms) / 1000

    def at(self, true_time: float, run: Callable[[], Any]) -> None:
        """Something outside of the device happens at that true time."""
        heapq.heappush(self._world, (max(true_time, self.now), next(self._order), run))

    def set_wall_clock(self, by: float) -> None:
        self._wall_offset_ms += by

    def sleep(self, duration: float, monotonic: str) -> None:
        """The device sleeps: nothing of it runs. Its overdue timers fire when it wakes."""
        self.now += duration
        if monotonic == "runs":
            self._monotonic_ms += duration

    def restart(self) -> None:
        """The process is killed: nothing of it runs any more, not even a timer that is due."""
        raise Killed()

    def run_until(self, true_time: float, loop: asyncio.AbstractEventLoop) -> bool:
        """Lets time pass up to that true time, everything in its order. True: a restart came before."""
        self._until = true_time
        self._loop = loop
        try:
            loop.run_forever()
        except Killed:
            return True
        return False

    def pass_on(self, timeout: Optional[float]) -> None:
        """The device has nothing to do for so long (in s; None: for ever): time goes on to whatever comes next."""
        # In whole microseconds, so that sums of fractions stay what they are meant to be; never before a timer is due.
        timer_at = math.inf if timeout is None else self.now + max(1, math.ceil(timeout * 1e6 - 0.001)) / 1000
        world_at = max(self._world[0][0], self.now) if self._world else math.inf
        step_to = round(min(timer_at, world_at, self._until), 3)
        self._monotonic_ms = round(self._monotonic_ms + step_to - self.now, 3)
        self.now = step_to
        if min(timer_at, world_at) > self._until:
            self._loop.stop()
        elif world_at <= timer_at:
            heapq.heappop(self._world)[2]()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop that lives in virtual time: waiting for something is what lets time pass."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__(NoSelector(time))
        self._virtual_time = time

    def time(self) -> float:
        return self._virtual_time.monotonic()


class NoSelector(selectors.SelectSelector):
    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self._time = time

    def select(self, timeout: Optional[float] = None) -> List[Any]:
        if timeout is None or timeout > 0:
            self._time.pass_on(timeout)
        return []


class Connection:
    """One request under way: what the client sees of it, and whether anything can still come."""

    def __init__(self, exchange: Any, noted: Json) -> None:
        self.exchange = exchange
        self.noted = noted
        self.dead = False
        self.streams = False
        self.signer: Optional[StreamSigner] = None
        # What is wrong with the stream's signatures.
        self.fault: Optional[str] = None

    def kill(self) -> None:
        self.dead = True
        self.noted["open"] = False

    def write(self, text: str) -> None:
        if not self.dead:
            self.exchange.data(text.encode())

    def tell(self, event: str, body: Json, at: int, fault: Optional[str] = None) -> None:
        """An event, signed if the service signs."""
        data, fault = json.dumps(body), fault or self.fault
        is_signed = self.signer and fault != "none"
        signature = f"signature: {self.signer.sign(event, data, at, fault)}\n" if self.signer and is_signed else ""
        told = data.replace('"error": "', '"error": " ') if fault == "changed" else data
        self.write(f"event: {event}\ndata: {told}\n{signature}\n")

    def close(self, error: str = "") -> None:
        if not self.dead:
            self.kill()
            self.exchange.end(error)


class ScriptedServer:
    """The far side: replies by the scenario's rules, and notes what came."""

    def __init__(self, time: VirtualTime, table: Json, scenario: Json) -> None:
        self.requests: List[Json] = []
        # What no scenario may see, found while it ran.
        self.violations: List[str] = []
        self.session_ids: List[str] = []
        self._time = time
        self._replies = table["replies"]
        self._defaults = table["defaults"]
        # Each with how often it fitted, and how often it was used.
        self._rules = [{"rule": rule, "seen": 0, "used": 0} for rule in scenario.get("server", [])]
        self._generations: Dict[str, int] = {}
        self._connections: List[Connection] = []
        self._signer = Signer(table["signing_keys"])
        self._signs_with = scenario.get("signs_with", [])
        self._trust = TrustRules(table, scenario.get("client", {}), self.violations)
        self._leases: List[str] = []
        # The last answer of each endpoint, and its signature.
        self._last: Dict[str, Tuple[Json, str]] = {}
        for act in scenario.get("stream", []):
            time.at(act["at"], functools.partial(self._act, act))

    def name_of(self, session_id: str) -> str:
        """ "A" for the first session id that was seen, "B" for the second, and so on."""
        if session_id not in self.session_ids:
            self.session_ids.append(session_id)
        return chr(ord("A") + self.session_ids.index(session_id))

    def lose_connections(self) -> None:
        """The device sleeps or is killed: what is under way gets no answer any more, and no error either."""
        for connection in self._connections:
            connection.kill()
        self._connections.clear()

    def send(self, exchange: Any) -> Callable[[], None]:
        """Stands in for keybeat._Platform.send."""
        noted = self._note(exchange)
        rule = self._find_rule(noted)
        connection = Connection(exchange, noted)
        self._connections.append(connection)
        if not rule.get("hang"):
            self._time.at(self._time.now + rule.get("delay", 0), lambda: self._answer(connection, rule))
        return connection.kill

    def _note(self, request: Any) -> Json:
        name = urllib.parse.urlsplit(request.url).path.replace("/api/session/", "").replace("/", "_")
        body = json.loads(request.content or b"{}")
        authorization = request.headers.get("Authorization", "")
        session_id = authorization[len("Bearer ") :] if name == "watch" else body.get("session_id", "-")
        session = self.name_of(session_id) if name != "lease_return" else ""
        proof = self._trust.note(name, request, body)
        lease = self._number_of(body["lease"]) if "lease" in body else None
        noted = {
            **{"at": self._time.now, "request": name, "session": session, "proof": proof, "lease": lease},
            **{"body": body, "authorization": authorization, "open": True},
        }
        under_way = [one for one in self.requests if one["open"]]
        if name != "end" and any(one["request"] == name or (one["proof"] and proof) for one in under_way):
            self.violations.append(f"a second {'beat' if proof else name} under way at {self._time.now}")
        if session_id in request.url or (body.get("access_key") or session_id) in request.url:
            self.violations.append("a secret in a URL")
        self.requests.append(noted)
        return noted

    def _find_rule(self, noted: Json) -> Json:
        fields = {**noted["body"], "session": noted["session"]}
        for entry in self._rules:
            rule = entry["rule"]
            if rule["to"] not in ("*", noted["request"]):
                continue
            if not rule.get("from", 0) <= noted["at"] < rule.get("until", math.inf):
                continue
            if any(fields.get(name) != value for name, value in rule.get("when", {}).items()):
                continue
            entry["seen"] += 1
            if entry["seen"] % rule.get("every", 1) != 0 or entry["used"] >= rule.get("times", math.inf):
                continue
            entry["used"] += 1
            return rule
        return {}

    def _answer(self, connection: Connection, rule: Json) -> None:
        if connection.dead:
            return
        if "fail" in rule:
            connection.close(rule["fail"])
        elif "flood" in rule or "drip" in rule:
            self._pour(connection, "flood" in rule)
        elif connection.noted["request"] == "watch" and "reply" not in rule:
            self._open_stream(connection, rule)
        else:
            named = self._replies[rule["reply"]] if "reply" in rule else None
            signer = self._choose_signer(connection, rule)
            reply = named or self._usual(connection.noted, rule.get("with", {}), signer)
            reply, signature = self._sign(connection, reply, signer, rule.get("signature"))
            retry_after = reply.get("headers", {}).get("Retry-After", "")
            connection.exchange.head(reply["status"], retry_after, signature=signature)
            connection.write(reply["text"])
            connection.close()

    def _choose_signer(self, connection: Connection, rule: Json) -> Optional[str]:
        names = [rule["signed_by"]] if "signed_by" in rule else self._signs_with
        return self._signer.choose(names, connection.exchange.headers.get("Keybeat-Trusts"))

    def _sign(
        self, connection: Connection, plain: Json, signer: Optional[str], fault: Optional[str]
    ) -> Tuple[Json, str]:
        """The answer as it goes out, and its signature if the service signs."""
        name, status = connection.noted["request"], plain["status"]
        text = plain.get("text") or json.dumps(plain.get("body"))
        if fault == "replayed":
            return self._last[name]
        reply = {**plain, "text": text + " " if fault == "changed" else text}
        if signer is None or fault == "none":
            return reply, ""
        asked = read_asked(connection.exchange)
        signature = self._signer.sign_answer(signer, asked, status, text, self._now_ms(), fault)
        if not fault:
            self._last[name] = reply, signature
        return reply, signature

    def _now_ms(self) -> int:
        return round(EPOCH * 1000 + self._time.now)

    def _number_of(self, lease: str) -> int:
        return self._leases.index(lease) + 1 if lease in self._leases else 0

    def _pour(self, connection: Connection, flood: bool) -> None:
        """An answer that never ends: as fast as the client takes it, or a byte a second."""
        connection.exchange.head(200, "")
        taken = 0
        while flood and not connection.exchange.ended.done():
            connection.write(": " * 8_192)
            taken += 16_384
            if taken > TAKEN_MAX:
                self.violations.append("an answer was read on and on")
                connection.close()

        def drip() -> None:
            if not connection.dead:
                connection.write(" ")
                self._time.at(self._time.now + 1_000, drip)

        if not flood:
            drip()

    def _usual(self, noted: Json, changes: Json, signer: Optional[str]) -> Json:
        """What a healthy service says."""
        if noted["request"] == "lease":
            return {"status": 200, "body": self._lease(noted, signer or "first")}
        if noted["request"] in ("end", "lease_return"):
            return {"status": 200, "body": {"success": True, **changes}}
        session = noted["session"]
        known = self._generations.get(session)
        generation = known or len(self._generations) + 1
        body: Json = {"success": True, "generation": generation, **self._times()}
        if noted["request"] == "start":
            self._generations[session] = generation
            body.update({"session_id": noted["body"]["session_id"], "resumed": known is not None})
            body.update({"previous_session": None, "previous_session_terminated": False})
        return {"status": 200, "body": {**body, **changes}}

    def _lease(self, noted: Json, signer: str) -> Json:
        times = {"issued_at": self._date(0), "until": self._date(noted["body"]["hours"] * 3_600_000)}
        generation = self._generations.get(noted["session"])
        claims = {"lease_id": f"lease-{len(self._leases) + 1}", "key": "conforma…", "generation": generation, **times}
        self._leases.append(self._signer.sign_lease(signer, claims))
        return {"lease": self._leases[-1], **times, "server_time": times["issued_at"]}

    def _times(self) -> Json:
        times = {name: self._defaults[name] for name in ("expires_in", "heartbeat_in")}
        return {**times, "server_time": self._date(0), "expires_at": self._date(times["expires_in"] * 1000)}

    def _date(self, after: float) -> str:
        """RFC 3339, so many ms from now."""
        moment = datetime.datetime.fromtimestamp((self._now_ms() + after) / 1000, datetime.timezone.utc)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _open_stream(self, connection: Connection, rule: Json) -> None:
        signer = self._choose_signer(connection, rule)
        if signer:
            connection.signer = StreamSigner(self._signer, signer, read_asked(connection.exchange))
        connection.streams, connection.fault = True, rule.get("signature")
        connection.exchange.head(200, "")
        connection.tell("live", {"success": True, "generation": 1, **self._times()}, self._now_ms())
        self._comment_later(connection)

    def _comment_later(self, connection: Connection) -> None:
        def comment() -> None:
            if not connection.dead:
                connection.write(": still here\n\n")
                self._comment_later(connection)

        self._time.at(self._time.now + self._defaults["comment_every"], comment)

    def _act(self, act: Json) -> None:
        for connection in [one for one in self._connections if one.streams]:
            if "close" in act:
                connection.close()
            else:
                body = self._replies[act["reply"]]["body"]
                connection.tell(act["event"], body, self._now_ms(), act.get("signature"))
