"""Workers that are forked from one server, which has imported what their jobs need: each is there in a few milliseconds."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any

from ltc_ir.workers.guard import DEADLINE
from ltc_ir.workers.limits import DeadlineError, Limits, WorkerDiedError
from ltc_ir.workers.process import EXIT_S, environment_of, last_words, standard_error
from ltc_ir.workers.server import MESSAGE, WORD

CAN_FORK = sys.platform == "linux"
"""Whether a process that has imported JAX may fork here: elsewhere its libraries hold threads and locks that a copy lacks."""
_MAIN = "import sys; from ltc_ir.workers.server import main; main(sys.argv[1])"


class Server:
    """A process that has imported modules and runs nothing, and whose copies are workers; it begins to import at once.

    It and its workers end with this process. `close` ends it.

    Args:
        preload: the modules.
        hello: the function, as ``module:name``, whose JSON value `hello` gives.
        environment: variables that its environment has besides this one's.
        quiet: keep what it and its workers print for `WorkerDiedError.last_words` instead of printing it.
        deadline_s: seconds that it may take to import.
    """

    def __init__(
        self,
        preload: Sequence[str],
        hello: str,
        *,
        environment: Mapping[str, str] | None = None,
        quiet: bool = False,
        deadline_s: float | None = None,
    ) -> None:
        self._control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._printed: IO[bytes] | None = tempfile.TemporaryFile() if quiet else None  # noqa: SIM115 (lives as long)
        self._lock = threading.Lock()
        self._hello: Any = None
        self._deadline_s = deadline_s
        said = {"control": control.fileno(), "preload": list(preload), "hello": hello, "parent": os.getpid()}
        said["by_main"] = threading.current_thread() is threading.main_thread()
        talk = self._printed or standard_error()
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-c", _MAIN, json.dumps(said)],
                stdin=subprocess.DEVNULL, stdout=talk, stderr=talk, pass_fds=(control.fileno(),),
                env=environment_of(**(environment or {})), start_new_session=True,
            )  # fmt: skip
        except BaseException:
            self._close()
            raise
        finally:
            control.close()

    def hello(self) -> Any:
        """What the server says of itself, once it has imported its modules.

        Raises:
            WorkerDiedError: it did not come so far. DeadlineError: it took too long.
        """
        with self._lock:
            if self._hello is None:
                self._control.settimeout(self._deadline_s)
                try:
                    message = self._control.recv(MESSAGE)
                except TimeoutError:
                    raise DeadlineError(self._deadline_s or 0.0) from None
                if not message:
                    raise WorkerDiedError(self._child.wait(), self.last_words())
                self._hello = json.loads(message)
            return self._hello

    def start(self, limits: Limits) -> Forked:
        """A worker.

        Raises:
            WorkerDiedError: the server has ended. DeadlineError: it takes too long to begin.
        """
        self.hello()
        return Forked(self, limits)

    def fork(self, kernel: Mapping[str, int], descriptors: Sequence[int]) -> None:
        """Ask for a worker that has these descriptors: requests, answers and status."""
        try:
            socket.send_fds(self._control, [json.dumps(dict(kernel)).encode()], descriptors)
        except OSError:
            raise WorkerDiedError(self._child.wait(), self.last_words()) from None

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._child.poll() is None

    def last_words(self) -> str:
        """The end of what it and its workers printed, where that is kept."""
        return last_words(self._printed)

    def close(self) -> None:
        """End the server and all of its workers."""
        if self._child.returncode is None:
            self._control.close()  # which makes it end its workers and itself
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(EXIT_S)
            with contextlib.suppress(OSError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
        self._close()

    def _close(self) -> None:
        self._control.close()
        if self._printed is not None:
            self._printed.close()


class Forked:
    """One worker of a server, with the ends of its pipes; what `Worker` needs of a process."""

    def __init__(self, server: Server, limits: Limits) -> None:
        self._server = server
        self._code: int | None = None
        requests, self.requests = os.pipe()
        self.answers, answers = os.pipe()
        self._status, status = socket.socketpair()
        try:
            server.fork(limits.kernel, (requests, answers, status.fileno()))
        except BaseException:
            self._close()
            raise
        finally:
            for descriptor in (requests, answers):
                os.close(descriptor)
            status.close()
        number = self._status.recv(WORD.size, socket.MSG_WAITALL)
        if len(number) < WORD.size:
            self._close()
            raise WorkerDiedError(-signal.SIGKILL, server.last_words())
        self.worker: int | None = None
        self.pid: int = WORD.unpack(number)[0]
        os.set_blocking(self.requests, False)

    def tell_deadline(self, seconds: float | None) -> None:
        """Tell the server how long the worker may go on, should this process not be able to end it then."""
        with contextlib.suppress(OSError):
            self._status.send(DEADLINE.pack(-1.0 if seconds is None else seconds), socket.MSG_DONTWAIT)

    def has_exited(self) -> bool:
        """Whether the process has ended or stands still; a server that has ended took its workers along."""
        if self._code is None:
            try:
                said = self._status.recv(WORD.size, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            except OSError:
                said = b""
            self._code = WORD.unpack(said)[0] if len(said) == WORD.size else -signal.SIGKILL
        return True

    def death(self, wait_s: float = EXIT_S) -> WorkerDiedError:
        """How the process ended; one that has closed its answers and does not exit is killed."""
        until = time.monotonic() + wait_s
        while not self.has_exited() and time.monotonic() < until:
            time.sleep(0.002)
        self._end()
        return WorkerDiedError(-signal.SIGKILL if self._code is None else self._code, self._server.last_words())

    def kill(self) -> None:
        """End the process and all of its group."""
        self._end()
        self._close()

    def _end(self) -> None:
        """Kill it, and wait until its server knows of it; its number is its own until that is told to forget it."""
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(OSError):
                kill(self.pid, signal.SIGKILL)
        until = time.monotonic() + EXIT_S
        while not self.has_exited() and time.monotonic() < until:
            time.sleep(0.001)

    def _close(self) -> None:
        for descriptor in (self.requests, self.answers):
            os.close(descriptor)
        self._status.close()
