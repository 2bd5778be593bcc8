"""
Keybeat for Python: claims an access key, keeps it by heartbeats, and tells when it is lost and why.

One file to copy into your app, and keybeat_trust.py beside it for signed answers and leases. Python 3.8 or later,
nothing but the standard library.

    from keybeat import start_session

    with start_session("https://keys.example.com", access_key, device={"name": "Office PC"}) as session:
        while not session.wait_lost(1.0):
            do_some_work()
        print(session.lost.reason)

                 heartbeats fail            for too long
    starting ► live ◄──────────► degraded ────────────► lost ──── end() ──► ended
        │       ▲ │     they work                        ▲ │
        ▼       │ └──────── the service says: over ──────┘ │
      failed    └── expired or unreachable, and nobody ────┘
                    else holds the key: by itself

With a lease that holds, "offline" comes instead of "lost" as unreachable, and back to live likewise.

What it promises:
- A failed request is not a lost session. Only the service's own word ends one, or the local deadline, which counts by
  a monotonic clock from before the last acknowledged heartbeat was sent.
- After `replaced`, `ended`, `revoked` and `cloned` it sends nothing more: no two devices take the key from each other in
  turn.
- It comes back by itself only onto a key that nobody holds.

How it works: a daemon thread runs an asyncio loop of its own, on which everything about the session happens, one thing
at a time, so there are no locks. Blocking calls have daemon threads of their own, one for your callbacks, one a request.
It logs to logging.getLogger("keybeat"), never a whole key or session id.
"""

import asyncio
import atexit
import base64
import concurrent.futures
import contextlib
import dataclasses
import errno
import functools
import hashlib
import http.client
import itertools
import json
import logging
import math
import os
import queue
import random
import re
import secrets
import selectors
import socket
import ssl
import tempfile
import threading
import time
import types
import unicodedata
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any, Callable, Coroutine, Dict, List, Optional, Sequence, Set, Tuple, Union

__all__ = ["start_session", "Session", "KeybeatError", "FileStorage"]
__all__ += ["LiveEvent", "DegradedEvent", "RecoveredEvent", "OfflineEvent", "LostEvent"]

log = logging.getLogger("keybeat")
# Otherwise warnings would go to stderr in an app without logging.
log.addHandler(logging.NullHandler())

Json = Dict[str, Any]


def start_session(
    url: str,
    access_key: str,
    *,
    device: Optional[Json] = None,
    on_conflict: str = "replace",
    ask: Optional[Callable[[Json], bool]] = None,
    storage: Any = None,
    on_live: Optional[Callable[["LiveEvent"], Any]] = None,
    on_degraded: Optional[Callable[["DegradedEvent"], Any]] = None,
    on_recovered: Optional[Callable[["RecoveredEvent"], Any]] = None,
    on_offline: Optional[Callable[["OfflineEvent"], Any]] = None,
    on_lost: Optional[Callable[["LostEvent"], Any]] = None,
    on_event: Optional[Callable[["Event"], Any]] = None,
    on_failed: Optional[Callable[[Exception], Any]] = None,
    dispatch: Optional[Callable[[Callable[[], None]], Any]] = None,
    wait: bool = True,
    start_timeout: float = 20.0,
    request_timeout: float = 5.0,
    end_at_exit: bool = True,
    proof: bool = False,
    public_key: Union[str, Sequence[str], None] = None,
    ssl_context: Optional[ssl.SSLContext] = None,
    platform: Any = None,
) -> "Session":
    """
    Claims the key and keeps it until `end()`, or until it is lost. All durations are in seconds.

    url             where the service is, such as "https://keys.example.com"; a path after the host is kept
    device          {"name": …, "platform": …, "app_version": …}, each optional: shown to the device that is refused or
                    replaced because of this one
    on_conflict     another device holds the key: "replace" (take it over), "refuse" (raise `key_in_use`) or "ask"
    ask             for "ask": called with the holder {"started_at", "last_heartbeat", "generation", "device"}, returns
                    whether to take the key over. Exactly the holder that was shown is replaced: if a third device
                    came in between, `ask` is called again with that one. It may take its time.
    storage         an object with get(), set(session_id) and remove(), such as FileStorage: a restarted app then
                    resumes its session instead of counting as a second device. With a lease the text has that, too
                    (1 KB), and is set anew each minute. If it raises, only that is lost. It is called from the session's
                    thread, so it should be quick.
    on_live … on_lost   called with each event of that kind; on_event with every one; for on_failed see `wait`
    dispatch        passes a function to the thread that is to call it, for user interfaces: with Tk
                    `lambda call: root.after(0, call)`. Without it callbacks run in order on a thread of the session's
                    own, and may take as long as they like.
    wait            True: returns when the key is held, and `ask` is called in this thread. False: returns at once, in
                    state "starting"; then comes on_live, or on_failed with the error; `ask` goes through `dispatch`.
    start_timeout   how long an unanswered start is retried, without the time that `ask` takes
    request_timeout how long one request may take
    end_at_exit     give the key back when the interpreter exits, in 3 s at most
    proof           True: every heartbeat shows that it comes from this process. A copy of the session id elsewhere then
                    ends the session for both, as `cloned`. Not for an app whose processes share a session on purpose.
    public_key      the service's key, or several, as `keybeat signing-key show` prints them: then only what one of them
                    has signed is an answer, and all else a failed network. Needs the file keybeat_trust.py.
    ssl_context     for a certificate authority of your own; default: the system's
    platform        for tests: replaces clocks, network and threads

    If it raises KeybeatError (see there for the codes), the key is not held. A wrong argument is a ValueError that says
    what to write instead.
    """
    options = types.SimpleNamespace(**locals())
    options.url = _check_url(url)
    options.access_key = _trim(access_key)
    options.device = device and {name: _cut(value, _TEXT_MAX.get(name)) for name, value in device.items()}
    if not start_timeout > 0:
        raise ValueError("start_timeout must be a number of seconds above 0")
    if not 0 < request_timeout < threading.TIMEOUT_MAX:
        raise ValueError("request_timeout must be a number of seconds above 0")
    if on_conflict not in ("replace", "refuse", "ask"):
        raise ValueError('on_conflict must be "replace", "refuse" or "ask"')
    if on_conflict == "ask" and ask is None:
        raise ValueError('on_conflict="ask" needs the function ask')
    options.public_keys = None if public_key is None else _trust().read_public_keys(public_key)
    session = Session(options, platform or _Platform(ssl_context))
    session._begin()
    return session


def _trust() -> Any:
    """The file for signatures, which is only copied where it is used."""
    try:
        if __package__:
            from . import keybeat_trust
        else:
            import keybeat_trust  # type: ignore[no-redef]
    except ImportError as error:
        raise ValueError("public_key needs the file keybeat_trust.py beside keybeat.py") from error
    return keybeat_trust


def _check_url(given: str) -> str:
    """The service's URL without a trailing slash."""
    url = str(given).strip().rstrip("/")
    rest = re.sub(r"^(\w*(:/|//)/*)?([^/]*@)?|(/api(/v1)?/session)?/*([?#].*)?$", "", url) or "keys.example.com"
    scheme = re.match("https?(?=:)", url, re.IGNORECASE)
    is_local = re.match(r"localhost|127\.|\[", rest)
    right = f"{scheme.group() if scheme else 'http' if is_local else 'https'}://{rest}"
    address = urllib.parse.urlsplit(right)
    if url == right and address.port == 0:
        raise ValueError("url must not have 0 as its port")
    if url != right or not address.hostname or re.search(r"\s", url):
        raise ValueError(f'url must be as in "{right}"')
    return url


def _trim(key: str) -> str:
    """The key without characters copied along with it: blanks of every kind, and invisible ones."""
    if not isinstance(key, str):
        raise ValueError("access_key must be a str")

    def is_invisible(character: str) -> bool:
        return character.isspace() or unicodedata.category(character)[0] == "C" or character in _IGNORABLE

    start, end = 0, len(key)
    while start < end and is_invisible(key[start]):
        start += 1
    while start < end and is_invisible(key[end - 1]):
        end -= 1
    return key[start:end]


# Unicode's ignorable characters outside of the controls and formats.
_IGNORABLE = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0" + "".join(map(chr, range(0xFE00, 0xFE10)))

_TEXT_MAX = {"name": 100, "platform": 50, "app_version": 50}


