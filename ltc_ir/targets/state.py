"""What a process has that a target's code may change for all that runs after it: looked at, compared, and named."""

from __future__ import annotations

import builtins
import contextlib
import json
import operator
import os
import pickle
import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from itertools import repeat
from types import ModuleType
from typing import Any, NamedTuple

import jax
import numpy as np

from ltc_ir.targets.importing import Globals, globals_of, own_folders, user_modules

_PUBLIC = ("jax.", "jax")
_MISSING = object()
_MOST = 3
_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGCHLD", "SIGPIPE", "SIGUSR1", "SIGUSR2", "SIGSEGV")
    if hasattr(signal, name)
)


class State(NamedTuple):
    """One look: JAX's settings, the folder, the environment, the import path, limits, handlers and what names stand for.

    ``modules`` are the user's own, each with its globals.
    """

    settings: Mapping[str, Any]
    folder: str
    environment: Mapping[str, str]
    path: tuple[str, ...]
    limits: Mapping[str, Any]
    names: list[list[Any]]
    modules: Mapping[str, tuple[ModuleType, Globals]]


class Watch:
    """Looks at the state of this process; the names are those of the modules that are imported when it is made.

    A name that is added is no change: libraries add submodules. One that then stands for something else is.
    """

    def __init__(self) -> None:
        self._places: list[tuple[str, Mapping[str, Any], list[str]]] = []
        for label, place in _places():
            self._places.append((label, place, [name for name in place if not name.startswith("_")]))

    def look(self) -> State:
        """The state now."""
        names = [list(map(place.get, watched, repeat(_MISSING))) for _, place, watched in self._places]
        own = own_folders()
        return State(
            dict(jax.config.values), _folder(), dict(os.environ),
            tuple(entry for entry in sys.path if entry not in own), dict(_limits()), names, _modules(),
        )  # fmt: skip

    def changes(self, before: State, after: State) -> tuple[str, ...]:
        """What differs between two looks, each in a few words; never the value of a variable, which may be a secret."""
        return tuple(_some([*_settings(before, after), *self._replaced(before, after), *_globals(before, after)]))

    def _replaced(self, before: State, after: State) -> Iterator[str]:
        for (label, place, watched), old, new in zip(self._places, before.names, after.names, strict=True):
            if not all(map(operator.is_, old, new)):
                for name, one, other in zip(watched, old, new, strict=True):
                    if one is not other:
                        yield f"{label}.{name} ({'replaced' if name in place else 'removed'})"


def _places() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where the names are: the public modules of JAX, and the classes and modules that programs are made with."""
    modules = dict(sys.modules)
    for name in sorted(modules):
        public = name.startswith("jax.") and not any(part.startswith("_") for part in name.split("."))
        if (name == "jax" or public) and isinstance(modules[name], ModuleType):
            yield name, vars(modules[name])
    yield "numpy", vars(np)
    for needed in (builtins, json, os, pickle, re, threading, traceback):
        yield needed.__name__, vars(needed)
    yield "jax.Array", vars(jax.Array)
    yield "jax.core.Tracer", vars(jax.core.Tracer)


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - a hundred times a second
    except OSError:
        return "one that is deleted"


def _limits() -> Iterator[tuple[str, Any]]:
    """What bounds this process, and what it does when a signal arrives."""
    yield "the recursion limit", sys.getrecursionlimit()
    for one in _SIGNALS:
        yield f"the handler of {one.name}", signal.getsignal(one)
    with contextlib.suppress(ImportError):
        import resource

        for name in ("AS", "CPU", "DATA", "NOFILE", "STACK"):
            yield f"RLIMIT_{name}", resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))


def _modules() -> dict[str, tuple[ModuleType, Globals]]:
    """The user's own modules and their globals now; one that is gone is left out."""
    now = ((name, sys.modules.get(name)) for name in user_modules())
    return {name: (module, globals_of(module)) for name, module in now if isinstance(module, ModuleType)}


def _globals(before: State, after: State) -> Iterator[str]:
    """The globals of user modules that another one changed; of a module imported meanwhile, since its import."""
    left = user_modules()
    for name, (module, values) in after.modules.items():
        old, then = before.modules.get(name) or left[name]
        if old is not module:
            yield f"{name} (imported again)"
            continue
        for one in then:
            if one not in values or not _is_same(then[one], values[one]):
                yield f"{name}.{one} ({'replaced' if one in values else 'removed'})"
    yield from (f"{name} (removed)" for name in before.modules if name not in after.modules)


def _is_same(one: tuple[str, Any], other: tuple[str, Any]) -> bool:
    return one[0] == other[0] and (one[1] is other[1] or (one[0] != "object" and bool(one[1] == other[1])))


def _settings(before: State, after: State) -> Iterator[str]:
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
