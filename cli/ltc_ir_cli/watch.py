"""Watches the child that does the work: writes what it sends, waits for its verdict, and says how it ended without one."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress

from ltc_ir.workers.deaths import LOST, MEMORY, ended, signal_name
from ltc_ir.workers.orphans import end_children, inherit_children
from ltc_ir_cli.channel import HEAD_BYTES, KEY_BYTES, Kind
from ltc_ir_cli.parent import IN_PROCESS, Child, SignalledError, Signals, say
from ltc_ir_cli.senders import CAN_TELL, Senders

POLL_S = 0.2
"""Seconds between two looks at a child that is silent."""
GRACE_S = 5.0
"""Seconds that a child may take to clean up after a signal."""
AGAIN_S = 0.5
"""Seconds within which a second signal is the echo of the first."""
EXIT_S = 0.5
"""Seconds that a child may take to exit once its pipe is closed."""
LOOKS_AT_STOPPED = 10
"""How often a child is seen stopped before it is ended: whoever stops the whole job stops this process as well."""
DIED, UNWRITABLE, BUG, LIMIT = 4, 2, 70, 5
_ECHO_OF_PARENT = frozenset({128 + signal.SIGINT, 128 + signal.SIGTERM, 128 + getattr(signal, "SIGHUP", 1)})
_CHUNK = 1 << 16
_REPORT = "please report it with the output of ltc-ir doctor"


class Watch:
    """The parent's view of the child."""

    def __init__(self, child: Child, signals: Signals) -> None:
        self._child, self._signals = child, signals
        self._held, self._data = bytearray(), bytearray()
        self._at: tuple[str, str] | None = None
        self._verdict: int | None = None
        self._how: str | None = None
        self._stopped = 0
        self._signalled_at: float | None = None
        self._senders = Senders(signals)

    def exit_code(self) -> int:
        """The exit code of the command, once the child, its group and what they left are ended."""
        if CAN_TELL:
            self._senders.listen()
        if self._child.alone:
            inherit_children()
        poll = select.poll()
        poll.register(self._child.answers, select.POLLIN)
        while self._verdict is None and self._how is None:
            self._step(bool(poll.poll(POLL_S * 1000)))
        self._child.signal(signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self._child.pid, 0)
        if self._child.alone:
            end_children()
        return self._outcome()

    def _step(self, ready: bool) -> None:
        """Take what the child sent, or look at it."""
        try:
            chunk = os.read(self._child.answers, _CHUNK) if ready else None
            if chunk:
                self._take(chunk)
            elif ready:
                self._how = self._end_of_closed()
            else:
                self._how = self._fate()
        except SignalledError:
            self._data.clear()
        if self._signals.received:
            self._how = self._how or self._end_of_patience()
        elif self._senders.of_target and self._at:
            self._how = self._how or f"it sent ltc-ir {signal_name(self._senders.of_target)}"

    def _take(self, chunk: bytes) -> None:
        self._held += chunk
        while len(self._held) >= HEAD_BYTES and self._verdict is None:
            size = int.from_bytes(self._held[KEY_BYTES + 1 : HEAD_BYTES], "big")
            if self._held[:KEY_BYTES] != self._child.key:
                self._how = "it wrote to the descriptors of ltc-ir"
                return
            if len(self._held) < HEAD_BYTES + size:
                return
            kind, payload = self._held[KEY_BYTES], bytes(self._held[HEAD_BYTES : HEAD_BYTES + size])
            del self._held[: HEAD_BYTES + size]
            self._heed(kind, payload)

    def _heed(self, kind: int, payload: bytes) -> None:
        """Do what a frame says."""
        if kind == Kind.DATA:
            self._data += payload
        elif kind == Kind.WHOLE:
            self._write()
        elif kind == Kind.TALK:
            say(payload.decode("utf-8", "surrogateescape"))
        elif kind == Kind.ENTERED:
            label, _, stage = payload.decode("utf-8", "backslashreplace").partition("\n")
            self._at = label, stage
        else:
            self._verdict = int(payload)

    def _write(self) -> None:
        """Write the data that is whole; nothing any more after a signal."""
        view = memoryview(bytes(self._data))
        self._data.clear()
        self._signals.raises = True
        try:
            while view and not self._signals.received:
                view = view[os.write(1, view[:_CHUNK]) :]
        except BrokenPipeError:
            self._verdict = 0
        except OSError as error:
            say(f"error: cannot write standard output: {error.strerror}\nhint: send it to a file with -o\n")
            self._verdict = UNWRITABLE
        finally:
            self._signals.raises = False

    def _fate(self) -> str | None:
        """How the child ended, or what keeps it for ever; ``None`` while it works."""
        if not hasattr(os, "waitid"):
            pid, status = os.waitpid(self._child.pid, os.WNOHANG)
            return ended(os.waitstatus_to_exitcode(status)) if pid else None
        options = os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        found = os.waitid(os.P_PID, self._child.pid, options)
        if found is None:
            self._stopped = 0
            return None
        if found.si_code == os.CLD_EXITED:
            return ended(found.si_status)
        if found.si_code == os.CLD_STOPPED:
            self._stopped += 1
            return ended(-found.si_status) if self._stopped > LOOKS_AT_STOPPED else None
        return ended(-found.si_status)

    def _end_of_closed(self) -> str:
        """How a child ended whose pipe is closed; one that goes on without it has closed what it must not."""
        until = time.monotonic() + EXIT_S
        while time.monotonic() < until:
            fate = self._fate()
            if fate is not None:
                return fate
            time.sleep(0.002)
        return ended(LOST)

    def _end_of_patience(self) -> str | None:
        """Why a child that was sent a signal is not waited for any longer."""
        now = time.monotonic()
        if self._signalled_at is None:
            self._signalled_at = now
            return None
        waited = now - self._signalled_at
        impatient = len(self._signals.received) > 1 and waited > AGAIN_S
        return "signal" if impatient or waited > GRACE_S else None

    def _outcome(self) -> int:
        if self._senders.of_target and self._at is None:
            say(f"note: a target sent ltc-ir {signal_name(self._senders.of_target)}, which was not heeded\n")
        if self._signals.received:
            say(self._signals.words)
            return self._signals.exit_code
        if self._verdict is not None and self._verdict not in _ECHO_OF_PARENT:
            return self._verdict
        how = self._how or f"it sent itself {signal.Signals((self._verdict or 0) - 128).name}"
        if "exit" in how or "SIGABRT" in how:
            flags = _refused_flags()
            if flags:
                return flags
        if self._at is None:
            return self._without_target(how)
        label, stage = self._at
        say(f"error: {label} failed to {stage}: {how}\nhint: {_hint(how)}\n")
        return DIED

    def _without_target(self, how: str) -> int:
        """Say how the child ended before it ran any user code; the exit code of that."""
        killed, by_target = "SIGKILL" in how, self._senders.of_target is not None
        hint = MEMORY if killed else _REPORT
        hint = "look at one target at a time" if by_target else hint
        say(f"error: the command did not come to its end: {how}\nhint: {hint}\n")
        return DIED if by_target else LIMIT if killed else BUG


def _hint(how: str) -> str:
    if "SIGKILL" in how:
        return f"{MEMORY}; {IN_PROCESS} runs it in the tool's own process"
    return f"for a debugger, {IN_PROCESS} runs it in the tool's own process"


def _refused_flags() -> int:
    """Say that XLA ended the child because of its flags, if so; the exit code of that, 0 where it did not."""
    if not os.environ.get("XLA_FLAGS"):
        return 0
    from ltc_ir.escape import escape_message
    from ltc_ir.workers.xla_flags import refused_flags

    error = refused_flags()
    if error is None:
        return 0
    say(f"error: {escape_message(error.message)}\nhint: {error.hint}\n")
    return error.exit_code