def _cut(value: Any, characters_max: Optional[int]) -> Any:
    """Cuts a descriptive text as the service does: to a number of code points, without splitting the last character."""
    if value is None or characters_max is None:
        return value
    text = str(value).replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    end = characters_max
    while 0 < end < len(text) and _joins(text[:end], text[end]):
        end -= 1
    return text[: end or characters_max]


def _joins(before: str, after: str) -> bool:
    """Whether `after` belongs to the character that ends `before` (Unicode's rules, UAX 29)."""
    if before[-1] + after == "\r\n":
        return True
    if _stands_alone(before[-1]) or _stands_alone(after):
        return False
    if _EXTENDS.match(after) or _PREPENDED.match(before[-1]):
        return True
    if unicodedata.category(after)[0] == "M":
        return not _SPACED.match(after)
    if _FLAG.match(after):
        return len(before) % 2 != len(before.rstrip(_FLAGS)) % 2
    if _CONSONANT.match(after) and unicodedata.category(after) == "Lo" and _STACKING.search(before):
        return True
    return bool(_SYLLABLE.match(before[-1] + after) or _PICTURE.match(after) and _JOINING_PICTURE.search(before))


def _stands_alone(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") and not (
        _EXTENDS.match(character) or _PREPENDED.match(character)
    )


