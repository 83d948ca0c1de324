"""More targets that misbehave, of kinds that come up seldom: hooks, patched modules, odd objects, limits, what JAX calls back."""

# ruff: noqa: E501 - a program stands on a line of its own

from __future__ import annotations

from tests.misbehaving.forms import FAILED, GOOD, Misbehaving, at_import, at_trace

_HOOKS = [
    at_import("hook_settrace", "import sys\ndef trace(*_): raise ValueError('traced')\nsys.settrace(trace)", FAILED, "ValueError: traced"),
    at_import("hook_setprofile", "import sys; sys.setprofile(lambda *_: None)"),
    at_import("hook_meta_path", "import sys\nclass Finder:\n    def find_spec(self, name, *_): raise RuntimeError('found ' + name)\nsys.meta_path.insert(0, Finder())", FAILED, ""),
    at_import("hook_path", "import sys\nsys.path_hooks.clear(); sys.path_importer_cache.clear()", FAILED, ""),
    at_import("hook_audit", "import sys\ndef audit(event, _):\n    if event == 'open': raise RuntimeError('no opening')\nsys.addaudithook(audit)", FAILED, ""),
    at_import("hook_display", "import sys; sys.displayhook = sys.breakpointhook = None"),
    at_import("hook_signals", "import signal\nfor one in signal.valid_signals():\n    try:\n        signal.signal(one, lambda *_: None)\n    except (OSError, ValueError):\n        pass"),
    at_import("hook_at_fork", "import os\ndef fails(): raise ValueError('fork')\nos.register_at_fork(before=fails, after_in_parent=fails, after_in_child=fails)"),
    at_import("hook_wakeup", "import os, signal\nr, w = os.pipe(); os.set_blocking(w, False); signal.set_wakeup_fd(w)"),
]  # fmt: skip

_PATCHED = [
    at_import("patch_open", "import builtins, io\ndef fails(*_, **more): raise OSError('open')\nbuiltins.open = io.open = fails", FAILED, ""),
    at_import("patch_isinstance", "import builtins\nbuiltins.isinstance = lambda *_: False", FAILED, ""),
    at_import("patch_len", "import builtins\nbuiltins.len = lambda _: 0", FAILED, ""),
    at_import("patch_import", "import builtins\ndef fails(name, *_, **more): raise ImportError('none of ' + name)\nbuiltins.__import__ = fails", FAILED, ""),
    at_import("patch_exceptions", "import builtins\nbuiltins.BaseException = builtins.Exception = builtins.KeyboardInterrupt = ValueError", FAILED, ""),
    at_import("patch_json", "import json, sys\nsys.modules['json'] = None\njson.loads = json.dumps = None", FAILED, "json", checked=0),
    at_import("patch_pickle", "import pickle, sys\nsys.modules['pickle'] = 5\npickle.dumps = pickle.loads = None"),
    at_import("patch_modules", "import sys\nclass Odd:\n    def __getattr__(self, name): raise SystemExit(0)\nsys.modules['odd_one'] = Odd(); sys.modules['other'] = None; sys.modules['number'] = 5"),
    at_import("clears_modules", "import sys\nsys.modules.clear()", FAILED, ""),
    at_import("patch_time", "import time\ntime.monotonic = time.time = time.perf_counter = lambda: 0.0\ntime.sleep = lambda _: None"),
    at_import("patch_thread", "import threading\nthreading.Thread.start = threading.Lock = threading.current_thread = None"),
    at_import("patch_str", "import re, traceback\nre.compile = re.match = re.search = None\ntraceback.format_exc = traceback.extract_tb = None", FAILED, ""),
    at_trace("patch_jax_inner", "import jax._src.core as core\ncore.Jaxpr.__str__ = core.Jaxpr.__repr__ = lambda self: 'none'"),
    at_trace("patch_jax_primitive", "import jax.lax\njax.lax.mul_p.bind = lambda *_, **more: (_ for _ in ()).throw(ValueError('bind'))", FAILED, "bind", ),
    at_trace("clears_caches", "jax.clear_caches()"),
    at_trace("clears_backends", "import jax.extend.backend\njax.extend.backend.clear_backends()"),
    at_import("patch_ours", "import sys\nfor name, one in list(sys.modules.items()):\n    if name.startswith('ltc_ir.records'):\n        vars(one).clear()", FAILED, ""),
]  # fmt: skip

