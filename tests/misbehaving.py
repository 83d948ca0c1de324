"""Targets that misbehave: what each does to the process it runs in, and what a command must make of it. Data only.

Each is a module with a function ``f`` of three numbers, to be named ``NAME:f``; the function itself is the same in all, so
that one which runs to its end must be counted exactly as `GOOD` is.
"""

# ruff: noqa: E501 - a program stands on a line of its own

from __future__ import annotations

from typing import NamedTuple


class Misbehaving(NamedTuple):
    """A target that misbehaves.

    Args:
        name: of its module.
        source: of its module.
        code: what a command that runs it exits with: 0 where it is to be counted as if nothing were, else 4, or 2 where it
            is no target.
        says: what the line of its error must hold beside its name.
        loops: whether it never ends by itself, so that ``code`` is what it comes to where a limit ends it or a person does.
        heavy: whether it takes much time, output or memory.
        leaks: what a state comparison must name where it leaves the process changed, as ``x64`` or ``folder``.
        timed: what ``time`` exits with, where that is not ``code``.
        alters: whether what it sets is its own way to be counted, so that its program is another than that of `GOOD`.
        daemon: whether it leaves a process that has left its session on purpose, and is let go.
    """

    name: str
    source: str
    code: int
    says: str = ""
    loops: bool = False
    heavy: bool = False
    leaks: str = ""
    timed: int | None = None
    alters: bool = False
    daemon: bool = False


BODY = """
import jax

f_args = (jax.ShapeDtypeStruct((3,), "float32"),)

def f(x):
    {trace}
    return (x * x).sum()
"""
GOOD = BODY.format(trace="pass")
FAILED, USAGE, LIMIT = 4, 2, 5


def _import(name: str, code: str, exit: int = 0, says: str = "", **more: object) -> Misbehaving:
    """One that does something when it is imported."""
    return Misbehaving(name, f"{code.strip()}\n{GOOD}", exit, says, **more)  # type: ignore[arg-type]


def _trace(name: str, code: str, exit: int = 0, says: str = "", **more: object) -> Misbehaving:
    """One that does something when it is traced."""
    lines = "\n    ".join(code.strip().splitlines())
    return Misbehaving(name, BODY.format(trace=lines), exit, says, **more)  # type: ignore[arg-type]


_EXITS = [
    _import("import_exit_0", "import os; os._exit(0)", FAILED, "exit 0"),
    _import("import_exit_1", "import os; os._exit(1)", FAILED, "exit 1"),
    _import("import_exit_7", "import os; os._exit(7)", FAILED, "exit 7"),
    _import("import_exit_130", "import os; os._exit(130)", FAILED, "exit 130"),
    _trace("trace_exit_0", "import os; os._exit(0)", FAILED, "exit 0"),
    _trace("trace_exit_1", "import os; os._exit(1)", FAILED, "exit 1"),
    _trace("trace_exit_7", "import os; os._exit(7)", FAILED, "exit 7"),
    _import("import_system_exit", "raise SystemExit", FAILED, "SystemExit"),
    _import("import_sys_exit_text", "import sys; sys.exit('text')", FAILED, "SystemExit: text"),
    _import("import_quit", "import builtins; getattr(builtins, 'quit', exit)()", FAILED, "SystemExit"),
    _trace("trace_sys_exit_0", "import sys; sys.exit(0)", FAILED, "SystemExit"),
    _trace("trace_sys_exit_text", "import sys; sys.exit('text')", FAILED, "SystemExit: text"),
    _import(
        "thread_exits",
        "import os, threading, time\nthreading.Thread(target=lambda: (time.sleep(0.05), os._exit(0))).start()\ntime.sleep(9)",
        FAILED, "exit 0",
    ),
    _import("execs", "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'print(5)'])", FAILED, "exit 0"),
]  # fmt: skip

