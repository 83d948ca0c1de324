"""What installed packages hold, JAX's private modules and rules included: what user code replaces there, others would see."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

import jax

from ltc_ir.compat.rules import primitives, rule_tables

_ABSENT = object()
_OWN = frozenset({
    "ltc_ir", "ltc_ir_cli", "jaxlib", "__main__", "__mp_main__", "typing_extensions", "msgspec", "pygments", "rich", "typer",
})  # fmt: skip
"""What is not looked at: no program is made with it."""
_OF_PYTHON = frozenset({
    "math", "random", "operator", "functools", "itertools", "copy", "json", "os", "pickle", "re", "threading", "traceback",
})  # fmt: skip
"""Modules of the standard library that programs, and what is told of them, are made with."""
_NUMPY = frozenset({"numpy", "numpy.linalg", "numpy.random", "numpy.fft"})
"""The public modules of NumPy; the private ones have more names than all of these."""
_NEAR = _OF_PYTHON | {"jax", "numpy"}
_WHOLE = frozenset({"jax", "numpy"})
"""Packages with more classes than can be looked at; of those that matter each is named."""


class _Place(NamedTuple):
    """A mapping that is watched, what an entry of it is called, and whether one that is added counts."""

    live: Mapping[Any, Any]
    called: Callable[[Any], str]
    lazily: bool = False
    """Whether its owner fills names that are ``None`` at first, and counts in others."""
    closed: frozenset[Any] = frozenset()
    """The keys that replace something where they are added."""
    far: bool = False
    """Whether it is one of the many that are seldom changed."""


class Packages:
    """Watches installed packages; a name that is added is no change, for libraries add submodules.

    Args:
        is_own: whether the user wrote the module of this name.
    """

    def __init__(self, is_own: Callable[[str], bool]) -> None:
        self._is_own = is_own
        self._places: list[_Place] = []
        self._held: list[dict[Any, Any]] = []
        self._known: set[str] = set()
        tables = rule_tables()
        known = frozenset(primitives(tables))
        for label, table in tables:
            closed = known if "lowerings for" in label else frozenset()
            self._watch(_Place(table, lambda key, label=label: f"{label}[{key}]", closed=closed))  # type: ignore[misc]
        for primitive in known:
            called = lambda name, label=primitive: f"jax's primitive {label}.{name}"  # noqa: E731
            self._watch(_Place(vars(primitive), called, closed=frozenset({"bind", "bind_with_trace"})))
        for kind in dict.fromkeys([*map(type, known), *(base for one in known for base in type(one).__mro__[:-1])]):
            self._watch(_class_place(kind))
        for kind in (jax.Array, jax.core.Tracer):
            self._watch(_class_place(kind))
        self._watch(_Place(vars(builtins), lambda name: f"builtins.{name}"))
        self.adopt()

    def adopt(self) -> None:
        """Watch the modules that were imported meanwhile, as they are now."""
        if len(sys.modules) == len(self._known):
            return
        for name in sys.modules.keys() - self._known:
            self._known.add(name)
            module = sys.modules[name]
            if isinstance(module, ModuleType) and self._is_watched(name):
                called = lambda key, label=name: f"{label}.{key}"  # noqa: E731
                self._watch(_Place(vars(module), called, lazily=True, far=_is_far(name)))
                if name.partition(".")[0] not in _WHOLE | _OF_PYTHON:
                    for kind in _classes_of(name, module):
                        self._watch(_class_place(kind))

    def changes(self, *, whole: bool = True) -> Iterator[str]:
        """What was replaced or removed since the last call.

        Args:
            whole: look at all packages; else at rules, primitives, the public modules of JAX and NumPy, and classes.
        """
        for number, (place, held) in enumerate(zip(self._places, self._held, strict=True)):
            if (place.far and not whole) or _is_equal(place.live, held):
                continue
            now = self._held[number] = dict(place.live)
            yield from _replaced(place, held, now)
        self.adopt()

    def _watch(self, place: _Place) -> None:
        self._places.append(place)
        self._held.append(dict(place.live))

    def _is_watched(self, name: str) -> bool:
        root = name.partition(".")[0]
        if root in _OWN or self._is_own(name) or (root == "numpy" and name not in _NUMPY):
            return False
        return root not in sys.stdlib_module_names or name in _OF_PYTHON


def _is_far(name: str) -> bool:
    return not (name in _NEAR or (name.startswith("jax.") and "._" not in name))


def _is_equal(live: Mapping[Any, Any], held: Mapping[Any, Any]) -> bool:
    try:
        return live == held
    except Exception:  # values that cannot be compared, and so are others
        return False


def _replaced(place: _Place, held: Mapping[Any, Any], now: Mapping[Any, Any]) -> Iterator[str]:
    for key, old in held.items():
        new = now.get(key, _ABSENT)
        if new is not old and not (place.lazily and _is_filled(key, old, new)):
            yield f"{place.called(key)} ({'removed' if new is _ABSENT else 'replaced'})"
    for key in place.closed & (now.keys() - held.keys()):
        yield f"{place.called(key)} (replaced)"


def _is_filled(key: Any, old: Any, new: Any) -> bool:
    """Whether a module itself does so: it fills what was empty, keeps its own private state, loads a submodule."""
    if old is None or str(key).startswith("__") or isinstance(new, ModuleType):
        return True
    if str(key).startswith("_") and not callable(old):
        return True
    try:
        return type(old) is type(new) and bool(old == new)
    except Exception:
        return False


def _class_place(kind: type) -> _Place:
    called = lambda name: f"{kind.__module__}.{kind.__qualname__}.{name}"  # noqa: E731
    return _Place(vars(kind), called, lazily=True, far=kind.__module__.partition(".")[0] not in _WHOLE)


def _classes_of(name: str, module: ModuleType) -> list[type]:
    return [value for value in list(vars(module).values()) if isinstance(value, type) and value.__module__ == name]
