"""Targets that misbehave: what each does to the process it runs in, and what a command must make of it. Data only."""

# ruff: noqa: E501 - a program stands on a line of its own

from __future__ import annotations

from tests.misbehaving.forms import FAILED, GOOD, LIMIT, Misbehaving, at_import, at_trace
from tests.misbehaving.odd import ODD, RAISED

_EXITS = [
    at_import("import_exit_0", "import os; os._exit(0)", FAILED, "exit 0"),
    at_import("import_exit_1", "import os; os._exit(1)", FAILED, "exit 1"),
    at_import("import_exit_7", "import os; os._exit(7)", FAILED, "exit 7"),
    at_import("import_exit_130", "import os; os._exit(130)", FAILED, "exit 130"),
    at_trace("trace_exit_0", "import os; os._exit(0)", FAILED, "exit 0"),
    at_trace("trace_exit_1", "import os; os._exit(1)", FAILED, "exit 1"),
    at_trace("trace_exit_7", "import os; os._exit(7)", FAILED, "exit 7"),
    at_import("import_system_exit", "raise SystemExit", FAILED, "SystemExit"),
    at_import("import_sys_exit_text", "import sys; sys.exit('text')", FAILED, "SystemExit: text"),
    at_import("import_quit", "import builtins; getattr(builtins, 'quit', exit)()", FAILED, "SystemExit"),
    at_trace("trace_sys_exit_0", "import sys; sys.exit(0)", FAILED, "SystemExit"),
    at_trace("trace_sys_exit_text", "import sys; sys.exit('text')", FAILED, "SystemExit: text"),
    at_import(
        "thread_exits",
        "import os, threading, time\nthreading.Thread(target=lambda: (time.sleep(0.05), os._exit(0))).start()\ntime.sleep(9)",
        FAILED, "exit 0",
    ),
    at_import("execs", "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'print(5)'])", FAILED, "exit 0"),
]  # fmt: skip