_SIGNALS = [
    _import("import_segv", "import ctypes; ctypes.string_at(0)", FAILED, "SIGSEGV"),
    _trace("trace_segv", "import ctypes; ctypes.string_at(0)", FAILED, "SIGSEGV"),
    _import("import_abort", "import os; os.abort()", FAILED, "SIGABRT"),
    _import("import_kill", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", FAILED, "SIGKILL"),
    _trace("trace_kill", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", FAILED, "SIGKILL"),
    _trace("kill_group", "import os, signal; os.killpg(0, signal.SIGKILL)", FAILED, "SIGKILL"),
    _trace("trace_term", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)", FAILED, "SIGTERM"),
    _trace("trace_int", "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9)", FAILED, ""),
    _trace("trace_alarm", "import signal, time; signal.alarm(1); time.sleep(9)", FAILED, "SIGALRM"),
    _trace("trace_stop", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", FAILED, "SIGSTOP", heavy=True, timed=LIMIT),
    _import(
        "ignores_signals",
        "import signal\nfor one in ('SIGINT', 'SIGTERM', 'SIGHUP'):\n    signal.signal(getattr(signal, one), signal.SIG_IGN)",
    ),
    _import("default_sigint", "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)"),
    _import(
        "recursion_segv",
        "import sys, threading\nsys.setrecursionlimit(10**8)\nthreading.stack_size(65536)\n"
        "def down(n):\n    return [].__class__.__call__(map(down, [n + 1])) if n >= 0 else 0\n"
        "thread = threading.Thread(target=down, args=(0,))\nthread.start()\nthread.join()",
        FAILED, "SIGSEGV",
    ),
]  # fmt: skip

_RAISED = [
    _import("import_base_exception", "class Odd(BaseException): pass\nraise Odd('odd')", FAILED, "Odd: odd"),
    _trace("trace_base_exception", "class Odd(BaseException): pass\nraise Odd('odd')", FAILED, "Odd: odd"),
    _import("import_generator_exit", "raise GeneratorExit('left')", FAILED, "GeneratorExit: left"),
    _trace("trace_generator_exit", "raise GeneratorExit('left')", FAILED, "GeneratorExit: left"),
    _import("import_interrupt", "raise KeyboardInterrupt('own')", FAILED, "KeyboardInterrupt: own"),
    _trace("trace_interrupt", "raise KeyboardInterrupt('own')", FAILED, "KeyboardInterrupt: own"),
    Misbehaving(
        "args_interrupt", GOOD + "\ndef f_args():\n    raise KeyboardInterrupt('own')\n", FAILED, "KeyboardInterrupt: own"
    ),
    Misbehaving("args_exit", GOOD + "\ndef f_args():\n    import os; os._exit(0)\n", FAILED, "exit 0"),
    _trace("trace_recursion", "def down(): return down()\ndown()", FAILED, "RecursionError"),
    _trace("trace_memory", "raise MemoryError('none left')", FAILED, "MemoryError: none left", timed=LIMIT),
    _trace("trace_stop_iteration", "next(iter(()))", FAILED, "StopIteration"),
    _trace("trace_broken_pipe", "raise BrokenPipeError(32, 'broken')", FAILED, "BrokenPipeError"),
    _trace("trace_eio", "raise OSError(5, 'input')", FAILED, "OSError"),
    _trace(
        "str_raises", "class Mute(Exception):\n    def __str__(self): raise ValueError('no')\nraise Mute", FAILED, "Mute"
    ),
    _trace(
        "str_exits", "class Mute(Exception):\n    def __str__(self): raise SystemExit(3)\nraise Mute", FAILED, "Mute"
    ),
    _trace(
        "str_no_text", "class Mute(Exception):\n    def __str__(self): return 5\nraise Mute", FAILED, "Mute"
    ),
    _trace(
        "str_loops", "class Mute(Exception):\n    def __str__(self):\n        while True: pass\nraise Mute", FAILED, loops=True
    ),
    _trace("long_message", "raise ValueError('long ' * 2_000_000)", FAILED, "ValueError: long", heavy=True),
    _trace("long_line", "raise ValueError('(' * 2_000_000 + '\\n' * 2_000_000)", FAILED, "ValueError: ((", heavy=True),
    _trace("hostile_class", "raise type('\\x1b[31mred\\n::error::', (Exception,), {})('text')", FAILED, ""),
    _trace("group", "raise ExceptionGroup('several', [ValueError('one'), TypeError('two')])", FAILED, "ExceptionGroup: several"),
    _trace("base_group", "raise BaseExceptionGroup('several', [KeyboardInterrupt('one')])", FAILED, "BaseExceptionGroup"),
    _import("no_frame", "raise ImportError('no such thing', name='jax')", FAILED, "ImportError: no such thing"),
]  # fmt: skip

_SHAPES = [
    Misbehaving("generator", GOOD.replace("return", "yield"), FAILED, "generator"),
    Misbehaving("coroutine", GOOD.replace("def f", "async def f"), FAILED, "coroutine"),
    Misbehaving("async_generator", GOOD.replace("def f", "async def f").replace("return", "yield"), FAILED, "generator"),
    _trace("made_generator", "return (y for y in x)", FAILED, "generator"),
    Misbehaving("evil_repr", GOOD + """
class Evil:
    def __repr__(self): raise SystemExit(0)
    __str__ = __repr__
    def __call__(self, x): return (x * x).sum()
g, f = f, Evil()
""", 0),
    Misbehaving("evil_class", GOOD + """
class Evil:
    @property
    def __class__(self): raise SystemExit(0)
    def __call__(self, x): return (x * x).sum()
g, f = f, Evil()
""", FAILED, "SystemExit"),
    Misbehaving("evil_getattr", GOOD + """
class Evil:
    def __getattribute__(self, name): raise KeyboardInterrupt('own')
    def __call__(self, x): return (x * x).sum()
g, f = f, Evil()
""", FAILED, "KeyboardInterrupt: own"),
    Misbehaving("evil_module", GOOD + """
del f
def __getattr__(name):
    import os
    os._exit(0)
""", FAILED, "exit 0"),
    Misbehaving("evil_signature", GOOD + """
class Evil:
    @property
    def __signature__(self): raise SystemExit(0)
    def __call__(self, x): return (x * x).sum()
g, f = f, Evil()
""", FAILED, "SystemExit"),
]  # fmt: skip

_LEFT_BEHIND = [
    _import("thread", "import threading, time\nthreading.Thread(target=lambda: time.sleep(600)).start()"),
    _import("thread_stuck", "import threading\nthreading.Thread(target=threading.Event().wait).start()"),
    _import(
        "thread_prints",
        "import sys, threading, time\ndef talk():\n    while True:\n        print('talk'); time.sleep(0.01)\n"
        "threading.Thread(target=talk).start()",
    ),
    _import("atexit_prints", "import atexit; atexit.register(print, 'junk')"),
    _import("atexit_writes", "import atexit, os; atexit.register(os.write, 1, b'junk')"),
    _import("atexit_exits", "import atexit, os; atexit.register(os._exit, 0)"),
    _import("atexit_hangs", "import atexit, time; atexit.register(time.sleep, 600)"),
    _import("del_sleeps", "import time\nclass Slow:\n    def __del__(self): time.sleep(600)\nslow = Slow()"),
    _import("child_sleeps", "import subprocess; subprocess.Popen(['sleep', '600'])"),
    _trace("child_at_trace", "import subprocess; subprocess.Popen(['sleep', '600'])"),
    _import("fork_returns", "import os; os.fork()"),
    _trace("fork_at_trace", "import os; os.fork()"),
    _import("fork_raises", "import os\nif os.fork() == 0:\n    raise ValueError('in the copy')"),
    _import("fork_exits", "import os, sys\nif os.fork() == 0:\n    sys.exit(3)"),
    _import("fork_sleeps", "import os, time\nif os.fork() == 0:\n    time.sleep(600); os._exit(0)"),
    _import("fork_parent_exits", "import os\nif os.fork():\n    os._exit(0)", FAILED, "exit 0"),
    _import(
        "daemonises",
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(30)\n    os._exit(0)\n"
        "os.wait()",
        daemon=True,
    ),
    _import(
        "starts_processes",
        "import multiprocessing, time\ncontext = multiprocessing.get_context('fork')\n"
        "context.Process(target=time.sleep, args=(600,)).start()",
    ),
]  # fmt: skip

_STREAMS = [
    _import("closes_0", "import os; os.close(0)"),
    _import("closes_1", "import os; os.close(1)"),
    _import("closes_2", "import os; os.close(2)"),
    _import("closes_std", "import os\nfor one in (0, 1, 2):\n    os.close(one)"),
    _import("closes_python_std", "import sys; sys.stdin.close(); sys.stdout.close(); sys.stderr.close()"),
    _import("closes_many", "import os; os.closerange(3, 256)", timed=FAILED),
    _import("closes_most", "import os; os.closerange(3, 100_000)", FAILED, "descriptor"),
    _trace("closes_most_at_trace", "import os; os.closerange(3, 100_000)", FAILED, "descriptor"),
    _import("no_stdout", "import sys; sys.stdout = None"),
    _import("no_streams", "import sys; sys.stdin = sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None"),
    _import("own_streams", "import io, sys; sys.stdout = io.StringIO(); sys.stderr = io.StringIO()"),
    _import("stream_exits", "import os, sys\nclass Exits:\n    def write(self, text): os._exit(0)\n    def flush(self): os._exit(0)\n"
            "sys.stdout = sys.stderr = Exits()"),
    _import("prints", "print('junk'); import os; os.write(1, b'junk'); os.system('echo junk')"),
    _import("prints_much", "import os\nfor _ in range(1600):\n    os.write(1, b'x' * 65535 + b'\\n')", heavy=True),
    _trace("garbage_to_all", "import os\nfor one in range(3, 64):\n    try:\n        os.write(one, b'garbage')\n"
           "    except OSError:\n        pass", timed=FAILED),
    _trace("garbage_to_high", "import os\nfor one in os.listdir('/proc/self/fd'):\n    try:\n        int(one) > 2 and os.write(int(one), b'garbage')\n"
           "    except OSError:\n        pass", FAILED, ""),
    _import("writes_stdout_of_parent", "import os\ntry:\n    open(f'/proc/{os.getppid()}/fd/0').close()\nexcept OSError:\n    pass"),
]  # fmt: skip

_STATE = [
    _import("changes_folder", "import os; os.chdir('/')", leaks="folder"),
    _trace("changes_folder_at_trace", "import os; os.chdir('/')", leaks="folder"),
    _import("deletes_folder", "import os, tempfile\nd = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)", leaks="folder"),
    _import("sets_x64", "import jax; jax.config.update('jax_enable_x64', True)", leaks="jax_enable_x64", alters=True),
    _trace("sets_x64_at_trace", "jax.config.update('jax_enable_x64', True)", leaks="jax_enable_x64", alters=True),
    _trace("sets_environment", "import os; os.environ['A_VARIABLE'] = 'set'", leaks="A_VARIABLE"),
    _trace("clears_environment", "import os; os.environ.clear()", leaks="environ"),
    _trace("patches_numpy", "import jax.numpy; jax.numpy.sin = jax.numpy.cos", leaks="jax.numpy.sin"),
    _trace("patches_jit", "kept = jax.jit; jax.jit = lambda *args, **more: kept(*args, **more)", leaks="jax.jit"),
    _trace("clears_path", "import sys; sys.path.clear()", leaks="sys.path"),
    _trace("extends_path", "import sys; sys.path.insert(0, '/nowhere')", leaks="sys.path"),
    _import("own_excepthook", "import os, sys; sys.excepthook = lambda *error: os._exit(0)"),
    _import("own_unraisablehook", "import os, sys; sys.unraisablehook = lambda *error: os._exit(0)"),
    _trace("collects_nothing", "import gc; gc.disable()"),
    _import("warnings_are_errors", "import warnings; warnings.simplefilter('error')"),
    _import("logs_all", "import logging; logging.basicConfig(level=logging.WARNING, force=True)"),
    _import("own_faulthandler", "import faulthandler; faulthandler.enable()"),
    _import("renames_itself", "import sys; sys.argv[:] = ['other']; sys.modules[__name__].__name__ = 'other'"),
    _import("umask", "import os; os.umask(0o777)"),
    _import("own_session", "import os\ntry:\n    os.setsid()\nexcept OSError:\n    pass"),
    _import("own_group", "import os\ntry:\n    os.setpgid(0, 0)\nexcept OSError:\n    pass"),
    _import("patches_exit", "import os, sys; os._exit = sys.exit = lambda *_: None"),
    _import("patches_print", "import builtins; builtins.print = lambda *_, **more: None"),
    _import("patches_write", "import os; os.write = lambda descriptor, data: len(data)"),
    _import("patches_getpid", "import os; os.getpid = lambda: 1"),
    _import("patches_dumps", "import json; json.dumps = lambda *_, **more: '{}'", 0),
]  # fmt: skip

_LIMITS = [
    _trace("limit_cpu", "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass", FAILED, "SIG", heavy=True),
    _trace("limit_files", "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))", FAILED, ""),
    _trace("limit_memory", "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\nbytearray(1 << 31)", FAILED, ""),
    _trace("endless_at_trace", "while True: pass", FAILED, loops=True),
    _import("endless", "while True: pass", FAILED, loops=True),
    _import("endless_sleep", "import time; time.sleep(600)", FAILED, loops=True),
    _import("endless_native", "import re; re.match(r'(a|aa)+$', 'a' * 60 + 'b')", FAILED, loops=True),
    _import("endless_deaf", "import signal\nfor one in ('SIGINT', 'SIGTERM', 'SIGHUP'):\n    signal.signal(getattr(signal, one), "
            "signal.SIG_IGN)\nwhile True: pass", FAILED, loops=True),
    _import("endless_swallowing", "while True:\n    try:\n        while True: pass\n    except BaseException: pass", FAILED, loops=True),
]  # fmt: skip

MISBEHAVING: tuple[Misbehaving, ...] = (
    *_EXITS, *_SIGNALS, *_RAISED, *_SHAPES, *_LEFT_BEHIND, *_STREAMS, *_STATE, *_LIMITS,
)  # fmt: skip
BY_NAME = {one.name: one for one in MISBEHAVING}
