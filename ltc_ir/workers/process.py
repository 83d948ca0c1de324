"""A worker: a Python process of ours that runs one job after the other, with deadline and memory limit, and dies alone."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import IO, Any, Protocol

from ltc_ir.errors import error_of
from ltc_ir.workers.guard import DEADLINE
from ltc_ir.workers.limits import DeadlineError, Limits, MemoryLimitError, WorkerDiedError, resident_bytes
from ltc_ir.workers.protocol import Frames, GarbledError, Message, frame

POLL_S = 0.2
"""Seconds between two looks at a process: at its memory, and whether it has ended while a copy of it holds its pipes."""
EXIT_S = 5.0
"""Seconds that a process may take to exit once it has closed its answers."""
END_S = 2.0
"""Seconds that the process which watches a worker may take to end it; after that it is killed."""
_CHUNK = 1 << 20
_LAST_WORDS = 1 << 16
_MAIN = (
    "import sys; from ltc_ir.workers.guard import start; bond = start(sys.argv[1]); "
    "from ltc_ir.workers.child import main; main(sys.argv[1], bond)"
)


class JobBugError(RuntimeError):
    """A job failed with an error that is not for users; the message is the traceback in the job's process."""


def environment_of(**more: str) -> dict[str, str]:
    """The environment of a child process: this one's with its import path, and ``more``."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry), **more}


class Process(Protocol):
    """What a worker needs of its process: the ends of its pipes, and its life; ``worker`` is its number, once it is known."""

    requests: int
    answers: int
    worker: int | None

    def tell_deadline(self, seconds: float | None) -> None:
        """Tell who watches it how long it may go on."""

    def has_exited(self) -> bool:
        """Whether it has ended."""

    def death(self, wait_s: float = EXIT_S) -> WorkerDiedError:
        """How it ended; one that does not exit is killed."""

    def kill(self) -> None:
        """End it and all that it started."""


class Worker:
    """A process that runs jobs one at a time: started by the first, and again by the next one after a job that ended it.

    It has this process's import path and leads a session, so that a key pressed here interrupts this process only. What
    it prints goes to standard error. It is killed, with all that it started, when it is closed and when this process ends:
    by a third process, which only watches both, and which knows the deadline too.

    Args:
        limits: what each job may take.
        hear: is called with each value that a job tells of its progress.
        environment: variables that its environment has besides this one's.
        quiet: keep what it prints for `WorkerDiedError.last_words` instead of printing it.
        start: makes the process, as `forked.Server.start` does; where ``None`` it is a new Python, and the two arguments
            before this one are about it.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        hear: Callable[[Any], None] = lambda _value: None,
        environment: Mapping[str, str] | None = None,
        quiet: bool = False,
        start: Callable[[Limits], Process] | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._hear = hear
        self._start = start or partial(_Process, environment=dict(environment or {}), quiet=quiet)
        self._running: Process | None = None
        self._stopped = False

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *failure: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def call(self, job: str, *args: Any) -> Any:
        """Run a job to its end: ``module:function`` called with ``args``, which are JSON values; the last may be bytes.

        Returns:
            what the function returns: a JSON value or bytes.

        Raises:
            LtcIrError: what the function raised. DeadlineError, MemoryLimitError, WorkerDiedError: what ended its process.
            JobBugError: it raised something else.
        """
        data = args[-1] if args and isinstance(args[-1], bytes) else None
        message = {"job": job, "args": args if data is None else args[:-1], "data": data is not None}
        began = time.monotonic()
        try:
            if self._running is None:
                self._running = self._start(self.limits)
            self._running.tell_deadline(self.limits.deadline_s)
            answer = self._exchange(self._running, frame(message, data or b""), began)
            self._running.tell_deadline(None)
        except BaseException:
            self.close()
            raise
        return _outcome(*answer)

    def stop(self) -> None:
        """End the job that another thread waits for, and refuse further ones: they fail as if their process had died."""
        self._stopped = True

    def close(self) -> None:
        """End the process and whatever it started."""
        running, self._running = self._running, None
        if running is not None:
            running.kill()

    def _exchange(self, running: Process, request: tuple[bytes, ...], began: float) -> tuple[Message, bytes]:
        """Send a request and receive its answer at the same time, so that neither side waits for the other forever."""
        sending, frames = [memoryview(piece) for piece in request if piece], Frames()
        with selectors.DefaultSelector() as selector:
            selector.register(running.requests, selectors.EVENT_WRITE)
            selector.register(running.answers, selectors.EVENT_READ)
            while True:
                exited = running.has_exited()
                ready = {key.fd for key, _ in selector.select(min(POLL_S, self._time_left(running, began)))}
                if running.answers in ready:
                    for message, data in _arrived(running, frames):
                        if message["kind"] == "began":
                            running.worker = message["process"]
                        elif message["kind"] == "told":
                            if message["heartbeat"]:
                                began = time.monotonic()
                                running.tell_deadline(self.limits.deadline_s)
                            self._hear(message["value"])
                        else:
                            return message, data
                elif exited:  # while a copy of it holds its answers open
                    raise running.death()
                if running.requests in ready and not _send(running.requests, sending):
                    selector.unregister(running.requests)

    def _time_left(self, running: Process, began: float) -> float:
        """The seconds until the deadline.

        Raises:
            DeadlineError, MemoryLimitError, WorkerDiedError: a limit is exceeded, or the work was stopped.
        """
        if self._stopped:
            raise WorkerDiedError(-signal.SIGKILL)
        allowed, deadline_s = self.limits.memory_bytes, self.limits.deadline_s
        used = None if allowed is None or running.worker is None else resident_bytes(running.worker)
        if allowed is not None and used is not None and used > allowed:
            raise MemoryLimitError(used, allowed)
        if deadline_s is None:
            return POLL_S
        left = began + deadline_s - time.monotonic()
        if left <= 0:
            raise DeadlineError(deadline_s)
        return left