_SETTINGS = [
    at_import("set_all_jax", "import jax\nfor name, value in list(jax.config.values.items()):\n    if value is False and 'x64' not in name and 'debug' not in name:\n"
              "        try:\n            jax.config.update(name, True)\n        except Exception:\n            pass", FAILED, ""),
    at_import("set_no_jit", "import jax; jax.config.update('jax_disable_jit', True)", alters=True),
    at_import("set_debug_nans", "import jax; jax.config.update('jax_debug_nans', True); jax.config.update('jax_log_compiles', True)", alters=True),
    at_import("set_platform", "import jax; jax.config.update('jax_platforms', 'none_such')", 2, "none_such"),
    at_import("set_recursion", "import sys, jax; jax.eval_shape(jax.numpy.sin, 1.0); sys.setrecursionlimit(60)", FAILED, "recursion"),
    at_import("set_switch_interval", "import sys; sys.setswitchinterval(100.0)"),
    at_import("set_digits", "import sys; sys.set_int_max_str_digits(640)"),
    at_import("set_decimal", "import decimal; decimal.setcontext(decimal.Context(prec=1, traps=[decimal.Inexact]))"),
    at_import("set_locale", "import locale\nfor one in ('C', 'POSIX', 'tr_TR.UTF-8', 'de_DE.UTF-8'):\n    try:\n        locale.setlocale(locale.LC_ALL, one)\n    except locale.Error:\n        pass"),
    at_import("set_seed", "import random, numpy\nrandom.seed(0); numpy.random.seed(0); numpy.seterr(all='raise')"),
    at_import("set_umask_and_folder", "import os, tempfile\nos.umask(0o777); d = tempfile.mkdtemp(); os.chmod(d, 0o700); os.chdir(d); os.rmdir(d)"),
    at_import("set_timer", "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.2)\nimport time; time.sleep(1)", FAILED, "SIGALRM"),
    at_import("set_environment", "import os; os.environ.clear(); os.environ['PATH'] = '/nowhere'; os.environ['XLA_FLAGS'] = ''", leaks="environ"),
    at_import("set_threads_deaf", "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())"),
    at_import("set_nice", "import os; os.nice(19)"),
]  # fmt: skip

_ONE_LIMIT = "import resource\ntry:\n    resource.setrlimit(resource.RLIMIT_{0}, ({1}, {1}))\nexcept (OSError, ValueError):\n    pass"
_LIMITS = [
    at_trace(f"limit_{name.lower()}", _ONE_LIMIT.format(name, value))
    for name, value in (("NPROC", 1), ("FSIZE", 0), ("CORE", 0), ("MEMLOCK", 0), ("SIGPENDING", 0))
]
_LIMITS += [
    at_import("limit_stack", _ONE_LIMIT.format("STACK", 65_536), alters=True),
    at_import("dup_over_all", "import os\nnull = os.open(os.devnull, os.O_RDWR)\nfor one in range(3, 1024):\n    if one != null:\n        os.dup2(null, one)", FAILED, ""),
    at_import("seek_all", "import os\nfor one in range(3, 1024):\n    try:\n        os.set_blocking(one, False)\n    except OSError:\n        pass"),
]  # fmt: skip

_LEFT = [
    at_import("pool_processes", "from concurrent.futures import ProcessPoolExecutor\nimport multiprocessing, time\n"
              "pool = ProcessPoolExecutor(2, multiprocessing.get_context('fork'))\npool.submit(time.sleep, 600)"),
    at_import("pool_threads", "from concurrent.futures import ThreadPoolExecutor\nimport time\npool = ThreadPoolExecutor(2)\npool.submit(time.sleep, 600)"),
    at_import("loop_left", "import asyncio, threading\nloop = asyncio.new_event_loop()\nthreading.Thread(target=loop.run_forever).start()"),
    at_import("loop_inside", "import asyncio\nasync def run():\n    asyncio.get_running_loop().create_task(asyncio.sleep(600))\nasyncio.run(run())"),
    at_import("fork_nested", "import os, time\nfor _ in range(3):\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0:\n            time.sleep(600)"),
    at_import("fork_many", "import os, time\nfor _ in range(40):\n    if os.fork() == 0:\n        time.sleep(600)"),
    at_import("finalizer_exits", "import os, weakref\nclass One: pass\none = One()\nkept = weakref.finalize(one, os._exit, 0)"),
    at_trace("finalizer_at_trace", "import sys\nclass One:\n    def __del__(self): sys.exit(3)\none = One()\ndel one"),
    at_import("thread_segv", "import ctypes, threading, time\nthreading.Thread(target=ctypes.string_at, args=(0,)).start(); time.sleep(5)", FAILED, "SIGSEGV"),
    at_import("thread_raises", "import threading\ndef fails(): raise ValueError('in a thread')\nthreading.Thread(target=fails).start()"),
    at_import("thread_interrupts", "import _thread, threading, time\nthreading.Thread(target=_thread.interrupt_main).start(); time.sleep(1)", FAILED, ""),
    at_import("holds_the_lock", "import ctypes; ctypes.pythonapi.PyGILState_Ensure()\nimport ctypes.util\nctypes.PyDLL(None).sleep(600)", FAILED, loops=True),
    at_import("timer_thread", "import os, threading\nthreading.Timer(0.0, os.write, (1, b'junk')).start()"),
    at_import("logs_to_stdout", "import logging, sys; logging.basicConfig(stream=sys.__stdout__, level=0, force=True); logging.info('junk')"),
    at_import("kills_all_of_group", "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN); os.killpg(0, signal.SIGTERM)"),
]  # fmt: skip