# Characters that Unicode joins to the one before them though they are no marks, and to the one after them.
_EXTENDS = re.compile("[\u0e33\u0eb3\u200c\u200d\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
_PREPENDED = re.compile("[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\U000110bd\U000110cd]")
# Marks that are characters of their own.
_SPACED = re.compile(
    "[\u102b\u102c\u1038\u1062-\u1064\u1067-\u106d\u1083\u1087-\u108c\u108f\u109a-\u109c\u1a61\u1a63\u1a64\uaa7b\uaa7d]"
)
# Two of these make a flag.
_FLAGS = "".join(map(chr, range(0x1F1E6, 0x1F200)))
_FLAG = re.compile(f"[{_FLAGS}]")
# Scripts of India and beyond that stack the next consonant below.
_CONSONANT = re.compile("[\u0915-\u109f\u1780-\u1bff\ua984-\uabda]")
_BELOW = "\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d\u1039\u17d2\u1a60\u1b44\u1bab\ua9c0\uaaf6"
_BETWEEN = "\u0300-\u036f\u093c\u09bc\u0abc\u0b3c\u0c3c\u103a\u200d"
_STACKING = re.compile(f"{_CONSONANT.pattern}[{_BELOW}{_BETWEEN}]*[{_BELOW}][{_BETWEEN}]*$")
# Korean: a letter before a letter or a syllable, a syllable before its last letter.
_SYLLABLE = re.compile(
    "[\u1100-\u115f\ua960-\ua97c][\u1100-\u11a7\ua960-\ua97c\uac00-\ud7c6]"
    "|[\u1160-\u11a7\uac00-\ud7c6][\u1160-\u11ff\ud7b0-\ud7fb]"
    "|[\u11a8-\u11ff\ud7cb-\ud7fb][\u11a8-\u11ff\ud7cb-\ud7fb]"
)
# Pictures that joiners combine into one emoji.
_PICTURES = (
    "\xa9\xae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23fa\u24c2\u25aa-\u27bf\u2934-\u2b55\u3030-\u3299"
    "\U0001f000-\U0001fffd"
)
_PICTURE = re.compile(f"[{_PICTURES}]")
_JOINING_PICTURE = re.compile(f"[{_PICTURES}][\ufe00-\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*\u200d$")


class KeybeatError(Exception):
    """
    `code` is for the program, the message for a person, `data` the service's answer beyond them.

    - invalid_key, key_expired, key_revoked: the key is no good.
    - key_in_use: another device holds it, and on_conflict (or `ask`) chose not to take over; data["holder"] says which.
    - session_id_used: this start got through, its answer was lost, and its session is already over.
    - lease_unavailable: the service gives no leases, or not for so long.
    - invalid_request: the request is malformed, see data["issues"].
    - unreachable: no answer within start_timeout, or none possible: a bad certificate, a redirect to https, a process
      that runs no threads. The message tells the last try's trouble, and __cause__ is what was raised.
    - the reasons of LostEvent, of a call for a session that is over.
    """

    def __init__(self, code: str, message: str, data: Optional[Json] = None) -> None:
        super().__init__(message)
        self.code = code
        self.data: Json = data or {}


@dataclass(frozen=True)
class LiveEvent:
    """
    The device holds the key.

    generation  the fencing token: it only rises for a key, so a backend can refuse an outdated holder
    resumed     the session was live before this start: the app restarted, or the first answer got lost
    recovered   it was lost (expired, unreachable) and came back by itself; `session.signal` is a new one
    previous    the session that this start replaced, {"session_id" (masked), "started_at", "last_heartbeat", "device"},
                or None
    """

    generation: int
    resumed: bool
    recovered: bool
    previous: Optional[Json]
    type: str = "live"


@dataclass(frozen=True)
class DegradedEvent:
    """
    Heartbeats fail. The device still holds the key until the local deadline.

    error        what went wrong, for a log, such as "HTTP 503" or "no answer within 5 s"
    deadline_in  seconds until the session counts as lost, unless a heartbeat gets through
    """

    error: str
    deadline_in: float
    type: str = "degraded"


@dataclass(frozen=True)
class RecoveredEvent:
    """Heartbeats get through again; the device held the key throughout."""

    type: str = "recovered"


@dataclass(frozen=True)
class OfflineEvent:
    """
    No heartbeat got through until the deadline, or at the start, and the device holds the key by its lease alone. It
    works on: `signal` is not set. With the network back a LiveEvent follows, usually with a higher generation.

    until       the end of the lease, by the service's clock (RFC 3339): then the session is lost
    generation  of the session that asked for the lease
    """

    until: str
    generation: int
    type: str = "offline"


@dataclass(frozen=True)
class LostEvent:
    """
    The device no longer holds the key, or may not. `session.signal` was set just before.

    reason    replaced: another device took the key; final.
              ended: somebody ended this very session, such as the vendor's own backend; final.
              revoked: the operator withdrew the key or the session, or the key has run out; final.
              cloned: two processes use this very session, such as of a copied machine; final.
              expired: the service heard nothing for too long, after a sleep say.
              unreachable: nothing was acknowledged before the local deadline, so another device may hold the key now.
    final     False: it comes back by itself if nobody else holds the key (then on_live, with `recovered`, follows)
    by        with replaced, the device that holds the key now: {"started_at", "device"}
    ended_at  when, by the service's clock (RFC 3339); None if the service did not say
    code      the service's own code, such as session_replaced, key_in_use, key_expired; None with unreachable; with
              expired lease_ended or clock_set_back, where a lease holds no longer
    """

    reason: str
    final: bool
    by: Optional[Json] = None
    ended_at: Optional[str] = None
    code: Optional[str] = None
    type: str = "lost"


Event = Union[LiveEvent, DegradedEvent, RecoveredEvent, OfflineEvent, LostEvent]


class Session:
    """One hold on an access key, as the app sees it, made by start_session. Any thread may use every member."""

    def __init__(self, options: Any, platform: Any) -> None:
        self._options = options
        self._platform = platform
        self._keeper = _Keeper(options, self, platform)
        self._state = "starting"
        self._generation = 0
        self._lost: Optional[LostEvent] = None
        self._error: Optional[Exception] = None
        self._session_id = ""
        self._signal = threading.Event()
        self._finished = threading.Event()
        # Calls for the thread that waits in start_session.
        self._start_calls: "queue.SimpleQueue[Callable[[], None]]" = queue.SimpleQueue()

    @property
    def state(self) -> str:
        """
        "starting", "live", "degraded" (heartbeats fail), "offline", "lost", "ended" (only by this app's own end()) or
        "failed" (the start failed; see `error`). The device holds the key while it is live, degraded or offline.
        """
        return self._state

    @property
    def generation(self) -> int:
        """The fencing token. A session that comes back after it was lost usually has a higher one."""
        return self._generation

    @property
    def lost(self) -> Optional[LostEvent]:
        """Why it is lost; None if it is not."""
        return self._lost

    @property
    def error(self) -> Optional[Exception]:
        """Why the start failed; None if it did not."""
        return self._error

    @property
    def session_id(self) -> str:
        """This session's secret, for `Authorization` at your own backend say. Never print it."""
        return self._session_id

    @property
    def signal(self) -> threading.Event:
        """
        Set when the device may no longer act as the key's holder: with `lost`, with end(), and when the start fails.
        It stays set; a session that comes back has a new one, so read it anew for every piece of work.
        """
        return self._signal

    def wait_lost(self, timeout: Optional[float] = None) -> bool:
        """Waits for the signal. True once it is set (`lost` says why, None after end()), False after `timeout` s."""
        signal = self._signal
        until = math.inf if timeout is None else time.monotonic() + timeout
        # In slices, as on Windows a waiting thread gets no Ctrl-C.
        while not signal.wait(max(0.0, min(until - time.monotonic(), _WAIT_SLICE))):
            if time.monotonic() >= until:
                return False
        return True

    def end(self, wait: bool = True) -> None:
        """
        Gives the key back. Safe to call twice, from any thread, in any state. Waits until the service knows, 3 s at
        most, and never raises: if the network is away, the service lets the session expire. With wait=False it returns
        at once, for user interfaces. No event follows; `signal` is set.
        """
        if self._finished.is_set():
            return
        self._platform.post(self._keeper.end)
        if wait:
            self._finished.wait(_END_WITHIN + 0.5)

    def lease(self, hours: float) -> str:
        """
        Asks for a lease: for so many hours, at most until the key runs out, nobody else can start with the key, and
        this device may work without the service. Asked again: the same one. It outlives end(), and is over when a
        session comes back by it. Returns its end (RFC 3339). Needs the options public_key and storage. Raises KeybeatError:
        lease_unavailable, invalid_request, unreachable, or why the session is lost.
        """
        return str(self._ask_keeper(lambda: self._keeper.lease(hours)))

    def return_lease(self) -> bool:
        """
        Gives the lease back, before end(), so that other devices can start. False: there was none, or it had ended.
        Raises as lease() does.
        """
        return bool(self._ask_keeper(self._keeper.return_lease))

    def _ask_keeper(self, ask: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Runs it on the loop, and waits for it in the calling thread."""
        answered: "concurrent.futures.Future[Any]" = concurrent.futures.Future()
        self._platform.post(lambda: self._keeper.serve(ask, answered))
        while not (answered.done() or self._finished.is_set()):
            concurrent.futures.wait([answered], _WAIT_SLICE)
        if not answered.done() or answered.cancelled():
            raise KeybeatError(self._lost.reason if self._lost else "ended", "the session is over")
        return answered.result()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.end()

    def __repr__(self) -> str:
        return f"<keybeat.Session {_mask(self._session_id)} {self._state}, generation {self._generation}>"

    def _begin(self) -> None:
        _end_at_exit(self)
        try:
            self._platform.start(self._keeper.run, self._finish)
        except Exception as error:
            # No thread can be started: the interpreter exits, or a limit is reached.
            self._finish(error)
            self._platform.end_calls()
        if not self._options.wait:
            return
        # A running keeper keeps its own time. If it never runs (uWSGI without threads), nobody else would.
        give_up_at = time.monotonic() + self._options.start_timeout
        try:
            while self._state == "starting":
                with contextlib.suppress(queue.Empty):
                    self._start_calls.get(timeout=max(0.01, min(_WAIT_SLICE, give_up_at - time.monotonic())))()
                if not self._keeper.runs and time.monotonic() >= give_up_at:
                    self._finish(TimeoutError("its thread does not run"))
                    self._platform.end_calls()
        except BaseException:
            # Ctrl-C, or an error of the app in `ask`: nobody would ever end this session if it came to be.
            self.end(wait=False)
            raise
        if self._error:
            raise self._error

    def _enter(self, state: str) -> None:
        was, self._state = self._state, state
        if was == "starting":
            # Wakes the thread that waits in start_session.
            self._start_calls.put(lambda: None)

    def _tell(self, event: Event) -> None:
        """Updates what the app sees, then tells the app."""
        if isinstance(event, (LiveEvent, OfflineEvent)):
            self._generation = event.generation
            if self._signal.is_set():
                self._signal = threading.Event()
        self._lost = event if isinstance(event, LostEvent) else None
        self._enter("live" if event.type == "recovered" else event.type)
        if self._lost:
            self._signal.set()
        log.log(_LEVELS.get(event.type, logging.WARNING), "session %s: %s", _mask(self._session_id), event)
        for callback in (self._options.on_event, getattr(self._options, "on_" + event.type)):
            if callback:
                self._call(functools.partial(callback, event))

    def _fail(self, error: Exception) -> None:
        """The start failed."""
        self._error = error
        self._enter("failed")
        self._signal.set()
        log.warning("no session: %s", getattr(error, "code", type(error).__name__))
        if self._options.on_failed and not self._options.wait:
            self._call(functools.partial(self._options.on_failed, error))

    def _close(self) -> None:
        """Ended by the app itself: no event."""
        self._enter("ended")
        self._signal.set()

    def _call(self, call: Callable[[], None]) -> None:
        dispatch = self._options.dispatch
        self._platform.tell(functools.partial(dispatch, call) if dispatch else call)

    async def _ask_app(self, holder: Json) -> Any:
        """The answer of the app's `ask`. Raises what it raises."""
        answered = asyncio.get_running_loop().create_future()

        def ask() -> None:
            try:
                settle = functools.partial(answered.set_result, self._options.ask(holder))
            except Exception as error:
                settle = functools.partial(answered.set_exception, error)
            self._platform.post(lambda: answered.done() or settle())

        if self._options.wait:
            self._start_calls.put(ask)
        else:
            self._call(ask)
        return await answered

    def _finish(self, trouble: Optional[BaseException] = None) -> None:
        """The end: all is done, or the thread ended by `trouble`."""
        if self._state == "starting":
            error = KeybeatError("unreachable", f"no session can be kept in this process: {trouble!r}")
            error.__cause__ = trouble
            self._fail(error)
        elif trouble and self._state in ("live", "degraded", "offline"):
            self._tell(LostEvent("unreachable", final=True))
        _sessions.discard(self)
        self._finished.set()

    def _forked(self) -> None:
        """In a forked child: the threads are gone, the session is the parent's. New events, as old locks may be held."""
        self._state = "ended"
        self._signal = threading.Event()
        self._finished = threading.Event()
        self._signal.set()
        self._finished.set()


class FileStorage:
    """
    Keeps the session id (and a lease) in a file that only this user can read, so that a restarted app resumes its session.
    The id is a secret like the access key. Use one file per running instance of the app: two that share one would share a
    session, and the first to end it would end the other's.
    """

    def __init__(self, path: "Union[str, os.PathLike[str]]") -> None:
        self._path = os.path.abspath(os.path.expanduser(os.fspath(path)))

    def get(self) -> Optional[str]:
        with contextlib.suppress(FileNotFoundError), open(self._path, encoding="ascii") as file:
            return file.read().strip()
        return None

    def set(self, session_id: str) -> None:
        folder = os.path.dirname(self._path)
        os.makedirs(folder, exist_ok=True)
        # Written beside it and renamed into place: a crash leaves the old id or the new one. mkstemp's files are 0600.
        descriptor, beside = tempfile.mkstemp(dir=folder, prefix=".keybeat-")
        try:
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(session_id)
            os.replace(beside, self._path)
        except BaseException:
            os.unlink(beside)
            raise

    def remove(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)


# ---------------------------------------------------------------------------------------------------------------------
# The rest is not for the app. _Keeper, _Watch and _Link run entirely on the session's loop. Times are in seconds, by
# platform.now() unless stated otherwise.

_TICK = 2.0
# A day, the service's longest timeout, and the shortest that is believed.
_TIMEOUT_MAX = 86_400.0
_TIMEOUT_MIN = 0.5
_WAIT_SLICE = 0.5
_END_WITHIN = 3.0
_END_RETRY = 0.5
# A shorter nap does no harm: the heartbeat that follows is still in time.
_ASLEEP = 20.0
# The service writes a comment to a stream every 15 s.
_STREAM_SILENCE = 45.0
# A stream that lasts this long counts as good.
_STREAM_STEADY = 30.0
_BODY_BYTES_MAX = 65_536
# Reasons of an ssl.SSLError: a bad certificate, a port that does not speak TLS.
_LASTING = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "HTTP_REQUEST")
_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{16,128}")
_FINAL_EVENTS = ("replaced", "expired", "ended", "revoked", "cloned")
# What a start is refused by that ends a lease, too.
_KEY_CODES = ("invalid_key", "key_expired", "key_revoked", "key_in_use")
# Challenges to one beat. More in a row are no service that works.
_CHALLENGES_MAX = 5
# Also an ending that is newer than this file.
_ENDING_CODE = re.compile(r"session_([a-z]+)")
_LEVELS = {"live": logging.INFO, "recovered": logging.INFO}

# What counts as the service's own answer. A proxy's 404 or a hotel login page's 403 does not.
_REFUSAL = re.compile(
    "400 invalid_request|403 (invalid_key|key_expired|key_revoked)|404 session_not_found"
    "|409 (key_in_use|holder_changed|session_id_used|proof_challenge|proof_required|lease_unavailable)"
    "|410 session_[a-z]+"
)
_REASONS = {
    "key_in_use": "replaced",
    "invalid_key": "revoked",
    "key_revoked": "revoked",
    "key_expired": "revoked",
    "session_not_found": "expired",
    # Another process with this session id shows proof.
    "proof_required": "cloned",
}


class _Storage:
    """The caller's storage, or none. Never raises."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    def get(self) -> Any:
        return self._use("get")

    def set(self, text: str) -> None:
        self._use("set", text)

    def remove(self) -> None:
        self._use("remove")

    def _use(self, name: str, *arguments: str) -> Any:
        try:
            return self._storage and getattr(self._storage, name)(*arguments)
        except Exception as error:
            log.warning("the storage failed to %s: %s", name, type(error).__name__)
            return None


class _Keeper:
    """
    Keeps a session live, and notices when it is lost.

    One function, _tick, looks at the clock and does what is due; timers, bytes on the stream and answers only call it.
    So late timers need no rules of their own.
    """

    def __init__(self, options: Any, session: Session, platform: Any) -> None:
        self._options = options
        self._session = session
        self._platform = platform
        self._link = _Link(options, platform)
        self._proof = _Proof() if options.proof else None
        self._storage: Any = _Storage(options.storage)
        # Keeps the lease, and the session id with it.
        self._leases: Any = None
        if options.public_keys and options.storage:
            self._leases = _trust().Leases(self._storage, options.public_keys, options.access_key, platform.wall)
            self._storage = self._leases
        # Calls for a lease that are under way.
        self._serving: "Set[asyncio.Task[None]]" = set()
        self._watch = _Watch(self._link, platform, lambda: self._tick(stream_lives=True), self._stream_ended)
        # The last readings of the monotonic clock and the wall clock.
        self._read_at = (0.0, 0.0)
        self._life: "Optional[asyncio.Task[None]]" = None
        self._ending = False
        # Whether its thread has started it.
        self.runs = False
        self._session_id = ""
        # If set, the session has expired, and this is the id to come back with.
        self._return_id: Optional[str] = None
        self._returns = 0
        # When the key may become somebody else's.
        self._deadline = 0.0
        self._asking: "Optional[asyncio.Task[None]]" = None
        self._ask_at = 0.0
        self._failures = 0
        self._timer: Optional[asyncio.TimerHandle] = None

    async def run(self) -> None:
        """The whole life of a session. Does not raise."""
        loop = asyncio.get_running_loop()
        self.runs = self._session.state == "starting"
        self._over: "asyncio.Future[None]" = loop.create_future()
        self._turn = asyncio.Lock()
        # For errors of this file. asyncio's own handler would print the call, and with it a session id.
        loop.set_exception_handler(lambda _, context: log.error("a mistake", exc_info=context.get("exception")))
        if self._ending or not self.runs:
            return
        self._life = loop.create_task(self._live())
        await asyncio.wait([self._life])
        self._stop()
        if self._ending:
            await self._give_back()

    def end(self) -> None:
        """Ends the session, unless it is over. May come before `run`."""
        if self._ending or (self._life and (self._life.done() or self._over.done())):
            return
        if self._session.state != "failed":
            self._ending = True
            self._session._close()
        if self._life:
            self._life.cancel()

    async def _live(self) -> None:
        try:
            self._started(*await self._claim())
        except Exception as error:
            code = getattr(error, "code", "")
            is_unknown = code == "unreachable"
            if is_unknown and self._hold() == "held":
                self._start_offline()
                await self._over
                return
            if self._leases and code in _KEY_CODES:
                # The service knows better than a lease of before the key was withdrawn.
                self._leases.drop()
            if not is_unknown:
                self._storage.remove()
            self._session._fail(error)
            if is_unknown and not self._options.storage:
                # It may have got through all the same. Only a storage lets the next start find it.
                await self._link.post("end", {"session_id": self._session_id})
            return
        self._begin_ticks()
        await self._over

    def _start_offline(self) -> None:
        """Goes on by a lease, without a session. The start is repeated until it has an answer."""
        self._return_id = self._session._session_id = self._session_id
        self._ask_at = self._platform.now() + self._link.retry_delay(_failed(""))
        self._go_offline()
        self._begin_ticks()

    def _begin_ticks(self) -> None:
        self._read_at = self._platform.now(), self._platform.wall()
        self._plan_tick(0)

    async def _claim(self) -> Tuple[str, Json, float]:
        """
        Asks until the outcome is known, always with the same session id, so that a start whose answer was lost is found
        again (`resumed`) instead of made twice. Returns its id, the reply, and when the request was sent.
        """
        on_conflict = self._options.on_conflict
        stored = self._storage.get()
        if not (isinstance(stored, str) and _SESSION_ID.fullmatch(stored)):
            stored = None
        self._session_id = stored or secrets.token_hex(16)
        agreed: Optional[Json] = None
        for turn in itertools.count():
            if turn > 2:
                # Holders change as fast as a person can say yes; or a server says so for ever.
                await asyncio.sleep(self._link.retry_delay(_failed("asked again")))
            self._storage.set(self._session_id)
            answer, sent_at = await self._insist(
                on_conflict="replace" if on_conflict == "replace" or agreed else "refuse",
                expected_generation=agreed.get("generation") if agreed else None,
            )
            if answer.kind == "ok":
                return self._session_id, answer.body, sent_at
            code, holder = answer.body["code"], _as_dict(answer.body.get("holder"))
            # A yes would change nothing.
            is_leased = answer.body.get("leased_until") is not None
            if code in ("session_id_used", "proof_required") and stored:
                # Nor is a session with proof for a process without.
                stored = None
                self._session_id = secrets.token_hex(16)
            elif on_conflict == "ask" and holder and not is_leased and await self._session._ask_app(holder):
                agreed = holder
            else:
                raise KeybeatError("key_in_use" if holder else code, str(answer.body.get("error")), answer.body)
        raise AssertionError("not reached")

    async def _insist(self, **rule: Any) -> "Tuple[_Answer, float]":
        """Repeats the same start until the service answers or start_timeout is over; with a lease less than that."""
        now = self._platform.now
        is_held = self._hold() == "held"
        give_up_at = now() + (self._options.request_timeout if is_held else self._options.start_timeout)
        while True:
            request = self._start_request(self._session_id, **rule)
            answer, sent_at = await self._beat("start", request, give_up_at)
            if answer.kind != "failed":
                return answer, sent_at
            delay = self._link.retry_delay(answer)
            if answer.is_lasting or now() + delay >= give_up_at:
                raise KeybeatError("unreachable", answer.error) from answer.cause
            await asyncio.sleep(delay)

    async def _beat(self, path: str, request: Json, give_up_at: float = math.inf) -> "Tuple[_Answer, float]":
        """
        A call that keeps the session alive: a heartbeat, a start or, with proof, a request for a lease. Challenges are
        answered at once, as only a running process can. Returns the answer, and when the request that got it was sent.
        """
        # Overtaken by a later one a beat would be challenged, and its answer would look like a copy's.
        async with self._turn:
            return await self._send_beat(path, request, give_up_at)

    async def _send_beat(self, path: str, request: Json, give_up_at: float) -> "Tuple[_Answer, float]":
        proof = self._proof and self._proof.of(request)
        for _ in range(1 + _CHALLENGES_MAX):
            sent_at = self._platform.now()
            timeout = max(0.01, min(self._options.request_timeout, give_up_at - sent_at))
            answer = await self._link.post(path, {**request, "proof": proof}, timeout)
            challenge = answer.body.get("challenge")
            if not proof or answer.body.get("code") != "proof_challenge" or not isinstance(challenge, str):
                break
            proof = {**proof, "answer": challenge}
        if answer.body.get("code") == "proof_challenge":
            return _failed("proof_challenge"), sent_at
        if self._proof and answer.kind != "failed":
            self._proof.answered()
        return answer, sent_at

    def _start_request(self, session_id: str, **rule: Any) -> Json:
        key, device = self._options.access_key, self._options.device
        lease = self._leases.text if self._leases else None
        return {"access_key": key, "session_id": session_id, "device": device, "lease": lease, **rule}

    async def _give_back(self) -> None:
        """Tells the service that the session is over, in 3 s at most."""
        now = self._platform.now
        give_up_at = now() + _END_WITHIN
        while self._session_id and now() < give_up_at:
            request = {"session_id": self._return_id or self._session_id}
            answer = await self._link.post("end", request, give_up_at - now())
            if answer.kind == "ok":
                self._storage.remove()
                return
            await asyncio.sleep(min(_END_RETRY, max(0.0, give_up_at - now())))
        # Keep the id, so that a restarted app finds its own session instead of a stranger's.

    def _tick(self, stream_lives: bool = False) -> None:
        if self._over.done() or self._ending:
            return
        # Whatever happens below, there is a next tick.
        self._plan_tick(_TICK)
        now = self._platform.now()
        self._notice_sleep(now, stream_lives)
        self._check_hold(now)
        if self._holds_key():
            self._watch.keep_open(self._session_id)
        if not self._asking and now >= self._ask_at:
            self._asking = asyncio.ensure_future(self._ask())
        due_at = min(math.inf if self._asking else self._ask_at, self._deadline if self._holds_key() else math.inf)
        self._plan_tick(max(0.0, min(due_at - now, _TICK)))

    def _hold(self) -> Optional[str]:
        """"held": there is a lease, and it holds now. None: there is none. Otherwise why it does not hold."""
        hold: Optional[str] = self._leases.look() if self._leases else None
        return hold

    def _check_hold(self, now: float) -> None:
        """Past the deadline a lease may hold the key, as long as it holds itself."""
        hold = self._hold()
        if self._holds_key() and now >= self._deadline:
            if hold == "held":
                self._go_offline()
            else:
                self._lose(LostEvent("unreachable", final=False))
        elif self._session.state == "offline" and hold != "held":
            self._lose(LostEvent("expired", final=False, code=hold))

    def _go_offline(self) -> None:
        self._watch.close()
        self._session._tell(OfflineEvent(self._leases.until, self._leases.generation))

    def _plan_tick(self, delay: float) -> None:
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _notice_sleep(self, now: float, stream_lives: bool) -> None:
        """Compares the clocks with their last readings. A wall clock set forward looks like a sleep."""
        wall = self._platform.wall()
        passed, passed_by_wall = now - self._read_at[0], wall - self._read_at[1]
        self._read_at = now, wall
        if max(passed, passed_by_wall) < _ASLEEP:
            return
        # Requests under way did not survive the sleep.
        self._cancel_asking()
        if not stream_lives:
            self._watch.close()
        self._ask_at = now
        # Some monotonic clocks stand still during sleep. If the wall clock says that the deadline has passed, allow one
        # request's time to disprove it: if the clock was merely set forward, the first answer does.
        if now + passed_by_wall - passed > self._deadline:
            self._deadline = min(self._deadline, now + self._options.request_timeout)

    async def _ask(self) -> None:
        """A heartbeat or, if the session has expired, a start that harms nobody."""
        return_id = self._return_id
        if return_id:
            answer, sent_at = await self._beat("start", self._start_request(return_id, on_conflict="refuse"))
        else:
            answer, sent_at = await self._beat("heartbeat", {"session_id": self._session_id})
        self._asking = None
        if answer.kind == "refused":
            self._refused(answer.body)
        elif answer.kind == "failed":
            self._failed(answer)
        elif return_id:
            self._started(return_id, answer.body, sent_at)
        else:
            self._beaten(answer.body, sent_at)
        self._tick()

    def _started(self, session_id: str, reply: Json, sent_at: float) -> None:
        recovered = self._session.state == "lost"
        self._session_id = self._session._session_id = session_id
        self._return_id = None
        self._acknowledged(reply, sent_at)
        previous, resumed = _as_dict(reply.get("previous_session")), reply.get("resumed") is True
        if self._leases and self._leases.generation != reply["generation"]:
            # This start has used it up, or the one that it repeats.
            self._leases.drop()
        self._session._tell(LiveEvent(reply["generation"], resumed, recovered, previous))

    def _beaten(self, reply: Json, sent_at: float) -> None:
        state = self._session.state
        self._returns = 0
        self._acknowledged(reply, sent_at)
        if state == "degraded":
            self._session._tell(RecoveredEvent())
        elif state in ("lost", "offline"):
            # The service forgave the silence, after an outage of its own say: nobody else held the key.
            self._session._tell(LiveEvent(reply["generation"], True, recovered=state == "lost", previous=None))

    def _acknowledged(self, reply: Json, sent_at: float) -> None:
        if self._leases:
            self._leases.heard(reply.get("server_time"))
        timeout = min(reply["expires_in"], _TIMEOUT_MAX)
        self._deadline = sent_at + timeout - min(1.0, timeout / 10)
        # Whatever the service asks for, neither loop tightly nor wait too long to retry before the deadline.
        soonest = min(max(timeout / 8, 0.25), 1.0)
        self._ask_at = sent_at + min(max(reply["heartbeat_in"], soonest), timeout * 0.75)
        self._failures = 0

    def _failed(self, answer: "_Answer") -> None:
        now = self._platform.now()
        self._ask_at = now + self._link.retry_delay(answer, 0 if self._holds_key() else self._failures)
        self._failures += 0 if self._holds_key() else 1
        log.debug("session %s: %s", _mask(self._session_id), answer.error)
        if self._session.state == "live":
            self._session._tell(DegradedEvent(answer.error, self._deadline - now))

    def _stream_ended(self, ending: Json) -> None:
        self._refused(ending)
        self._tick()

    def _refused(self, refusal: Json) -> None:
        loss = _read_loss(refusal)
        self._cancel_asking()
        if loss and loss.final:
            self._stop()
            if self._leases and loss.reason not in ("ended", "cloned"):
                # The other endings free the key.
                self._leases.drop()
            self._storage.remove()
            self._session._tell(loss)
        elif loss:
            if self._holds_key():
                self._lose(loss)
            self._come_back()
        elif refusal["code"] == "session_id_used" and self._session.state == "offline":
            self._come_back()
        elif refusal["code"] == "session_id_used" and self._return_id:
            # That start got through, its answer was lost, and the session is over again. A heartbeat tells how.
            self._session_id, self._return_id = self._return_id, None
            self._ask_at = self._platform.now()
        else:
            self._failed(_failed(refusal["code"]))

    def _lose(self, loss: LostEvent) -> None:
        self._watch.close()
        self._session._tell(loss)

    def _come_back(self) -> None:
        self._return_id = secrets.token_hex(16)
        self._storage.set(self._return_id)
        # At once, but without looping if the service lets every session expire.
        delay = self._link.retry_delay(_failed("expired again")) if self._returns else 0.0
        self._returns += 1
        self._ask_at = self._platform.now() + delay

    async def lease(self, hours: float) -> str:
        body = await self._call("lease", {"session_id": self._session_id, "hours": hours})
        if not self._leases.take(body["lease"], body["server_time"]):
            raise KeybeatError("unreachable", "the lease is not signed by a trusted key")
        return str(self._leases.until)

    async def return_lease(self) -> bool:
        if self._leases and not self._leases.text:
            return False
        body = await self._call("lease/return", {"lease": self._leases and self._leases.text})
        self._leases.drop()
        return body["success"] is True

    async def _call(self, path: str, request: Json) -> Json:
        """The reply to one call for a lease. Raises KeybeatError."""
        if not self._leases:
            raise ValueError("leases need the options public_key and storage")
        is_beat = path == "lease" and self._proof
        answer = (await self._beat(path, request))[0] if is_beat else await self._link.post(path, request)
        if answer.kind == "ok":
            return answer.body
        if answer.kind == "refused":
            loss = _read_loss(answer.body)
            raise KeybeatError(loss.reason if loss else answer.body["code"], str(answer.body.get("error")), answer.body)
        raise KeybeatError("unreachable", answer.error) from answer.cause

    def serve(self, ask: Callable[[], Coroutine[Any, Any, Any]], answered: "concurrent.futures.Future[Any]") -> None:
        """Settles `answered` by what `ask` returns or raises; cancels it if the session is over before."""

        async def run() -> None:
            try:
                answered.set_result(await ask())
            except asyncio.CancelledError:
                answered.cancel()
            except Exception as error:
                answered.set_exception(error)

        if self._session.state == "starting":
            answered.set_exception(KeybeatError("unreachable", "the session is not live yet"))
            return
        if self._ending or self._over.done():
            answered.cancel()
            return
        task = asyncio.ensure_future(run())
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    def _holds_key(self) -> bool:
        return self._session._state in ("live", "degraded")

    def _stop(self) -> None:
        """Lets go of the session without an event or a request."""
        if not self._over.done():
            self._over.set_result(None)
        self._cancel_timer()
        self._cancel_asking()
        self._watch.close()
        for task in self._serving:
            task.cancel()

    def _cancel_timer(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _cancel_asking(self) -> None:
        # A cancelled task does not go on, so a later answer changes nothing.
        if self._asking:
            self._asking.cancel()
        self._asking = None


class _Proof:
    """
    Shows the service that this session's beats come from one process (src/trust/README.md). Kept in memory only; a
    forked child has no session, and so none of these.
    """

    def __init__(self) -> None:
        self._instance = _draw_id()
        self._number = 0
        # The beat that has no answer yet, and what it says.
        self._beat: Optional[Json] = None
        self._request: Json = {}

    def of(self, request: Json) -> Json:
        """The same until it is answered. What says something else, such as for another session, is another beat."""
        if not self._beat or request != self._request:
            self._number += 1
            self._request = request
            self._beat = {"instance": self._instance, "number": self._number, "beat_id": _draw_id()}
        return self._beat

    def answered(self) -> None:
        self._beat = None


def _draw_id() -> str:
    """Random. A copied machine has a copied generator, too: only its clock goes on differently."""
    clocks = f"{time.monotonic_ns()} {time.time_ns()} {os.getpid()}".encode()
    return hashlib.sha256(os.urandom(32) + clocks).hexdigest()[:32]


class _Watch:
    """
    The watch stream: tells at once that the session is over. It only makes that faster: if the service lacks it, or a
    proxy blocks, buffers or cuts it, the device learns of an ending with the next heartbeat.
    """

    def __init__(
        self, link: "_Link", platform: Any, on_bytes: Callable[[], None], on_ending: Callable[[Json], None]
    ) -> None:
        self._link = link
        self._now = platform.now
        self._on_bytes = on_bytes
        self._on_ending = on_ending
        self._connection: "Optional[asyncio.Task[None]]" = None
        self._opened_at = 0.0
        self._open_at = 0.0
        self._bytes_at = 0.0
        self._failures = 0

    def keep_open(self, session_id: str) -> None:
        """Opens the stream if it is not open and is due. Drops one that has fallen silent."""
        now = self._now()
        if self._connection and now - self._bytes_at > _STREAM_SILENCE:
            self._retry_later(_failed("silence"))
        if not self._connection and now >= self._open_at:
            self._opened_at = self._bytes_at = now
            self._connection = asyncio.ensure_future(self._follow(session_id))

    def close(self) -> None:
        if self._connection:
            self._connection.cancel()
        self._connection = None

    async def _follow(self, session_id: str) -> None:
        """Follows one connection to its end: a final event, or anything that cut it."""
        endings: List[Json] = []
        blocks = _Blocks()

        def read(exchange: _Exchange) -> None:
            if exchange.status != 200 or not exchange.streams:
                return
            self._bytes_at = self._now()
            for event in map(_read_event, blocks.take(exchange.body)):
                if not exchange.is_told(event):
                    return exchange.end("an event without a right signature")
                endings.extend(filter(None, [_read_ending(event)]))
            if endings:
                exchange.end()
            else:
                self._on_bytes()

        answer = await self._link.watch(session_id, read)
        self._connection = None
        if endings:
            self._on_ending(endings[0])
        elif answer.kind == "refused" and _read_loss(answer.body):
            self._on_ending(answer.body)
        else:
            # Any other refusal, such as of a malformed request, says nothing about the session.
            self._retry_later(answer)

    def _retry_later(self, answer: "_Answer") -> None:
        self.close()
        now = self._now()
        self._failures = 0 if now - self._opened_at > _STREAM_STEADY else self._failures + 1
        backoff = self._link.retry_delay(_failed(""), self._failures)
        self._open_at = now + max(backoff, self._link.retry_delay(answer))


class _Blocks:
    """Splits a stream at its blank lines. Reads each byte once, however small the pieces are."""

    def __init__(self) -> None:
        self._looked_at = 0
        self._line_at = 0

    def take(self, body: bytearray) -> List[bytes]:
        """Takes the whole blocks out of `body` and leaves the rest."""
        blocks: List[bytes] = []
        block_at = 0
        end = body.find(b"\n", self._looked_at)
        while end >= 0:
            if not body[self._line_at : end].rstrip(b"\r"):
                blocks.append(bytes(body[block_at:end]))
                block_at = end + 1
            self._line_at = end + 1
            end = body.find(b"\n", self._line_at)
        del body[:block_at]
        self._line_at -= block_at
        self._looked_at = len(body)
        return blocks


def _read_event(block: bytes) -> Dict[str, bytes]:
    """Its fields; none of a comment."""
    fields: Dict[str, bytes] = {}
    for line in block.splitlines():
        name, _, value = line.partition(b":")
        if name:
            fields.setdefault(name.decode("ascii", "replace"), value.strip())
    return fields


def _read_ending(fields: Dict[str, bytes]) -> Optional[Json]:
    """The body of a final event; None for anything else, a malformed final event included."""
    event = fields.get("event", b"").decode("ascii", "replace")
    body = _read_json(fields.get("data", b""))
    return {**body, "code": "session_" + event} if event in _FINAL_EVENTS and body else None


@dataclass(repr=False)
class _Answer:
    """
    The outcome of a request, always in time:

    ok       the service did it
    refused  the service itself said no, with a status and code that belong together
    failed   anything else: no connection, no answer in time, 5xx, 429, a login page, broken JSON. Says nothing about
             the session.
    """

    kind: str
    body: Json
    error: str = ""
    retry_after: float = 0.0
    cause: Optional[BaseException] = None
    # A retry would fail the same way.
    is_lasting: bool = False


def _failed(error: str, retry_after: str = "") -> _Answer:
    # Whole seconds, as the service sends, and at most a minute. A date would need the wall clock, which proves nothing.
    seconds = float(retry_after) if re.fullmatch(r"[0-9]{1,9}", retry_after) else 0.0
    return _Answer("failed", {}, error, min(seconds, 60.0))


class _Exchange:
    """A request under way. The platform reports the answer on the loop. Nothing counts after the first end."""

    def __init__(self, url: str, headers: Json, timeout: float, content: Optional[bytes] = None) -> None:
        self.url = url
        self.headers = {"User-Agent": "keybeat-python", **headers}
        # For connecting, and for each read: only a bound for the waiting thread. The loop has its own.
        self.timeout = timeout
        # None means GET.
        self.content = content
        self.on_data: "Optional[Callable[[_Exchange], None]]" = None
        self.status = 0
        self.retry_after = ""
        self.content_type = ""
        self.location = ""
        self.signature = ""
        # What a signed answer is held against; None if answers are taken without.
        self.asked: Any = None
        self.body = bytearray()
        self.bytes = 0
        self.cause: Optional[BaseException] = None
        # Resolves to what went wrong, or to "".
        self.ended: "asyncio.Future[str]" = asyncio.get_running_loop().create_future()

    @property
    def streams(self) -> bool:
        """False for a page in place of a stream."""
        return not self.content_type or self.content_type.startswith("text/event-stream")

    def head(
        self, status: int, retry_after: str, content_type: str = "", location: str = "", signature: str = ""
    ) -> None:
        self.status = status
        self.retry_after = retry_after
        self.content_type = content_type
        self.location = location
        self.signature = signature

    def is_answered(self) -> bool:
        """Whether the answer is the service's own, as far as that is asked for."""
        return not self.asked or self.asked.is_answered_by(self.status, bytes(self.body), self.signature)

    def is_told(self, event: Dict[str, bytes]) -> bool:
        """The same of the stream's next event. A comment says nothing."""
        if not self.asked or not event.keys() & {"event", "data"}:
            return True
        name, data, signature = (event.get(field, b"") for field in ("event", "data", "signature"))
        return bool(self.asked.is_told(name.decode("utf-8", "replace"), data, signature.decode("ascii", "replace")))

    def data(self, chunk: bytes) -> None:
        if self.ended.done():
            return
        # All of a stream counts: one that grows this large is reopened later.
        self.bytes += len(chunk)
        if self.bytes > _BODY_BYTES_MAX:
            self.end("too long an answer")
            return
        self.body += chunk
        if self.on_data:
            self.on_data(self)

    def end(self, error: str = "", cause: Optional[BaseException] = None) -> None:
        if not self.ended.done():
            self.cause = cause
            self.ended.set_result(error)


class _Link:
    """The way to the service."""

    def __init__(self, options: Any, platform: Any) -> None:
        self._platform = platform
        self._url = options.url + "/api/session/"
        self._request_timeout = options.request_timeout
        self._public_keys = options.public_keys
        self._watch_path = "watch?proof=true" if options.proof else "watch"

    async def post(self, path: str, body: Json, timeout: Optional[float] = None) -> _Answer:
        """One request, to its end. Neither raises nor takes longer than `timeout`; cut if the task is cancelled."""
        limit = timeout or self._request_timeout
        text = json.dumps({name: value for name, value in body.items() if value is not None})
        exchange = self._prepare(path, {"Content-Type": "application/json"}, limit + 1, text.encode())
        timer = asyncio.get_running_loop().call_later(limit, exchange.end, f"no answer within {limit:.3g} s")
        try:
            return await self._send(exchange, path)
        finally:
            timer.cancel()

    async def watch(self, session_id: str, on_data: Callable[[_Exchange], None]) -> _Answer:
        """The stream, to its end; on_data is called with every piece."""
        # In a header, as a URL is no place for a secret.
        headers = {"Accept": "text/event-stream", "Authorization": "Bearer " + session_id}
        exchange = self._prepare(self._watch_path, headers, _STREAM_SILENCE)
        exchange.on_data = on_data
        return await self._send(exchange, "watch")

    def _prepare(self, path: str, headers: Json, timeout: float, content: Optional[bytes] = None) -> _Exchange:
        exchange = _Exchange(self._url + path, headers, timeout, content)
        if self._public_keys:
            payload = headers["Authorization"].encode() if content is None else content
            method = "GET" if content is None else "POST"
            asked = _trust().Request(self._public_keys, _draw_id(), method, "/api/session/" + path, payload)
            exchange.asked = asked
            exchange.headers.update(asked.headers)
        return exchange

    async def _send(self, exchange: _Exchange, path: str) -> _Answer:
        cut = self._platform.send(exchange)
        try:
            error = await exchange.ended
        finally:
            cut()
        if not error:
            answer = _read_answer(exchange, path)
            return answer if exchange.is_answered() else _distrust(answer, exchange)
        is_lasting = getattr(exchange.cause, "reason", "") in _LASTING
        return dataclasses.replace(_failed(error), cause=exchange.cause, is_lasting=is_lasting)

    def retry_delay(self, answer: _Answer, failures: int = 0) -> float:
        """When to retry: after what the service asked for plus up to 1 s, else 1 to 3 s, longer with each failure."""
        jitter: float = self._platform.random()
        if answer.retry_after > 0:
            return answer.retry_after + jitter
        return min(2.0 ** min(failures, 10), 10.0) * (1 + 2 * jitter)


def _read_answer(exchange: _Exchange, path: str) -> _Answer:
    body = _read_json(bytes(exchange.body))
    if exchange.status == 200 and _is_reply(path, body):
        return _Answer("ok", body)
    if _REFUSAL.fullmatch(f"{exchange.status} {body.get('code')}"):
        return _Answer("refused", body)
    if 300 < exchange.status < 400:
        # The same path elsewhere: this is the way to the service, not a login page.
        there, here = (re.sub(r"^\w+://[^/]+", "", url) for url in (exchange.location, exchange.url))
        answer = _failed(f"HTTP {exchange.status}, a redirect to {exchange.location}, which is not followed")
        return dataclasses.replace(answer, is_lasting=there == here)
    what = body.get("error") or exchange.content_type
    more = f" from {exchange.url} ({what})" if exchange.status != 503 and what else ""
    return _failed(f"HTTP {exchange.status}{more}"[:300], exchange.retry_after)


def _distrust(answer: _Answer, exchange: _Exchange) -> _Answer:
    """What an answer that the service has not signed comes to. A proxy in trouble may ask for time."""
    if answer.kind != "failed":
        answer = _failed(f"HTTP {exchange.status} without a right signature from {exchange.url}"[:300])
    is_trouble = exchange.status == 429 or exchange.status >= 500
    return answer if is_trouble else dataclasses.replace(answer, retry_after=0.0)


def _is_reply(path: str, body: Json) -> bool:
    if path in ("end", "lease/return"):
        return isinstance(body.get("success"), bool)
    if path == "lease":
        return isinstance(body.get("lease"), str) and isinstance(body.get("server_time"), str)
    generation, expires_in, heartbeat_in = map(body.get, ("generation", "expires_in", "heartbeat_in"))
    if path == "watch" or body.get("success") is not True or type(generation) is not int:
        return False
    if abs(generation) > 2**53 or not {type(expires_in), type(heartbeat_in)} <= {int, float}:
        return False
    return _TIMEOUT_MIN <= expires_in < math.inf and 0 < heartbeat_in < math.inf


def _read_loss(refusal: Json) -> Optional[LostEvent]:
    """The event for a refusal; None if it ends nothing, such as a malformed request."""
    code = refusal["code"]
    ending = _ENDING_CODE.fullmatch(code)
    reason = ending.group(1) if ending else _REASONS.get(code)
    if reason is None:
        return None
    by, holder = _as_dict(refusal.get("replaced_by")), _as_dict(refusal.get("holder"))
    if not by and holder:
        by = {"started_at": holder.get("started_at"), "device": holder.get("device")}
    return LostEvent(reason, reason != "expired", by, refusal.get("ended_at"), code)


def _read_json(text: bytes) -> Json:
    """The text as an object; empty if it is not one."""
    try:
        return _as_dict(json.loads(text)) or {}
    except (ValueError, RecursionError):
        return {}


def _as_dict(value: Any) -> Optional[Json]:
    return value if isinstance(value, dict) else None


def _mask(session_id: str) -> str:
    return session_id[:8] + "…"


def _pick_clock() -> Callable[[], float]:
    """A monotonic clock that runs on while the device sleeps, if the system has one."""
    # On macOS CLOCK_MONOTONIC does, and time.monotonic() does not. On Windows time.monotonic() does.
    clock = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
    if clock is not None:
        with contextlib.suppress(OSError):
            time.clock_gettime(clock)
            return functools.partial(time.clock_gettime, clock)
    return time.monotonic


class _Platform:
    """What the client needs from the platform. A test brings its own."""

    now = staticmethod(_pick_clock())
    wall = staticmethod(time.time)
    random = staticmethod(random.random)

    def __init__(self, ssl_context: Any = None) -> None:
        self._ssl_context = ssl_context
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._caller: Optional[threading.Thread] = None
        self._calls: "queue.SimpleQueue[Optional[Callable[[], None]]]" = queue.SimpleQueue()

    def start(self, main: Callable[[], Coroutine[Any, Any, None]], finished: Callable[..., None]) -> None:
        """Runs `main` on the loop, then calls `finished` with what was raised. Raises if no thread can be started."""
        # This loop, whatever the app's default is: its waits ignore changes of the wall clock.
        loop = asyncio.SelectorEventLoop()
        # Otherwise asyncio might print its calls, and with them a session id.
        loop.set_debug(False)
        caller = threading.Thread(target=self._call_app, name="keybeat-callbacks", daemon=True)
        keeper = threading.Thread(target=self._run, args=(loop, main, finished), name="keybeat", daemon=True)
        try:
            caller.start()
            self._caller, self._loop = caller, loop
            _calling.add(self)
            keeper.start()
        except BaseException:
            self._loop = None
            loop.close()
            raise

    def _run(self, loop: Any, main: Callable[[], Coroutine[Any, Any, None]], finished: Callable[..., None]) -> None:
        trouble: Optional[BaseException] = None
        try:
            with contextlib.closing(main()) as life:
                loop.run_until_complete(life)
        except BaseException as error:
            # Another loop runs in this thread (greenlets), or memory has run out.
            log.error("the session's thread has come to an end: %r", error)
            trouble = error
        with contextlib.suppress(RuntimeError):
            loop.close()
        finished(trouble)
        self.end_calls()

    def post(self, call: Callable[[], Any]) -> None:
        """From any thread: schedules a call on the loop. Does nothing once the loop is over."""
        with contextlib.suppress(RuntimeError):
            if self._loop:
                self._loop.call_soon_threadsafe(call)

    def tell(self, call: Callable[[], None]) -> None:
        """Queues a call of the app's functions; they run one after another."""
        self._calls.put(call)
        if not self._caller:
            # No thread could be started, so call from this one.
            self.end_calls()
            self._call_app()

    def _call_app(self) -> None:
        for call in iter(self._calls.get, None):
            try:
                call()
            except Exception:
                log.exception("a callback of the app has failed")
        _calling.discard(self)

    def end_calls(self) -> None:
        """Finishes the queued calls, then makes no more."""
        self._calls.put(None)

    def stop_calls(self, until: float) -> None:
        """The same, and waits until `until` (monotonic); a callback that takes longer is left alone."""
        self.end_calls()
        if self._caller and self._caller.ident:
            self._caller.join(max(0.0, until - time.monotonic()))

    def send(self, exchange: _Exchange) -> Callable[[], None]:
        """Sends a request. Returns a function that cuts it; it may be called late and twice."""
        line = _Line()
        send = functools.partial(self._send, exchange, line)
        try:
            threading.Thread(target=send, name="keybeat-http", daemon=True).start()
        except RuntimeError:
            # While the interpreter exits, Python 3.12 starts no more threads. Then only `end` is left to do.
            if exchange.content:
                send()
            else:
                self.post(functools.partial(exchange.end, "no thread"))
        return line.cut

    def _send(self, exchange: _Exchange, line: "_Line") -> None:
        error, cause = "", None
        try:
            connection, target, headers = _prepare_connection(exchange, self._ssl_context)
            # http.client itself tries a host's addresses one after the other, each until its timeout.
            connection._create_connection = functools.partial(_connect, line)  # type: ignore[attr-defined]
            with contextlib.closing(connection), line:
                connection.request("POST" if exchange.content else "GET", target, exchange.content, headers)
                response = connection.getresponse()
                names = ("Retry-After", "Content-Type", "Location", "Keybeat-Signature")
                about = [response.getheader(name, "") for name in names]
                self.post(functools.partial(exchange.head, response.status, *about))
                # Redirects are not followed: a login page must not get the key.
                total = 0
                while total <= _BODY_BYTES_MAX:
                    chunk = response.read1(_BODY_BYTES_MAX)
                    if not chunk:
                        break
                    total += len(chunk)
                    self.post(functools.partial(exchange.data, chunk))
        except Exception as trouble:
            error, cause = f"{type(trouble).__name__}: {trouble} ({exchange.url})"[:300], trouble
        self.post(functools.partial(exchange.end, error, cause))


# RFC 8305: try the next address as well after this long without an answer.
_NEXT_ADDRESS_AFTER = 0.25


def _connect(line: "_Line", address: Tuple[str, int], timeout: float, *_: Any) -> socket.socket:
    """
    Connects to the host's address that answers first, IPv6 and IPv4 in turn: a dead one, such as with broken IPv6,
    costs a quarter of a second.
    """
    waiting = _by_turns(socket.getaddrinfo(*address, type=socket.SOCK_STREAM))
    give_up_at = time.monotonic() + timeout
    next_at = 0.0
    trouble = OSError("the host has no address")
    with contextlib.ExitStack() as stack:
        under_way = stack.enter_context(selectors.DefaultSelector())
        stack.callback(lambda: [key.fileobj.close() for key in under_way.get_map().values()])
        while waiting or under_way.get_map():
            now = time.monotonic()
            if now >= give_up_at:
                raise socket.timeout("timed out")
            if waiting and now >= next_at:
                next_at = now + _NEXT_ADDRESS_AFTER
                try:
                    under_way.register(_begin_connection(waiting.pop(0)), selectors.EVENT_WRITE)
                except OSError as error:
                    trouble, next_at = error, 0.0
            if line.is_cut:
                break
            wait = next_at if waiting else now + _NEXT_ADDRESS_AFTER
            for key, _events in under_way.select(max(0.0, min(wait, give_up_at) - now)):
                under_way.unregister(key.fileobj)
                code = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code == 0:
                    return line.hold(key.fileobj, timeout)
                key.fileobj.close()
                trouble, next_at = OSError(code, os.strerror(code)), 0.0
    raise trouble


def _by_turns(found: List[Any]) -> List[Any]:
    """The addresses, alternating between the families, in the system's order."""
    families = list(dict.fromkeys(info[0] for info in found))
    of_each = [[info for info in found if info[0] == family] for family in families]
    return [info for turn in itertools.zip_longest(*of_each) for info in turn if info]


def _begin_connection(info: Any) -> socket.socket:
    family, kind, protocol, _, address = info
    begun = socket.socket(family, kind, protocol)
    try:
        begun.setblocking(False)
        code = begun.connect_ex(address)
        if code not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
            raise OSError(code, os.strerror(code))
    except BaseException:
        begun.close()
        raise
    return begun


def _prepare_connection(exchange: _Exchange, ssl_context: Any) -> Tuple[http.client.HTTPConnection, str, Json]:
    """A connection, not open yet, by the system's proxy if there is one; what to ask for on it, and the headers."""
    url = urllib.parse.urlsplit(exchange.url)
    target = url.path + (url.query and "?" + url.query)
    proxy = _find_proxy(url)
    first = proxy or url
    host, timeout = first.hostname or "", exchange.timeout
    if url.scheme == "https":
        context = ssl_context or _system_authorities()
        tls = http.client.HTTPSConnection(host, first.port or 443, timeout=timeout, context=context)
        if proxy:
            tls.set_tunnel(url.hostname or "", url.port or 443, _proxy_authorization(proxy))
        return tls, target, exchange.headers
    plain = http.client.HTTPConnection(host, first.port or 80, timeout=timeout)
    if proxy:
        return plain, exchange.url, {**exchange.headers, **_proxy_authorization(proxy)}
    return plain, target, exchange.headers


def _find_proxy(url: urllib.parse.SplitResult) -> Optional[urllib.parse.SplitResult]:
    """By HTTPS_PROXY, HTTP_PROXY and NO_PROXY; on Windows and macOS by the system's settings. Read anew each time."""
    proxy = urllib.request.getproxies().get(url.scheme)
    if not proxy or urllib.request.proxy_bypass(url.netloc.rpartition("@")[2]):
        return None
    return urllib.parse.urlsplit(proxy if "://" in proxy else "//" + proxy)


def _proxy_authorization(proxy: urllib.parse.SplitResult) -> Dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{urllib.parse.unquote(proxy.username)}:{urllib.parse.unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


# Reading them takes a moment.
_system_authorities = functools.lru_cache(maxsize=None)(ssl.create_default_context)


class _Line:
    """One request's connection, which another thread may cut at any point, even in the TLS handshake."""

    def __init__(self) -> None:
        self.is_cut = False
        self._lock = threading.Lock()
        # A second reference to the connection, as TLS takes over the first.
        self._handle: Optional[socket.socket] = None

    def hold(self, its_socket: socket.socket, timeout: float) -> socket.socket:
        its_socket.settimeout(timeout)
        with self._lock:
            if not self.is_cut:
                self._handle = its_socket.dup()
                return its_socket
        its_socket.close()
        raise ConnectionAbortedError("not wanted any more")

    def cut(self) -> None:
        with self._lock:
            self.is_cut = True
            if self._handle:
                with contextlib.suppress(OSError):
                    # Wakes the reading thread, which close() would not.
                    self._handle.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "_Line":
        return self

    def __exit__(self, *exception: Any) -> None:
        with self._lock:
            if self._handle:
                self._handle.close()
                self._handle = None


_sessions: Set[Session] = set()
_calling: Set[_Platform] = set()


def _end_at_exit(session: Session) -> None:
    _sessions.add(session)
    _follow_process()


@functools.lru_cache(maxsize=None)
def _follow_process() -> None:
    """Runs once: importing this file does nothing."""
    atexit.register(_end_sessions)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_leave_sessions)


def _end_sessions() -> None:
    """At interpreter exit: daemon threads still run, and all sessions are ended at the same time."""
    ending = [session for session in list(_sessions) if session._options.end_at_exit or session.state == "ended"]
    for session in ending:
        session.end(wait=False)
    until = time.monotonic() + _END_WITHIN + 0.5
    for session in ending:
        session._finished.wait(max(0.0, until - time.monotonic()))
    # A daemon thread that holds stdout while the interpreter finalizes makes it end with "Fatal Python error".
    until = time.monotonic() + 0.5
    for platform in list(_calling):
        platform.stop_calls(until)


def _leave_sessions() -> None:
    """In a forked child."""
    for session in list(_sessions):
        session._forked()
    _sessions.clear()
    _calling.clear()