class _Process:
    """The process that watches a worker, with the ends of the pipes to both; ``worker`` is the number of the worker's own."""

    def __init__(self, limits: Limits, environment: Mapping[str, str], quiet: bool) -> None:
        requests, self.requests = os.pipe()
        self.answers, answers = os.pipe()
        self._lifeline: int | None
        lifeline, self._lifeline = os.pipe()
        self._printed: IO[bytes] | None = tempfile.TemporaryFile() if quiet else None  # noqa: SIM115 (lives as long)
        theirs = {"requests": requests, "answers": answers, "lifeline": lifeline}
        settings = json.dumps({**theirs, "parent": os.getpid(), "kernel": dict(limits.kernel)})
        self.worker: int | None = None
        talk = self._printed or standard_error()
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-c", _MAIN, settings],
                stdin=subprocess.DEVNULL, stdout=talk, stderr=talk, pass_fds=theirs.values(),
                env=environment_of(**environment), start_new_session=True,
            )  # fmt: skip
        except BaseException:
            self._close()
            raise
        finally:
            for descriptor in theirs.values():
                os.close(descriptor)
        os.set_blocking(self.requests, False)
        os.set_blocking(self._lifeline, False)

    def tell_deadline(self, seconds: float | None) -> None:
        """Tell the process that watches how long the worker may go on, should this one not be able to end it then."""
        with contextlib.suppress(OSError):
            assert self._lifeline is not None
            os.write(self._lifeline, DEADLINE.pack(-1.0 if seconds is None else seconds))

    @property
    def pid(self) -> int:
        return self._child.pid

    def has_exited(self) -> bool:
        """Whether the process has ended; it is left to be waited for, so that its number remains its own."""
        if not hasattr(os, "waitid"):
            return self._child.poll() is not None
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def death(self, wait_s: float = EXIT_S) -> WorkerDiedError:
        """How the process ended; one that has closed its answers and does not exit is killed."""
        self._exits_within(wait_s)
        self._kill()
        return WorkerDiedError(self._child.wait(), last_words(self._printed))

    def kill(self) -> None:
        """End the worker and all that it started."""
        self._kill()
        self._child.wait()
        self._close()

    def _kill(self) -> None:
        """Have the process that watches end them all; itself where it does not."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        if self._child.returncode is None and not self._exits_within(END_S):
            for group in filter(None, (self.worker, self.pid)):
                with contextlib.suppress(OSError):
                    os.killpg(group, signal.SIGKILL)

    def _exits_within(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not self.has_exited():
            if time.monotonic() > until:
                return False
            time.sleep(0.002)
        return True

    def _close(self) -> None:
        for descriptor in (self.requests, self.answers, self._lifeline):
            if descriptor is not None:
                os.close(descriptor)
        if self._printed is not None:
            self._printed.close()


def last_words(printed: IO[bytes] | None) -> str:
    """The end of what was printed to a file that both processes hold open."""
    if printed is None:
        return ""
    size = os.fstat(printed.fileno()).st_size
    begin = max(0, size - _LAST_WORDS)
    return os.pread(printed.fileno(), size - begin, begin).decode(errors="replace")


def standard_error() -> int:
    """Where what a process prints goes: this one's standard error, if it is open."""
    try:
        os.fstat(2)
    except OSError:
        return subprocess.DEVNULL
    return 2


def _arrived(running: Process, frames: Frames) -> Iterator[tuple[Message, bytes]]:
    """The messages that arrive now.

    Raises:
        WorkerDiedError: there will be no more.
    """
    chunk = os.read(running.answers, _CHUNK)
    if not chunk:
        raise running.death()
    try:
        for message, data in frames.feed(chunk):
            if not _SAID[message.get("kind", "")] <= message.keys():
                raise GarbledError("not what a worker says")
            yield message, data
    except (GarbledError, LookupError, TypeError):
        raise running.death(wait_s=0) from None


_SAID: Mapping[Any, frozenset[str]] = {
    "began": frozenset({"process"}),
    "told": frozenset({"value", "heartbeat"}),
    "result": frozenset({"data"}),
    "failed": frozenset({"failure"}),
    "bug": frozenset({"traceback"}),
}
"""What each kind of message holds besides."""


def _send(descriptor: int, pieces: list[memoryview]) -> bool:
    """Send what the pipe takes; whether more is left. Where nobody reads any more, the end of the answers tells."""
    try:
        pieces[0] = pieces[0][os.write(descriptor, pieces[0][:_CHUNK]) :]
    except BlockingIOError:
        return True
    except BrokenPipeError:
        pieces.clear()
    if pieces and not pieces[0]:
        del pieces[0]
    return bool(pieces)


def _outcome(message: Message, data: bytes) -> Any:
    if message["kind"] == "failed":
        raise error_of(**message["failure"])
    if message["kind"] == "bug":
        raise JobBugError(f"a job failed:\n\n{message['traceback']}")
    return data if message["data"] else message.get("value")
