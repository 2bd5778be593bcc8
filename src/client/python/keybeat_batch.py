"""
Keybeat's batch sessions for Python: works through many nodes, reports each result, and stops all of them the moment the
run is cancelled, taken over or past its limit.

One file to copy into your app. Python 3.8 or later, nothing but the standard library.

    from keybeat_batch import run_batch

    session = run_batch(url="https://keys.example.com", canvas_path="courses/algebra.canvas", nodes=["page-1", "page-2"],
                        run=lambda node, context: translate(node))
    print(session["status"], session["failed_nodes"])

What it promises:
- One result is kept a node, whatever is killed, cut or lost on the way: the same report is sent until it is answered.
- An outage loses nothing, and at most `concurrency` results wait in memory: a node's place is free for the next one only
  when its result is kept.
- After it was cancelled, taken over or past its limit it reports nothing more, and `context.cancelled` tells the nodes.

How it works: `concurrency` daemon threads run the nodes (or wait for their coroutines) and report them. One more beats, so
that nodes may take as long as they like, and one follows the service's events. The thread that called only waits.
It logs to logging.getLogger("keybeat"), never a token or a whole session id.
"""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import errno
import functools
import http.client
import itertools
import json
import logging
import math
import os
import random
import re
import selectors
import signal
import socket
import ssl
import threading
import time
import traceback
import types
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Awaitable, Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple
from urllib.parse import quote, urlsplit

__all__ = ["run_batch", "run_batch_async", "follow_batch", "BatchContext", "BatchError"]

log = logging.getLogger("keybeat")
# Otherwise warnings would go to stderr in an app without logging.
log.addHandler(logging.NullHandler())

Json = Dict[str, Any]


class BatchError(Exception):
    """
    `code` is for the program, the message for a person, `data` the service's answer beyond them and the `session_id`.

    - session_over: somebody or something ended the run; data["status"] and data["ended_reason"] say how.
    - attempt_replaced: another worker has taken the run; data["holder"] says which.
    - session_not_found: there is no such run (any more). claimed: another worker has it, and on_conflict is "refuse".
    - too_many_nodes, unknown_node: the run to resume has other nodes than these.
    - unauthorized: the token is wrong. invalid_request: see data["issues"].
    - unreachable: no answer for five minutes at the beginning, or none possible, such as with a bad certificate.
    """

    def __init__(self, code: str, message: str, data: Optional[Json] = None) -> None:
        super().__init__(message)
        self.code = code
        self.data: Json = data or {}


@dataclass(frozen=True)
class BatchContext:
    """
    What a node is told of its run.

    cancelled  set once the run is over for this worker: stop, as whatever the node still returns counts for nothing
    attempt    the fencing token: it only rises for a run, so a backend can refuse an outdated worker
    """

    session_id: str
    attempt: int
    cancelled: threading.Event


