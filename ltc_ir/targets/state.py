"""What a process has that a target's code may change for all that runs after it: looked at, compared, and named."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

import jax
import numpy as np

from ltc_ir.targets.importing import is_own, own_folders, tell_installed, user_modules
from ltc_ir.targets.packages import Packages
from ltc_ir.targets.pictures import Globals, changed_names, globals_of

_MISSING = object()
_MOST = 3
_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGCHLD", "SIGPIPE", "SIGUSR1", "SIGUSR2", "SIGSEGV")
    if hasattr(signal, name)
)


class _State(NamedTuple):
    """One look: JAX's settings, the folder, the environment, the import path, limits, handlers, numerics and modules.

    ``modules`` are the user's own, each with its globals.
    """

    settings: Mapping[str, Any]
    folder: str
    environment: Mapping[str, str]
    path: tuple[str, ...]
    limits: Mapping[str, Any]
    modules: Mapping[str, Globals]


class Watch:
    """Looks at the state of this process: what is there when it is made is what is compared with at first."""

    def __init__(self) -> None:
        self._packages = Packages(is_own)
        self._imported = len(sys.modules)
        self._before = self._look()
        tell_installed(self._packages.adopt)

    def changes(self, *, whole: bool = True) -> tuple[str, ...]:
        """What differs from the last look, each in a few words; never the value of a variable, which may be a secret.

        A name that is added is not a change: libraries add submodules. One that then stands for something else is.

        Args:
            whole: look at all packages even where no module was imported since the last look, which takes a millisecond.
        """
        before, after = self._before, self._look()
        self._before = after
        imported, self._imported = self._imported, len(sys.modules)
        packages = self._packages.changes(whole=whole or imported != self._imported)
        return tuple(_some([*_settings(before, after), *packages, *_globals(before, after)]))

    def _look(self) -> _State:
        own = own_folders()
        path = tuple(entry for entry in sys.path if entry not in own)
        return _State(
            dict(jax.config.values), _folder(), dict(os.environ), path, dict(_limits()), self._own_modules()
        )  # fmt: skip

    def _own_modules(self) -> dict[str, Globals]:
        """The user's own modules and their globals now; one that is gone is left out."""
        now: dict[str, Globals] = {}
        for name, left in user_modules().items():
            module = sys.modules.get(name)
            if isinstance(module, ModuleType):
                now[name] = globals_of(module, is_own, left if left.module is module else None)
        return now


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - a hundred times a second
    except OSError:
        return "one that is deleted"


def _limits() -> Iterator[tuple[str, Any]]:
    """What bounds this process, what it does when a signal arrives, how it computes, and which warnings it raises."""
    yield "the recursion limit", sys.getrecursionlimit()
    yield "numpy's handling of errors (numpy.seterr)", np.geterr()
    yield "warnings that are raised as errors", [item for item in warnings.filters if item[0] == "error"]
    if "decimal" in sys.modules:
        context = sys.modules["decimal"].getcontext()
        traps = [signal for signal, traps in context.traps.items() if traps]
        yield "the context of decimal", (context.prec, context.rounding, context.Emin, context.Emax, traps)
    for one in _SIGNALS:
        yield f"the handler of {one.name}", signal.getsignal(one)
    with contextlib.suppress(ImportError):
        import resource

        for name in ("AS", "CPU", "DATA", "NOFILE", "STACK"):
            yield f"RLIMIT_{name}", resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))


def _globals(before: _State, after: _State) -> Iterator[str]:
    """The globals of user modules that another one changed; of a module imported meanwhile, since its import."""
    left = user_modules()
    for name, now in after.modules.items():
        then = before.modules.get(name) or left[name]
        if then.module is not now.module:
            yield f"{name} (imported again)"
            continue
        for one in changed_names(then, now):
            yield f"{name}.{one} ({'replaced' if one in now.values else 'removed'})"
    yield from (f"{name} (removed)" for name in before.modules if name not in after.modules)


def _settings(before: _State, after: _State) -> Iterator[str]:
    for name in _differing(before.settings, after.settings):
        yield f"{name} = {after.settings.get(name)!r:.60}"
    if before.folder != after.folder:
        yield f"the current folder ({after.folder})"
    for name in _differing(before.environment, after.environment):
        yield f"os.environ[{name!r}]" + ("" if name in after.environment else " (removed)")
    if before.path != after.path:
        yield "sys.path"
    yield from _differing(before.limits, after.limits)


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    names = dict.fromkeys([*before, *after])
    return [name for name in names if before.get(name, _MISSING) != after.get(name, _MISSING)]


def _some(words: list[str]) -> list[str]:
    return words if len(words) <= _MOST + 1 else [*words[:_MOST], f"{len(words) - _MOST} more"]