_SIGNALS = [
    at_import("import_segv", "import ctypes; ctypes.string_at(0)", FAILED, "SIGSEGV"),
    at_trace("trace_segv", "import ctypes; ctypes.string_at(0)", FAILED, "SIGSEGV"),
    at_import("import_abort", "import os; os.abort()", FAILED, "SIGABRT"),
    at_import("import_kill", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", FAILED, "SIGKILL"),
    at_trace("trace_kill", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", FAILED, "SIGKILL"),
    at_trace("kill_group", "import os, signal; os.killpg(0, signal.SIGKILL)", FAILED, "SIGKILL"),
    at_trace("trace_term", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)", FAILED, "SIGTERM"),
    at_trace("trace_int", "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9)", FAILED, ""),
    at_trace("trace_alarm", "import signal, time; signal.alarm(1); time.sleep(9)", FAILED, "SIGALRM"),
    at_trace("trace_stop", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", FAILED, "SIGSTOP", heavy=True, timed=LIMIT),
    at_import(
        "ignores_signals",
        "import signal\nfor one in ('SIGINT', 'SIGTERM', 'SIGHUP'):\n    signal.signal(getattr(signal, one), signal.SIG_IGN)",
    ),
    at_import("default_sigint", "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)"),
    at_import(
        "recursion_segv",
        "import sys, threading\nsys.setrecursionlimit(10**8)\nthreading.stack_size(65536)\n"
        "def down(n):\n    return [].__class__.__call__(map(down, [n + 1])) if n >= 0 else 0\n"
        "thread = threading.Thread(target=down, args=(0,))\nthread.start()\nthread.join()",
        FAILED, "SIGSEGV",
    ),
]  # fmt: skip

_RAISED = [
    at_import("import_base_exception", "class Odd(BaseException): pass\nraise Odd('odd')", FAILED, "Odd: odd"),
    at_trace("trace_base_exception", "class Odd(BaseException): pass\nraise Odd('odd')", FAILED, "Odd: odd"),
    at_import("import_generator_exit", "raise GeneratorExit('left')", FAILED, "GeneratorExit: left"),
    at_trace("trace_generator_exit", "raise GeneratorExit('left')", FAILED, "GeneratorExit: left"),
    at_import("import_interrupt", "raise KeyboardInterrupt('own')", FAILED, "KeyboardInterrupt: own"),
    at_trace("trace_interrupt", "raise KeyboardInterrupt('own')", FAILED, "KeyboardInterrupt: own"),
    Misbehaving(
        "args_interrupt", GOOD + "\ndef f_args():\n    raise KeyboardInterrupt('own')\n", FAILED, "KeyboardInterrupt: own"
    ),
    Misbehaving("args_exit", GOOD + "\ndef f_args():\n    import os; os._exit(0)\n", FAILED, "exit 0"),
    at_trace("trace_recursion", "def down(): return down()\ndown()", FAILED, "RecursionError"),
    at_trace("trace_memory", "raise MemoryError('none left')", FAILED, "MemoryError: none left", timed=LIMIT),
    at_trace("trace_stop_iteration", "next(iter(()))", FAILED, "StopIteration"),
    at_trace("trace_broken_pipe", "raise BrokenPipeError(32, 'broken')", FAILED, "BrokenPipeError"),
    at_trace("trace_eio", "raise OSError(5, 'input')", FAILED, "OSError"),
    at_trace(
        "str_raises", "class Mute(Exception):\n    def __str__(self): raise ValueError('no')\nraise Mute", FAILED, "Mute"
    ),
    at_trace(
        "str_exits", "class Mute(Exception):\n    def __str__(self): raise SystemExit(3)\nraise Mute", FAILED, "Mute"
    ),
    at_trace(
        "str_no_text", "class Mute(Exception):\n    def __str__(self): return 5\nraise Mute", FAILED, "Mute"
    ),
    at_trace(
        "str_loops", "class Mute(Exception):\n    def __str__(self):\n        while True: pass\nraise Mute", FAILED, loops=True
    ),
    at_trace("long_message", "raise ValueError('long ' * 2_000_000)", FAILED, "ValueError: long", heavy=True),
    at_trace("long_line", "raise ValueError('(' * 2_000_000 + '\\n' * 2_000_000)", FAILED, "ValueError: ((", heavy=True),
    at_trace("hostile_class", "raise type('\\x1b[31mred\\n::error::', (Exception,), {})('text')", FAILED, ""),
    at_trace("group", "raise ExceptionGroup('several', [ValueError('one'), TypeError('two')])", FAILED, "ExceptionGroup: several"),
    at_trace("base_group", "raise BaseExceptionGroup('several', [KeyboardInterrupt('one')])", FAILED, "BaseExceptionGroup"),
    at_import("no_frame", "raise ImportError('no such thing', name='jax')", FAILED, "ImportError: no such thing"),
]  # fmt: skip

_SHAPES = [
    Misbehaving("generator", GOOD.replace("return", "yield"), FAILED, "generator"),
    Misbehaving("coroutine", GOOD.replace("def f", "async def f"), FAILED, "coroutine"),
    Misbehaving("async_generator", GOOD.replace("def f", "async def f").replace("return", "yield"), FAILED, "generator"),
    at_trace("made_generator", "return (y for y in x)", FAILED, "generator"),
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
    at_import("thread", "import threading, time\nthreading.Thread(target=lambda: time.sleep(600)).start()"),
    at_import("thread_stuck", "import threading\nthreading.Thread(target=threading.Event().wait).start()"),
    at_import(
        "thread_prints",
        "import sys, threading, time\ndef talk():\n    while True:\n        print('talk'); time.sleep(0.01)\n"
        "threading.Thread(target=talk).start()",
    ),
    at_import("atexit_prints", "import atexit; atexit.register(print, 'junk')"),
    at_import("atexit_writes", "import atexit, os; atexit.register(os.write, 1, b'junk')"),
    at_import("atexit_exits", "import atexit, os; atexit.register(os._exit, 0)"),
    at_import("atexit_hangs", "import atexit, time; atexit.register(time.sleep, 600)"),
    at_import("del_sleeps", "import time\nclass Slow:\n    def __del__(self): time.sleep(600)\nslow = Slow()"),
    at_import("child_sleeps", "import subprocess; subprocess.Popen(['sleep', '600'])"),
    at_trace("child_at_trace", "import subprocess; subprocess.Popen(['sleep', '600'])"),
    at_import("fork_returns", "import os; os.fork()"),
    at_trace("fork_at_trace", "import os; os.fork()"),
    at_import("fork_raises", "import os\nif os.fork() == 0:\n    raise ValueError('in the copy')"),
    at_import("fork_exits", "import os, sys\nif os.fork() == 0:\n    sys.exit(3)"),
    at_import("fork_sleeps", "import os, time\nif os.fork() == 0:\n    time.sleep(600); os._exit(0)"),
    at_import("fork_parent_exits", "import os\nif os.fork():\n    os._exit(0)", FAILED, "exit 0"),
    at_import(
        "daemonises",
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(30)\n    os._exit(0)\n"
        "os.wait()",
    ),
    at_import(
        "starts_processes",
        "import multiprocessing, time\ncontext = multiprocessing.get_context('fork')\n"
        "context.Process(target=time.sleep, args=(600,)).start()",
    ),
]  # fmt: skip

_STREAMS = [
    at_import("closes_0", "import os; os.close(0)"),
    at_import("closes_1", "import os; os.close(1)"),
    at_import("closes_2", "import os; os.close(2)"),
    at_import("closes_std", "import os\nfor one in (0, 1, 2):\n    os.close(one)"),
    at_import("closes_python_std", "import sys; sys.stdin.close(); sys.stdout.close(); sys.stderr.close()"),
    at_import("closes_many", "import os; os.closerange(3, 256)", timed=FAILED),
    at_import("closes_most", "import os; os.closerange(3, 100_000)", FAILED, "descriptor"),
    at_trace("closes_most_at_trace", "import os; os.closerange(3, 100_000)", FAILED, "descriptor"),
    at_import("no_stdout", "import sys; sys.stdout = None"),
    at_import("no_streams", "import sys; sys.stdin = sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None"),
    at_import("own_streams", "import io, sys; sys.stdout = io.StringIO(); sys.stderr = io.StringIO()"),
    at_import("stream_exits", "import os, sys\nclass Exits:\n    def write(self, text): os._exit(0)\n    def flush(self): os._exit(0)\n"
            "sys.stdout = sys.stderr = Exits()"),
    at_import("prints", "print('junk'); import os; os.write(1, b'junk'); os.system('echo junk')"),
    at_import("prints_much", "import os\nfor _ in range(1600):\n    os.write(1, b'x' * 65535 + b'\\n')", heavy=True),
    at_trace("garbage_to_all", "import os\nfor one in range(3, 64):\n    try:\n        os.write(one, b'garbage')\n"
           "    except OSError:\n        pass", timed=FAILED),
    at_trace("garbage_to_high", "import os\nfor one in os.listdir('/proc/self/fd'):\n    try:\n        int(one) > 2 and os.write(int(one), b'garbage')\n"
           "    except OSError:\n        pass", FAILED, ""),
    at_import("writes_stdout_of_parent", "import os\ntry:\n    open(f'/proc/{os.getppid()}/fd/0').close()\nexcept OSError:\n    pass"),
]  # fmt: skip

_STATE = [
    at_import("changes_folder", "import os; os.chdir('/')", leaks="folder"),
    at_trace("changes_folder_at_trace", "import os; os.chdir('/')", leaks="folder"),
    at_import("deletes_folder", "import os, tempfile\nd = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)", leaks="folder"),
    at_import("sets_x64", "import jax; jax.config.update('jax_enable_x64', True)", leaks="jax_enable_x64", alters=True),
    at_trace("sets_x64_at_trace", "jax.config.update('jax_enable_x64', True)", leaks="jax_enable_x64", alters=True),
    at_trace("sets_environment", "import os; os.environ['A_VARIABLE'] = 'set'", leaks="A_VARIABLE"),
    at_trace("clears_environment", "import os; os.environ.clear()", leaks="environ"),
    at_trace("patches_numpy", "import jax.numpy; jax.numpy.sin = jax.numpy.cos", leaks="jax.numpy.sin"),
    at_trace("patches_jit", "kept = jax.jit; jax.jit = lambda *args, **more: kept(*args, **more)", leaks="jax.jit"),
    at_trace("clears_path", "import sys; sys.path.clear()", leaks="sys.path"),
    at_trace("extends_path", "import sys; sys.path.insert(0, '/nowhere')", leaks="sys.path"),
    at_import("own_excepthook", "import os, sys; sys.excepthook = lambda *error: os._exit(0)"),
    at_import("own_unraisablehook", "import os, sys; sys.unraisablehook = lambda *error: os._exit(0)"),
    at_trace("collects_nothing", "import gc; gc.disable()"),
    at_import("warnings_are_errors", "import warnings; warnings.simplefilter('error')"),
    at_import("logs_all", "import logging; logging.basicConfig(level=logging.WARNING, force=True)"),
    at_import("own_faulthandler", "import faulthandler; faulthandler.enable()"),
    at_import("renames_itself", "import sys; sys.argv[:] = ['other']; sys.modules[__name__].__name__ = 'other'"),
    at_import("umask", "import os; os.umask(0o777)"),
    at_import("own_session", "import os\ntry:\n    os.setsid()\nexcept OSError:\n    pass"),
    at_import("own_group", "import os\ntry:\n    os.setpgid(0, 0)\nexcept OSError:\n    pass"),
    at_import("patches_exit", "import os, sys; os._exit = sys.exit = lambda *_: None"),
    at_import("patches_print", "import builtins; builtins.print = lambda *_, **more: None"),
    at_import("patches_write", "import os; os.write = lambda descriptor, data: len(data)"),
    at_import("patches_getpid", "import os; os.getpid = lambda: 1"),
    at_import("patches_dumps", "import json; json.dumps = lambda *_, **more: '{}'", 0),
]  # fmt: skip

_LIMITS = [
    at_trace("limit_cpu", "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass", FAILED, "SIG", heavy=True),
    at_trace("limit_files", "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))", FAILED, ""),
    at_trace("limit_memory", "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\nbytearray(1 << 31)", FAILED, ""),
    at_trace("endless_at_trace", "while True: pass", FAILED, loops=True),
    at_import("endless", "while True: pass", FAILED, loops=True),
    at_import("endless_sleep", "import time; time.sleep(600)", FAILED, loops=True),
    at_import("endless_native", "import re; re.match(r'(a|aa)+$', 'a' * 60 + 'b')", FAILED, loops=True),
    at_import("endless_deaf", "import signal\nfor one in ('SIGINT', 'SIGTERM', 'SIGHUP'):\n    signal.signal(getattr(signal, one), "
            "signal.SIG_IGN)\nwhile True: pass", FAILED, loops=True),
    at_import("endless_swallowing", "while True:\n    try:\n        while True: pass\n    except BaseException: pass", FAILED, loops=True),
]  # fmt: skip

_TO_OURS = [
    at_import("parent_term", "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(1)", FAILED, "SIG", checked=0),
    at_import("parent_int", "import os, signal, time; os.kill(os.getppid(), signal.SIGINT); time.sleep(1)", FAILED, "SIG", checked=0),
    at_import("parent_usr1", "import os, signal, time; os.kill(os.getppid(), signal.SIGUSR1); time.sleep(1)", FAILED, "SIGUSR1", checked=0, timed=0),
    at_trace("parent_segv", "import os, signal, time; os.kill(os.getppid(), signal.SIGSEGV); time.sleep(1)", FAILED, "SIG"),
    at_import(
        "parent_group",
        "import os, signal, time\nos.killpg(os.getpgid(os.getppid()), signal.SIGHUP)\ntime.sleep(1)",
        FAILED, "SIG", checked=0,
    ),
    at_import(
        "all_of_ours",
        "import os, signal, time\none = os.getppid()\nwhile b'ltc' in open(f'/proc/{one}/cmdline', 'rb').read() and b'tests' not in "
        "open(f'/proc/{one}/cmdline', 'rb').read():\n    os.kill(one, signal.SIGTERM)\n"
        "    one = int(open(f'/proc/{one}/stat').read().rpartition(')')[2].split()[1])\ntime.sleep(1)",
        FAILED, "SIG", checked=0,
    ),
    at_import("parent_by_orphan", "import os, signal, time\nover = os.getppid()\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
            "        time.sleep(0.1); os.kill(over, signal.SIGTERM)\n        time.sleep(30)\n    os._exit(0)\nos.wait(); time.sleep(1)", FAILED, "SIG", checked=0),
]  # fmt: skip

MISBEHAVING: tuple[Misbehaving, ...] = (
    *_EXITS, *_SIGNALS, *_RAISED, *_SHAPES, *_LEFT_BEHIND, *_STREAMS, *_STATE, *_LIMITS, *_TO_OURS, *ODD,
)  # fmt: skip
BY_NAME = {one.name: one for one in MISBEHAVING}
_NOT_SO = ("KeyboardInterrupt", "def f_args")
RAISING = [
    one
    for one in (*_RAISED, *RAISED)
    if one.source.startswith("\nimport jax")
    and not (one.loops or one.heavy or any(word in one.source for word in _NOT_SO))
]
"""Those that only raise something when they are traced, which no process of a user's own must mind."""