def run_batch(
    *, url: str, nodes: Iterable[str], run: Callable[[str, BatchContext], Any], canvas_path: Optional[str] = None,
    concurrency: int = 12, resume: Optional[str] = None, on_progress: Optional[Callable[[Json], Any]] = None,
    token: Optional[str] = None, worker: Optional[str] = None, metadata: Optional[Json] = None,
    timeout_seconds: Optional[int] = None, on_conflict: str = "refuse",
    ssl_context: Optional[ssl.SSLContext] = None,
) -> Json:
    """
    Works through the nodes, each in a thread, and ends the run as its results say. Returns the session, without results:
    its `status` is completed, partial_failure (some nodes failed) or failed (all did).

    url              where the service is, such as "https://keys.example.com"; a path after the host is kept
    nodes            their ids, each once
    run              does one node and returns its result, anything that JSON can say, up to 256 KiB. If it raises, the
                     node has failed, and the others go on. Long work should look at `context.cancelled`.
    canvas_path      names what is worked on; not needed with `resume`
    concurrency      how many nodes at once
    resume           the id of a run to go on with: one that ended is resumed, one that is live is claimed. Only nodes
                     without success are run.
    on_progress      called at the beginning and after each result, one call at a time, with {"session_id", "node_id",
                     "status", "completed_nodes", "failed_nodes", "total_nodes", "progress_percent"}
    token            the service's BATCH_TOKEN, if it wants one
    worker           a name to show; whoever has the same name may take the run. Default: one that nobody else has
    metadata         an object that the session keeps
    timeout_seconds  a limit for the whole run, 60 to 86,400; then it fails
    on_conflict      the run to resume is live, and its worker was heard of in the last minute: "refuse" (raise `claimed`)
                     or "replace" (take it over)
    ssl_context      for a certificate authority of your own; default: the system's

    Raises BatchError (see there for the codes) when the run was lost, or never began; a wrong argument is a ValueError. At
    Ctrl-C (and SIGTERM, in the main thread, if the app does not handle it) the run is ended as cancelled, in 10 s at most,
    and KeyboardInterrupt goes on; any other exception that is raised into this thread does the same.
    """
    batch = _Batch(types.SimpleNamespace(**locals()), run)
    with contextlib.closing(batch), _sigterm_interrupts():
        try:
            batch.start()
            while not batch.ended.done():
                # In slices, as on Windows a waiting thread gets no Ctrl-C.
                concurrent.futures.wait([batch.ended], _TICK)
        except BaseException:
            batch.interrupt()
            concurrent.futures.wait([batch.ended], _END_WITHIN)
            raise
        return batch.ended.result()


async def run_batch_async(
    *, url: str, nodes: Iterable[str], run: Callable[[str, BatchContext], Awaitable[Any]],
    canvas_path: Optional[str] = None, concurrency: int = 12, resume: Optional[str] = None,
    on_progress: Optional[Callable[[Json], Any]] = None, token: Optional[str] = None, worker: Optional[str] = None,
    metadata: Optional[Json] = None, timeout_seconds: Optional[int] = None, on_conflict: str = "refuse",
    ssl_context: Optional[ssl.SSLContext] = None,
) -> Json:
    """
    As run_batch, with a coroutine function: its tasks, and on_progress, run on the loop that this is called from. When the
    run is over for this worker the tasks are cancelled. Cancelling this one, as Ctrl-C does under asyncio.run, ends the run
    as cancelled.
    """
    options = types.SimpleNamespace(**locals())
    loop = asyncio.get_running_loop()
    tasks: "Set[asyncio.Task[Any]]" = set()

    def post(call: Callable[..., Any], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(call, *arguments)

    async def run_node(node: str, context: BatchContext) -> Any:
        task: Any = asyncio.current_task()
        tasks.add(task)
        try:
            if context.cancelled.is_set():
                raise asyncio.CancelledError
            return await run(node, context)
        finally:
            tasks.discard(task)

    options.on_progress = on_progress and functools.partial(post, on_progress)
    batch = _Batch(options, lambda *node: asyncio.run_coroutine_threadsafe(run_node(*node), loop).result())
    batch.on_stop = lambda: post(lambda: [task.cancel() for task in tasks])
    ended = asyncio.wrap_future(batch.ended)
    ended.add_done_callback(lambda _: ended.cancelled() or ended.exception())
    with contextlib.closing(batch), _sigterm_interrupts():
        try:
            batch.start()
            await asyncio.wait([ended])
        except BaseException:
            batch.interrupt()
            await asyncio.wait([ended], timeout=_END_WITHIN)
            raise
        return ended.result()


def follow_batch(url: str, session_id: str, *, ssl_context: Optional[ssl.SSLContext] = None) -> Iterator[Json]:
    """
    How a run stands, now and after every change, until it is over; no gap when the connection breaks, however long. Each is
    the session as the service shows it, but that events bring no results: what became of a node since is in `node_results`
    (one dict that the states share, empty beyond 1,000 nodes) without its `result`. Raises BatchError, such as
    session_not_found.
    """
    state: Json = {}
    with contextlib.closing(_Link(_check_url(url), None, ssl_context)) as link:
        for event, told in link.follow(_path(session_id, "/events"), "-1"):
            state = _fold(state, event, told)
            if state:
                yield state
            if event == "complete":
                return


# ---------------------------------------------------------------------------------------------------------------------
# The rest is not for the app. Times are in seconds, by time.monotonic() unless stated otherwise.

_TICK = 0.25
_REQUEST_TIMEOUT = 10.0
# A page of a hundred results, 25 MiB at most.
_PAGE_TIMEOUT = 60.0
_BODY_BYTES_MAX = 64 * 1_048_576
_RESULT_BYTES_MAX = 256 * 1024
_ERROR_MAX = 10_000
_START_TIMEOUT = 300.0
_END_WITHIN = 10.0
# How long nodes that are under way when the run is over are waited for.
_NODES_STOP_WITHIN = 5.0
# The service writes a comment to a stream every 15 s.
_STREAM_SILENCE = 45.0
# Reasons of an ssl.SSLError: a bad certificate, a port that does not speak TLS.
_LASTING = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "HTTP_REQUEST")

