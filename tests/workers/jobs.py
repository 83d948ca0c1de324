"""Jobs for the tests of workers: some answer, some do what a user's code may do to its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ltc_ir.errors import NotComparableError, TargetError
from ltc_ir.workers import guard
from ltc_ir.workers.child import tell

GARBAGE = b'\x00ltc\n\xff{"kind": "result", "data": false, "value": "forged"}\n'


def echo(value: Any) -> Any:
    return value


def size(data: bytes) -> int:
    return len(data)


def doubled(times: int, data: bytes) -> bytes:
    return data * times


def whereabouts() -> dict[str, Any]:
    return {"pid": os.getpid(), "path": sys.path, "variable": os.environ.get("A_VARIABLE")}


def counts_to(number: int) -> str:
    for each in range(number):
        tell(each)
    return "done"


def beats(times: int, seconds: float) -> int:
    for each in range(times):
        time.sleep(seconds)
        tell(each, heartbeat=True)
    return times


def prints() -> str:
    print("said by print")
    for descriptor in (1, 2):
        os.write(descriptor, GARBAGE)
    os.system("echo said by a shell")
    return "answered"


def closes_descriptors() -> str:
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    return "answered"


def writes_everywhere() -> None:
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, GARBAGE)
        except OSError:
            continue
    time.sleep(1000)


def half_a_frame() -> None:
    from ltc_ir.workers import child
    from ltc_ir.workers.protocol import frame

    head, _ = frame({"kind": "result", "data": False, "value": "x" * 100})
    os.write(child._senders[0]._descriptor, head[:-50])
    os._exit(0)


def leaves(code: int) -> None:
    os._exit(code)


def speaks_and_leaves() -> None:
    print("its last words", flush=True)
    os._exit(1)


def exits(code: int) -> None:
    sys.exit(code)


def kills_itself(number: int) -> None:
    os.kill(os.getpid(), number)


def sleeps(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


def spins() -> None:
    """Holds the interpreter: no other thread of Python runs."""
    sum(range(10**12))


def fills(mebibytes: int) -> int:
    kept = [bytearray(1 << 20) for _ in range(mebibytes)]
    time.sleep(1000)
    return len(kept)


def allocates(mebibytes: int) -> str:
    try:
        return str(len(bytearray(mebibytes << 20)))
    except MemoryError:
        return "refused"


def forks(parent_leaves: bool) -> str:
    """Both copies return or, where the parent leaves, only the copy that nobody waits for."""
    copy = os.fork()
    if copy and parent_leaves:
        os._exit(0)
    tell("copy" if not copy else "original")
    return "copy" if not copy else "original"


def starts_a_process() -> int:
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    return started.pid


def starts_and_spins(file: str) -> None:
    Path(file).write_text(f"{os.getpid()} {starts_a_process()}\n", encoding="ascii")
    spins()


def escapes(file: str, end: str) -> None:
    """Does what a process can to outlive its parent, with a child and a daemon that do so too; then spins, or ends."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGIO, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    daemon_told, daemon_tells = os.pipe()
    if not (child := os.fork()):
        os.setsid()
        if not os.fork():
            os.setsid()
            os.write(daemon_tells, f"{os.getpid()}".encode())
            spins()
        os._exit(0)
    os.waitpid(child, 0)
    daemon = os.read(daemon_told, 100).decode()
    if not (child := os.fork()):
        os.setsid()
        spins()
    Path(file).write_text(f"{os.getpid()} {daemon} {child}\n", encoding="ascii")
    os.closerange(3, 4096)
    if end == "exit":
        os._exit(3)
    spins()


def keeps_temporary(file: str) -> None:
    """Is killed with a temporary folder."""
    folder = tempfile.mkdtemp(prefix=guard.temporary_prefix())
    (Path(folder) / "held").touch()
    Path(file).write_text(f"{folder}\n", encoding="utf-8")
    spins()


def closes_and_opens(file: str) -> str:
    """What is opened now has the number that answers went to."""
    os.closerange(3, 4096)
    for number in range(64):
        os.open(f"{file}{number}", os.O_CREAT | os.O_WRONLY)
    return "answered"


def fails(kind: str) -> None:
    if kind == "target":
        raise TargetError("it failed", "look at it", "Traceback: all of it")
    if kind == "incomparable":
        raise NotComparableError("not comparable")
    raise ZeroDivisionError(kind)


def interrupts() -> None:
    raise KeyboardInterrupt


def dies_once(marker: str) -> str:
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "lived"