RAISED = [
    at_trace("cyclic_cause", "one, other = ValueError('one'), ValueError('other')\none.__cause__, other.__cause__ = other, one\nraise one", FAILED, "ValueError: one"),
    at_trace("deep_cause", "one = ValueError('last')\nfor _ in range(100_000):\n    other = ValueError('next'); other.__context__ = one; one = other\nraise one", FAILED, "ValueError: next"),
    at_trace("deep_group", "one = ValueError('inner')\nfor _ in range(2_000):\n    one = ExceptionGroup('outer', [one])\nraise one", FAILED, "ExceptionGroup"),
    at_trace("surrogate", "raise ValueError('\\ud800 lone')", FAILED, "ValueError"),
    at_trace("exit_dict", "raise SystemExit({'code': 0})", FAILED, "SystemExit"),
    at_trace("exit_huge", "raise SystemExit(10**30)", FAILED, "SystemExit"),
    at_trace("notes_odd", "one = ValueError('noted')\none.__notes__ = 5\nraise one", FAILED, "__notes__"),
    at_trace("no_traceback", "one = ValueError('bare')\none.with_traceback(None)\nraise one from None", FAILED, "ValueError: bare"),
    at_trace("args_odd", "class Odd(Exception):\n    args = property(lambda self: 1 / 0)\nraise Odd('odd')", FAILED, "Odd"),
    at_trace("class_odd", "class Meta(type):\n    __name__ = property(lambda self: 1 / 0)\nclass Odd(Exception, metaclass=Meta): pass\nraise Odd('odd')", FAILED, ""),
    at_trace("like_ours", "from ltc_ir.errors import LtcIrError\nraise LtcIrError('of ours', 'hint')", FAILED, ""),
    at_trace("like_limit", "from ltc_ir.errors import LimitError\nraise LimitError('a limit of ours')", FAILED, ""),
    at_trace("raises_class", "class Odd(Exception):\n    def __init__(self): raise KeyboardInterrupt('own')\nraise Odd", FAILED, "KeyboardInterrupt: own"),
]  # fmt: skip

_OBJECTS = [
    Misbehaving("odd_bool", GOOD + "\nclass Odd:\n    def __bool__(self): raise ValueError('no truth')\n    def __call__(self, x): return (x * x).sum()\ng, f = f, Odd()\n", 0, alters=True),
    Misbehaving("odd_equal", GOOD + "\nclass Odd:\n    def __eq__(self, other): raise ValueError('no equal')\n    __hash__ = None\n    def __call__(self, x): return (x * x).sum()\ng, f = f, Odd()\n", 0, alters=True),
    Misbehaving("odd_hash", GOOD + "\nclass Odd:\n    def __hash__(self): raise SystemExit('hash')\n    def __call__(self, x): return (x * x).sum()\ng, f = f, Odd()\n", FAILED, "SystemExit: hash"),
    Misbehaving("odd_args", GOOD + "\nclass Odd(tuple):\n    def __iter__(self): raise SystemExit('args')\nf_args = Odd(f_args)\n", FAILED, "SystemExit: args"),
    Misbehaving("odd_result", GOOD.replace("(x * x).sum()", "object()"), FAILED, ""),
    Misbehaving("odd_name", GOOD + "\nf.__name__ = 'x' * 100_000\nf.__qualname__ = 'y\\n::error::\\x1b'\nf.__doc__ = 5\n", 0, alters=True),
    Misbehaving("odd_module", GOOD + "\nf.__module__ = None\n__name__ = 5\n__file__ = 7\n__spec__ = None\n", 0, alters=True),
    Misbehaving("odd_code", GOOD + "\nf.__code__ = f.__code__.replace(co_filename='\\x1b]0;title\\x07', co_firstlineno=2**31 - 1)\n", 0, alters=True),
    Misbehaving("odd_wrapped", GOOD + "\nf.__wrapped__ = f\n", FAILED, ""),
]  # fmt: skip

_CALLED_BACK = [
    at_trace("callback_hangs", "import time\ndef hangs(y):\n    time.sleep(600)\n    return y\nx = jax.pure_callback(hangs, jax.ShapeDtypeStruct((3,), 'float32'), x)", alters=True, timed=5),
    at_trace("callback_exits", "import os\nx = jax.pure_callback(lambda y: os._exit(0), jax.ShapeDtypeStruct((3,), 'float32'), x)", alters=True, timed=FAILED),
    at_trace("callback_prints", "jax.debug.print('junk {}', x)", alters=True),
    at_trace("bwd_raises", "@jax.custom_vjp\ndef own(y): return y * 1.0\ndef bwd(*_): raise KeyboardInterrupt('own')\nown.defvjp(lambda y: (own(y), y), bwd)\nx = own(x)", alters=True),
]  # fmt: skip

ODD: tuple[Misbehaving, ...] = (
    *_HOOKS, *_PATCHED, *_SETTINGS, *_LIMITS, *_LEFT, *RAISED, *_OBJECTS, *_CALLED_BACK,
)  # fmt: skip