# What counts as the service's own answer. A proxy's 404 or a hotel login page's 403 does not.
_REFUSAL = re.compile(
    "400 invalid_request|401 unauthorized|404 (session_not_found|not_found)|409 [a-z_]+"
    "|413 payload_too_large|415 unsupported_media_type"
)
# After these there is nothing left to say to the service.
_LOST = ("session_over", "attempt_replaced", "session_not_found", "not_found", "unauthorized", "unreachable")
# Of a result: the node can still be reported without it.
_UNFIT = ("invalid_request", "payload_too_large", "run_full")


class _Batch:
    """A run, from its making to its end. `call` does one node, in any thread, and returns its result."""

    def __init__(self, options: Any, call: Callable[..., Any]) -> None:
        _check(options)
        self._options = options
        self._call = call
        self._link = _Link(options.url, options.token, options.ssl_context)
        self._contextvars = contextvars.copy_context()
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        self._session: Json = {}
        self._attempt = 0
        self._deadline = math.inf
        self._nodes: Iterator[str] = iter(())
        self._counts = {"completed_nodes": 0, "failed_nodes": 0}
        self._error: Optional[BaseException] = None
        # How the run is to be ended for that error; None: it is not, as it is over, or another worker's.
        self._ending: Optional[str] = None
        self._completing = False
        self._stopped_at = math.inf
        # From when on nothing is tried again.
        self._until = math.inf
        # The nodes are to stop.
        self._cancelled = threading.Event()
        # Nothing more is to be sent.
        self._over = threading.Event()
        self._beat_now = threading.Event()
        self.ended: "concurrent.futures.Future[Json]" = concurrent.futures.Future()
        self.on_stop: Callable[[], Any] = lambda: None

    def start(self) -> None:
        for target in (self._live, self._tick):
            self._thread(target)

    def interrupt(self) -> None:
        """Ends the run as cancelled, whatever state it is in."""
        self._until = time.monotonic() + _END_WITHIN
        self._stop(BatchError("session_over", "stopped by its worker"), "cancelled")

    def close(self) -> None:
        for event in (self._over, self._cancelled, self._beat_now):
            event.set()
        self._link.close()

    def _thread(self, target: Callable[[], Any]) -> threading.Thread:
        thread = threading.Thread(target=target, name="keybeat-batch", daemon=True)
        thread.start()
        return thread

    def _tick(self) -> None:
        while not self._over.wait(_TICK):
            self._link.cut_overdue()
            if time.monotonic() > self._deadline:
                data = self._about({"status": "failed", "ended_reason": "deadline"})
                self._stop(BatchError("session_over", "The session is past its limit", data))

    def _live(self) -> None:
        threads: List[threading.Thread] = []
        try:
            self._begin()
            if self._attempt and not self._cancelled.is_set():
                threads = [self._thread(self._beat), self._thread(self._watch)]
                self._work_through()
        except Exception as error:
            self._fail(error)
        try:
            self._end()
        except Exception as error:
            self._error = self._error or error
        self.close()
        for thread in threads:
            thread.join(1.0)
        if self._error:
            self.ended.set_exception(self._error)
        else:
            self.ended.set_result(self._session)

    def _begin(self) -> None:
        """Makes the run, or finds the one to go on with, and claims it."""
        options = self._options
        start = functools.partial(self._send, give_up_at=time.monotonic() + _START_TIMEOUT)
        if not options.resume:
            request = {"canvas_path": options.canvas_path, "node_count": len(options.nodes)}
            request.update(metadata=options.metadata, timeout_seconds=options.timeout_seconds)
            self._session = start("POST", "", request, headers={"Idempotency-Key": str(uuid.uuid4())})
        worker = options.worker or f"{socket.gethostname()[:60]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        claim = {"worker": worker, "on_conflict": options.on_conflict if options.resume else "refuse"}
        session: Json = {}
        while not session:
            if options.resume:
                self._session = self._resume(options.resume, start)
            if self._session["status"] == "completed" or self._cancelled.is_set():
                return
            if len(options.nodes) > self._session["node_count"]:
                raise BatchError("too_many_nodes", f"the run has {self._session['node_count']} nodes", self._about({}))
            try:
                self._session = session = start("POST", self._path("/claim"), claim)
            except BatchError as error:
                # It has ended meanwhile, so it is to be resumed.
                if error.code != "session_over" or not options.resume:
                    raise
        self._attempt = session["attempt"]
        if session["deadline_at"]:
            # The service's own word usually comes first.
            self._deadline = time.monotonic() + 1.0 + _seconds(session["deadline_at"]) - _seconds(session["updated_at"])
        log.info("batch %.8s…: attempt %s", session["session_id"], self._attempt)

    def _resume(self, session_id: str, start: Callable[..., Json]) -> Json:
        """That run if it is not over, else the one that resumes it."""
        while True:
            try:
                session = start("POST", _path(session_id, "/resume"))
            except BatchError as error:
                if error.code != "not_resumable":
                    raise
                return start("GET", _path(session_id, "?results=false"))
            if session["completed_at"] is None:
                return session
            session_id = session["session_id"]

    def _work_through(self) -> None:
        """Runs all nodes that have no success yet, and returns when no more are under way, or those do not stop."""
        known = self._read_successes() if self._session["completed_nodes"] else set()
        todo = [node for node in self._options.nodes if node not in known]
        self._nodes = iter(todo)
        self._counts["completed_nodes"] = len(known)
        self._tell(None, None)
        context = BatchContext(self._session["session_id"], self._attempt, self._cancelled)
        places = range(min(self._options.concurrency, len(todo)))
        working = [self._thread(functools.partial(self._contextvars.copy().run, self._work, context)) for _ in places]
        for thread in working:
            while thread.is_alive() and time.monotonic() < self._stopped_at + _NODES_STOP_WITHIN:
                thread.join(_TICK)

    def _read_successes(self) -> Set[str]:
        known: Set[str] = set()
        cursor: Optional[str] = ""
        while cursor is not None:
            page = self._send("GET", self._path("/nodes?status=success&limit=100" + cursor), timeout=_PAGE_TIMEOUT)
            known.update(node["node_id"] for node in page["nodes"])
            cursor = page["next_cursor"] and "&cursor=" + quote(page["next_cursor"], safe="")
        return known

    def _work(self, context: BatchContext) -> None:
        """The life of one place: a node after the other, each reported before the next."""
        while not self._cancelled.is_set():
            with self._lock:
                node = next(self._nodes, None)
            if node is None:
                return
            try:
                report = self._run_node(node, context)
                if report:
                    self._report(node, report)
            except Exception as error:
                self._fail(error)

    def _run_node(self, node: str, context: BatchContext) -> Optional[Json]:
        """The node's report; None if the run was over for this worker before the node was."""
        wall, began = time.time(), time.monotonic()
        try:
            report = {"status": "success", "result": self._call(node, context)}
        except BaseException as error:
            if not isinstance(error, Exception) or isinstance(error, concurrent.futures.CancelledError):
                # Perhaps Ctrl-C has reached the node's task before it has reached the run.
                self._cancelled.wait(1.0)
            report = _failure(_describe(error))
        # One reading of the wall clock, which may be set while the node runs.
        times = {"started_at": _moment(wall), "completed_at": _moment(wall + time.monotonic() - began)}
        return None if self._cancelled.is_set() else {**report, **times, "attempt": self._attempt}

    def _report(self, node: str, report: Json) -> None:
        put = functools.partial(self._send, "PUT", self._path("/nodes/" + quote(node, safe="")))
        try:
            put(_encode(report))
        except BatchError as error:
            if error.code not in _UNFIT or report.pop("result", self) is self:
                raise
            report.update(_failure(str(error)))
            put(_encode(report))
        self._tell(node, report["status"])

    def _tell(self, node: Optional[str], status: Optional[str]) -> None:
        """Tells the app how far it is."""
        with self._telling:
            if status:
                self._counts["completed_nodes" if status == "success" else "failed_nodes"] += 1
            total = self._session["node_count"]
            percent = math.floor(10_000 * sum(self._counts.values()) / total) / 100 if total else 0.0
            about = {"node_id": node, "status": status, **self._counts, "total_nodes": total, "progress_percent": percent}
            try:
                if self._options.on_progress:
                    self._options.on_progress(self._about(about))
            except BaseException:
                log.exception("on_progress has failed")

    def _beat(self) -> None:
        """Tells the service that this worker lives, as often as it wants to hear it."""
        delay = 0.0
        while True:
            self._beat_now.wait(delay)
            self._beat_now.clear()
            if self._over.is_set():
                return
            try:
                delay = self._send("POST", self._path("/progress"), {"attempt": self._attempt}).get("report_in")
            except Exception as error:
                return self._fail(error)
            delay = max(0.1, min(delay, 60.0)) if isinstance(delay, (int, float)) else 10.0

    def _watch(self) -> None:
        """Learns at once that the run is over, or another worker's; a beat tells what was before the stream began."""
        try:
            for event, told in self._link.follow(self._path("/events"), None, self._beat_now.set):
                data = _as_dict(told.get("data")) or {}
                if event == "complete":
                    self._stop(BatchError("session_over", f"The session is over: {data.get('status')}", self._about(data)))
                elif event == "attempt" and data.get("attempt", 0) > self._attempt:
                    message, about = "Another worker has claimed the session since", self._about({"holder": data})
                    self._stop(BatchError("attempt_replaced", message, about))
        except BatchError:
            # A beat tells that too, and whether it counts.
            self._beat_now.set()

    def _fail(self, error: Exception) -> None:
        self._stop(error, None if getattr(error, "code", "") in _LOST else "failed")

    def _stop(self, error: BaseException, ending: Optional[str] = None) -> None:
        """The run goes no further. Only the first reason counts, and none once it is being completed."""
        with self._lock:
            if self._error or self._completing:
                return
            self._error, self._ending, self._stopped_at = error, ending, time.monotonic()
        log.warning("batch %.8s…: %s", self._session.get("session_id", "?"), error)
        self._cancelled.set()
        if ending is None:
            self._over.set()
            self._link.close()
        self.on_stop()

    def _end(self) -> None:
        """Ends the run at the service, if that is ours to do."""
        with self._lock:
            self._completing = self._error is None
        request: Json = {"attempt": self._attempt}
        if self._completing and self._attempt:
            try:
                self._session = self._send("POST", self._path("/complete"), request)
            except BatchError as error:
                # It may have been carried out, and its answer lost.
                if error.data.get("ended_reason") != "reported" or error.data.get("attempt") != self._attempt:
                    raise
                self._session = self._send("GET", self._path("?results=false"))
        elif self._ending and self._session and (self._attempt or not self._options.resume):
            request.update(status=self._ending, error_message=str(self._error)[:_ERROR_MAX])
            with contextlib.suppress(BatchError):
                self._send("POST", self._path("/transition"), request)

    def _send(
        self, method: str, path: str, body: Any = None, *, headers: Optional[Json] = None,
        give_up_at: float = math.inf, timeout: float = _REQUEST_TIMEOUT,
    ) -> Json:
        """Sends the same until the service answers. Raises its refusal, or `unreachable` if the run is over before."""
        if isinstance(body, dict):
            body = json.dumps({name: value for name, value in body.items() if value is not None}).encode()
        for failures in itertools.count():
            try:
                if self._over.is_set():
                    raise _Failed("the run is over")
                return self._link.ask(method, path, body, headers or {}, timeout)
            except BatchError as error:
                error.data = self._about(error.data)
                raise
            except _Failed as failed:
                log.debug("batch: %s: %s", method, failed)
                delay = failed.retry_delay(failures)
                is_lasting = failed.is_lasting and give_up_at < math.inf
                if is_lasting or time.monotonic() + delay > min(give_up_at, self._until) or self._over.wait(delay):
                    raise BatchError("unreachable", str(failed), self._about({})) from failed.__cause__
        raise AssertionError("not reached")

    def _path(self, rest: str) -> str:
        return _path(self._session["session_id"], rest)

    def _about(self, data: Json) -> Json:
        return {**data, "session_id": self._session.get("session_id")}


