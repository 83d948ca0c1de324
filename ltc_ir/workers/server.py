"""The main loop of a server: a process that has imported modules, and forks a copy of itself for each worker.

It runs no job and starts no thread, and so it also is what watches its workers, as `guard` does for one: each ends with its
deadline, when nobody waits for it any more, and with the process that wants them all; what workers leave behind ends with it.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time
import traceback
from importlib import import_module

from ltc_ir.workers.child import run_jobs
from ltc_ir.workers.guard import DEADLINE, GRACE_S
from ltc_ir.workers.limits import moved_up
from ltc_ir.workers.orphans import inherit_children, kill_children
from ltc_ir.workers.signals import leave_unheeded

WORD = struct.Struct(">q")
"""What is said of a worker: its number, then its exit code, which is a signal's number below 0."""
DESCRIPTORS = 3
"""What a worker is asked for with: its requests, its answers, and the socket to say how it ended."""
MESSAGE = 1 << 16
_WAKING = (signal.SIGCHLD, signal.SIGUSR1)
"""The signals that tell of a worker's end, and that the thread which started this process has ended."""


def main(settings: str) -> None:
    """Import modules, say what they say of themselves, and fork workers until nobody can ask for one.

    Args:
        settings: in JSON the descriptor ``control``, the number of the ``parent``, whether its main thread starts this
            (``by_main``), the modules ``preload``, and the function ``hello`` whose answer is
            said at first.
    """
    said = json.loads(settings)
    parent = said["parent"]
    os.set_inheritable(said["control"], False)
    sys.stdout = sys.stderr
    signal.signal(signal.SIGUSR1, lambda *_: os._exit(0) if os.getppid() != parent else None)
    # importing takes long, and heeds no handler: until it is done the kernel ends this with the thread that started it, where
    # the end of that is the end of its process
    inherit_children(signal.SIGKILL if said["by_main"] else signal.SIGUSR1)
    if os.getppid() != parent:
        return
    gc.disable()  # importing makes next to no garbage, and each collection would walk all that was imported
    for name in said["preload"]:
        import_module(name)
    module, _, name = said["hello"].partition(":")
    hello = getattr(import_module(module), name)()
    control = socket.socket(fileno=said["control"])
    try:
        control.send(json.dumps(hello).encode())
    except OSError:
        return  # who started this has ended meanwhile
    gc.freeze()  # lest a collection in a worker copy all pages of what was imported
    gc.enable()
    _Server(control, parent).serve()
    os._exit(0)  # to take down what was imported, module by module, takes long


class _Server:
    """The workers that were forked, each with the socket of who asked for it."""

    def __init__(self, control: socket.socket, parent: int) -> None:
        self._control, self._parent = control, parent
        self._workers: dict[socket.socket, int] = {}
        self._until: dict[socket.socket, float] = {}
        self._bonds: dict[socket.socket, int] = {}
        self._said: set[int] = set()
        self._woken, wake = os.pipe()
        self._own = [self._woken, wake]
        for descriptor in self._own:
            os.set_blocking(descriptor, False)
        for one in _WAKING:
            signal.signal(one, lambda *_: None)
        self._unheeded = leave_unheeded() | {signal.SIGINT}
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.set_wakeup_fd(wake)
        inherit_children(signal.SIGUSR1)
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def serve(self) -> None:
        """Fork, and say who ended, until the other end of the control socket is closed, or who started this is gone."""
        while True:
            if os.getppid() != self._parent:
                self._leave()
                return
            for key, _ in self._selector.select(self._time_left()):
                if key.fileobj is self._control:
                    message, descriptors, *_ = socket.recv_fds(self._control, MESSAGE, DESCRIPTORS)
                    if len(descriptors) < DESCRIPTORS:
                        self._leave()
                        return
                    self._fork(json.loads(message), *descriptors)
                elif key.fileobj == self._woken:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._woken, MESSAGE)
                    self._say_ends()
                else:
                    self._hear(key.fileobj)  # type: ignore[arg-type]
            self._end_overdue()

    def _fork(self, kernel: dict[str, int], requests: int, answers: int, status: int) -> None:
        bond, held = os.pipe()
        number = os.fork()
        if number == 0:
            try:
                os.close(held)
                self._become_worker(kernel, requests, answers, bond, status)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(70)
        for descriptor in (requests, answers, bond):
            os.close(descriptor)
        told = socket.socket(fileno=status)
        self._workers[told], self._bonds[told] = number, held
        self._selector.register(told, selectors.EVENT_READ)
        with contextlib.suppress(OSError):
            told.send(WORD.pack(number))

    def _become_worker(self, kernel: dict[str, int], requests: int, answers: int, bond: int, status: int) -> None:
        """Leave all that is the server's, and run jobs."""
        signal.set_wakeup_fd(-1)
        for one in (*_WAKING, *self._unheeded):
            signal.signal(one, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._selector.close()
        for held in (self._control, *self._workers):
            held.close()
        for descriptor in (*self._own, *self._bonds.values(), status):
            os.close(descriptor)
        os.setsid()
        run_jobs(moved_up(requests), moved_up(answers), moved_up(bond), kernel)

    def _say_ends(self) -> None:
        """Say how workers ended or that they were stopped; they are waited for later, so that their numbers remain theirs."""
        for told, number in self._workers.items():
            if number in self._said:
                continue
            state = os.waitid(os.P_PID, number, os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
            if state is not None:
                code = state.si_status if state.si_code == os.CLD_EXITED else -state.si_status
                self._said.add(number)
                with contextlib.suppress(OSError):
                    told.send(WORD.pack(code))

    def _hear(self, told: socket.socket) -> None:
        """Take a worker's deadline from who asked for it, or that nobody waits for it any more."""
        try:
            said = told.recv(DEADLINE.size << 10)
        except OSError:
            said = b""
        if len(said) < DEADLINE.size:
            self._bury(told)
            return
        (seconds,) = DEADLINE.unpack(said[-DEADLINE.size :])
        self._until.pop(told, None)
        if seconds >= 0:
            self._until[told] = time.monotonic() + seconds + GRACE_S

    def _time_left(self) -> float | None:
        """The seconds until the first deadline."""
        return max(0.0, min(self._until.values()) - time.monotonic()) if self._until else None

    def _end_overdue(self) -> None:
        """Kill workers whose deadline is over, as who asked for them should have done."""
        now = time.monotonic()
        for told in [told for told, until in self._until.items() if until < now]:
            del self._until[told]
            _kill(self._workers[told])

    def _bury(self, told: socket.socket) -> None:
        """End a worker, and all of its group, that nobody waits for any more."""
        self._until.pop(told, None)
        os.close(self._bonds.pop(told))
        number = self._workers.pop(told)
        self._selector.unregister(told)
        told.close()
        self._said.discard(number)
        _kill(number)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(number, 0)

    def _leave(self) -> None:
        for told in list(self._workers):
            self._bury(told)
        kill_children()


def _kill(number: int) -> None:
    """Kill a worker and its group."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(OSError):
            kill(number, signal.SIGKILL)
