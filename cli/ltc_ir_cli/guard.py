"""The program `ltc-ir`: a child does the work, user code included; this process keeps standard output and the exit code.

What a target does to the process that runs it, this one survives: it imports nothing of a target's, writes to standard output
only what the child sent whole, and takes the exit code from the child's verdict alone. A child that ends without one is an
error that names the target, whatever its own exit code. The child begins before anything heavy is imported: it costs 1-2 ms.
"""

from __future__ import annotations

import os
import sys

try:
    import signal
    from importlib import import_module
    from typing import NoReturn

    from ltc_ir_cli.parent import COMPLETION, IN_PROCESS, Child, Ends, Signals, say
except KeyboardInterrupt:
    os.write(2, b"interrupted\n")
    os._exit(130)

PROGRAM = "ltc_ir_cli.app"
"""The module of the command line, imported in the process that does the work only."""
WORK = "ltc_ir_cli.work"
WORKING = frozenset({"count", "lower", "follow", "diff", "time", "experiment", "doctor"})
"""The commands that may run user code, or start JAX, which may abort."""
WORKING_ON_SNAPSHOTS = frozenset({"check", "update", "prune"})
ASKS = (["-h"], ["--help"], ["--version"])


def run() -> NoReturn:
    """The console script."""
    signals = Signals()
    _keep_descriptors()
    if not needs_child(sys.argv[1:]):
        signals.give_back()
        import_module(PROGRAM).run_here()
    try:
        child = start(signals)
    except OSError as error:
        say(f"error: cannot start a process: {error.strerror}\nhint: end other processes, or add {IN_PROCESS}\n")
        os._exit(5)
    from ltc_ir_cli.watch import Watch

    os._exit(Watch(child, signals).exit_code())


def _keep_descriptors() -> None:
    """Open what a caller closed (``>&-``), lest a file opened later take its number: 1 refuses writes, 2 swallows them."""
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def needs_child(words: list[str]) -> bool:
    """Whether a command line may run user code."""
    if not hasattr(os, "fork") or COMPLETION in os.environ or IN_PROCESS in words:
        return False
    if words[:1] == ["snapshot"]:
        return not WORKING_ON_SNAPSHOTS.isdisjoint(words[1:2]) and words[2:] not in ASKS
    return not WORKING.isdisjoint(words[:1]) and words[1:] not in ASKS


def start(signals: Signals) -> Child:
    """Start the child, which does not return from here.

    Raises:
        OSError: the system permits no further process.
    """
    key = os.urandom(8)
    answers, theirs = os.pipe()
    lifeline, ours = os.pipe()
    passed, passing = os.pipe()
    for descriptor in (passed, passing):
        os.set_blocking(descriptor, False)
    alone = _has_no_child()
    signal.pthread_sigmask(signal.SIG_BLOCK, signals.before)
    pid = os.fork()
    if pid == 0:
        try:
            for descriptor in (answers, ours, passing):
                os.close(descriptor)
            import_module(WORK).work(PROGRAM, Ends(theirs, lifeline, passed), key, list(signals.before))
        finally:
            os._exit(70)
    for descriptor in (theirs, lifeline, passed):
        os.close(descriptor)
    signals.child = Child(pid, Ends(answers, ours, passing), key, alone)
    for number in signals.received:
        signals.child.signal(number)
    signals.pass_stops_on()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals.before)
    return signals.child


def _has_no_child() -> bool:
    """Whether nothing that this process was before, as a shell that became it, has left it a child."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    except AttributeError:
        return False
    return False