def _check(options: Any) -> None:
    options.url = _check_url(options.url)
    if isinstance(options.nodes, (str, bytes)):
        raise ValueError("nodes must be a list of ids")
    options.nodes = list(options.nodes)
    for node in options.nodes:
        if not isinstance(node, str) or not node.strip() or len(node) > 500 or node in (".", "..") or "\0" in node:
            raise ValueError(f"nodes must be strs of 1 to 500 characters, not blank, '.' or '..': {node!r:.80}")
    if len(set(options.nodes)) < len(options.nodes):
        raise ValueError("nodes must hold each id once")
    if not isinstance(options.concurrency, int) or options.concurrency < 1:
        raise ValueError("concurrency must be a whole number from 1")
    if options.on_conflict not in ("replace", "refuse"):
        raise ValueError('on_conflict must be "replace" or "refuse"')
    if not options.resume and not options.canvas_path:
        raise ValueError("canvas_path must name what is worked on")


def _check_url(given: str) -> str:
    """The service's URL without a trailing slash."""
    url = str(given).strip().rstrip("/")
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname or re.search(r"\s|[?#@]|/api/v1", url):
        raise ValueError('url must be as in "https://keys.example.com"')
    return url


def _path(session_id: str, rest: str) -> str:
    return "/" + quote(session_id, safe="") + rest


def _encode(report: Json) -> bytes:
    try:
        content = json.dumps(report, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BatchError("invalid_request", f"the result is no JSON: {_describe(error)}") from error
    if len(content) > _RESULT_BYTES_MAX:
        raise BatchError("payload_too_large", f"the result has {len(content)} bytes, and may have {_RESULT_BYTES_MAX}")
    return content


def _failure(error: str) -> Json:
    # What the service could not keep: NUL, and half of a surrogate pair.
    return {"status": "failed", "error": error.replace("\0", "").encode("utf-8", "replace").decode()[:_ERROR_MAX]}


def _describe(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(type(error), error)).strip()


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _seconds(moment: str) -> float:
    return datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc).timestamp()


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """In the main thread of an app that leaves SIGTERM alone it is a Ctrl-C meanwhile."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


# More the service does not show at once either.
_SHOWN_RESULTS_MAX = 1_000
_COUNTS = ("completed_nodes", "failed_nodes", "skipped_nodes", "progress_percent")
_OF_END = ("status", "ended_reason", "error_message", "resumed_as")


def _fold(state: Json, event: str, told: Json) -> Json:
    """The state after an event; empty as long as none is known."""
    data, at = _as_dict(told.get("data")) or {}, told.get("timestamp")
    if event == "reset" or not state:
        return data if event == "reset" else {}
    state = {**state, "updated_at": at, **{name: data[name] for name in _COUNTS if name in data}}
    if event == "progress":
        state["message"] = data.get("message")
    elif event in ("started", "attempt"):
        state.update(status="running", started_at=state["started_at"] or at, attempt=data.get("attempt"))
        state["worker"] = data.get("worker", state["worker"])
    elif event == "node_complete" and not state["node_results_truncated"]:
        node = {"node_id": data.get("node_id"), "status": data.get("status"), "error": data.get("error"), "result": None}
        node.update(started_at=None, completed_at=None, execution_time_ms=None, carried=data.get("carried", False))
        state["node_results"][node["node_id"]] = node
        if len(state["node_results"]) > _SHOWN_RESULTS_MAX:
            state.update(node_results={}, node_results_truncated=True)
    elif event == "complete":
        state.update({name: data[name] for name in _OF_END if name in data}, completed_at=at)
        state.update(silent_until=None, estimated_completion=None)
    return state


class _Failed(Exception):
    """No connection, no answer in time, 5xx, 429, a login page, broken JSON: says nothing about the run."""

    def __init__(self, error: str, retry_after: str = "", is_lasting: bool = False) -> None:
        super().__init__(error[:300])
        # Whole seconds, as the service sends. A date would need the wall clock, which proves nothing.
        self._retry_after = float(retry_after) if re.fullmatch(r"[0-9]{1,9}", retry_after) else 0.0
        # A retry would fail the same way.
        self.is_lasting = is_lasting

    def retry_delay(self, failures: int) -> float:
        """When to retry: after what the service asked for plus up to 1 s, else later with each failure."""
        if self._retry_after > 0:
            return min(self._retry_after, 60.0) + random.random()
        return min(0.25 * 2.0 ** min(failures, 10), 3.0) * (1 + random.random())


class _Link:
    """The way to the service. Any thread may use it."""

    def __init__(self, url: str, token: Optional[str], ssl_context: Any) -> None:
        self._url = url + "/api/v1/batch/sessions"
        self._headers = {"User-Agent": "keybeat-python"}
        if token:
            self._headers["Authorization"] = "Bearer " + token.strip()
        self._ssl_context = ssl_context
        self._lock = threading.Lock()
        # What is under way, and when it is cut.
        self._lines: "Dict[_Line, float]" = {}
        self._closed = threading.Event()

    def ask(self, method: str, path: str, content: Optional[bytes], headers: Json, timeout: float) -> Json:
        """One request, to its end. Raises BatchError, a refusal, or _Failed; in time, if cut_overdue is called."""
        headers = {"Content-Type": "application/json", **headers} if content else headers
        with self._open(method, path, content, headers, timeout, timeout) as response:
            return _read_answer(response, self._url)

    def follow(
        self, path: str, last_id: Optional[str], on_open: Callable[[], None] = lambda: None
    ) -> Iterator[Tuple[str, Json]]:
        """The events after that id (None: from now on), on as many connections as it takes. Raises BatchError, a refusal."""
        failures = 0
        while not self._closed.is_set():
            headers = {"Accept": "text/event-stream"}
            if last_id is not None:
                headers["Last-Event-ID"] = last_id
            try:
                with self._open("GET", path, None, headers, _STREAM_SILENCE, math.inf) as response:
                    if response.status == 204:
                        return
                    if response.status != 200 or not response.getheader("Content-Type", "").startswith("text/event-stream"):
                        _read_answer(response, self._url)
                        raise _Failed("no stream")
                    on_open()
                    for event_id, event, told in _read_events(response):
                        failures, last_id = 0, event_id or last_id
                        yield event, told
                failed = _Failed("the stream was cut")
            except _Failed as trouble:
                failed = trouble
            log.debug("batch: events: %s", failed)
            self._closed.wait(failed.retry_delay(failures))
            failures += 1

    def cut_overdue(self) -> None:
        now = time.monotonic()
        self._cut(lambda until: until < now)

    def close(self) -> None:
        """Cuts whatever is under way."""
        self._closed.set()
        self._cut(lambda _: True)

    def _cut(self, which: Callable[[float], bool]) -> None:
        with self._lock:
            chosen = [line for line, until in self._lines.items() if which(until)]
        for line in chosen:
            line.cut()

    @contextlib.contextmanager
    def _open(
        self, method: str, path: str, content: Optional[bytes], headers: Json, silence: float, timeout: float
    ) -> Iterator[http.client.HTTPResponse]:
        """The head of an answer; whatever goes wrong until it is read is _Failed."""
        line = _Line()
        request = urllib.request.Request(self._url + path, content, {**self._headers, **headers}, method=method)
        with self._lock:
            self._lines[line] = time.monotonic() + timeout
        try:
            if self._closed.is_set():
                line.cut()
            with line, contextlib.closing(_dial(line, self._ssl_context).open(request, timeout=silence)) as response:
                yield response
        except (OSError, http.client.HTTPException, ValueError) as trouble:
            cause: Any = getattr(trouble, "reason", trouble) if isinstance(trouble, urllib.error.URLError) else trouble
            what = f"no answer within {timeout:.3g} s" if line.is_cut else f"{type(cause).__name__}: {cause}"
            address = urlsplit(self._url)
            # A ValueError: a token, say, that no header can hold.
            lasting = getattr(cause, "reason", "") in _LASTING or (isinstance(cause, ValueError) and not line.is_cut)
            raise _Failed(f"{what} ({address.scheme}://{address.netloc})", is_lasting=lasting) from cause
        finally:
            with self._lock:
                del self._lines[line]


def _read_answer(response: http.client.HTTPResponse, url: str) -> Json:
    """The service's answer. Raises BatchError if it is a refusal, and _Failed if it is somebody else's."""
    body, status = _read_json(response.read(_BODY_BYTES_MAX)), response.status
    if status in (200, 201) and body.keys() & {"session_id", "node_id", "nodes"}:
        return body
    if _REFUSAL.fullmatch(f"{status} {body.get('code')}"):
        raise BatchError(body["code"], str(body.get("error")), body)
    if 300 < status < 400:
        location = response.getheader("Location", "")
        # The same path elsewhere: this is the way to the service, not a login page.
        lasting = urlsplit(url).path in location
        raise _Failed(f"HTTP {status}, a redirect to {location}, which is not followed", is_lasting=lasting)
    what = body.get("error") or response.getheader("Content-Type", "")
    raise _Failed(f"HTTP {status} ({what})" if what else f"HTTP {status}", response.getheader("Retry-After", ""))


def _read_events(response: http.client.HTTPResponse) -> Iterator[Tuple[Optional[str], str, Json]]:
    """The id, name and data of each event, until the stream is cut."""
    fields: Dict[bytes, bytes] = {}
    while True:
        line = response.readline(_BODY_BYTES_MAX)
        if not line.endswith(b"\n"):
            return
        name, _, value = line.strip(b"\r\n").partition(b":")
        fields.setdefault(name, value.strip())
        if line.strip(b"\r\n"):
            continue
        event, event_id = (fields.get(name, b"").decode("utf-8", "replace") for name in (b"event", b"id"))
        data = _read_json(fields.get(b"data", b""))
        fields = {}
        if event and data:
            yield event_id or None, event, data


def _read_json(text: bytes) -> Json:
    """The text as an object; empty if it is not one."""
    try:
        return _as_dict(json.loads(text)) or {}
    except (ValueError, RecursionError):
        return {}


def _as_dict(value: Any) -> Optional[Json]:
    return value if isinstance(value, dict) else None


def _dial(line: "_Line", ssl_context: Any) -> urllib.request.OpenerDirector:
    """
    Opens requests by the system's proxy, if there is one: by HTTPS_PROXY, HTTP_PROXY and NO_PROXY; on Windows and macOS by
    the system's settings. Redirects are not followed: a login page must not get a token or a result.
    """
    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(_Dialler(line, ssl_context))
    return opener


class _Dialler(urllib.request.AbstractHTTPHandler):
    def __init__(self, line: "_Line", ssl_context: Any) -> None:
        super().__init__()
        self._line = line
        self._ssl_context = ssl_context

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(functools.partial(self._make, http.client.HTTPConnection), request)

    def https_open(self, request: urllib.request.Request) -> Any:
        context = self._ssl_context or _system_authorities()
        return self.do_open(functools.partial(self._make, http.client.HTTPSConnection, context=context), request)

    def _make(self, kind: Any, host: str, **options: Any) -> Any:
        connection = kind(host, **options)
        # http.client itself tries a host's addresses one after the other, each until its timeout.
        connection._create_connection = functools.partial(_connect, self._line)
        return connection


# Reading them takes a moment.
_system_authorities = functools.lru_cache(maxsize=None)(ssl.create_default_context)


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
