"""What user code has replaced of Python itself and of this tool, in the process that it shares with it; and puts it back.

What fails then, where no user code stands, is the doing of who replaced it and no bug of the tool.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

_MISSING = object()
_NEEDED = frozenset((*sys.stdlib_module_names, "ltc_ir", "ltc_ir_cli"))
_KINDS = frozenset({type, FunctionType, BuiltinFunctionType, ModuleType})
_type = type


class _Kept:
    """Modules and what their names stood for, lists of hooks, and the recursion limit: as they were before any user code."""

    modules: Mapping[str, tuple[Any, Mapping[str, Any]]] | None = None
    hooks: tuple[tuple[str, Any, Any], ...] = ()
    recursion = 0


def keep() -> None:
    """Remember how things are, once: to be called before the first user code runs."""
    if _Kept.modules is None:
        _Kept.modules = {
            name: (module, dict(vars(module)))
            for name, module in list(sys.modules.items())
            if name.partition(".")[0] in _NEEDED and isinstance(module, ModuleType)
        }
        _Kept.hooks = (("sys.path_hooks", sys.path_hooks, list(sys.path_hooks)),)
        _Kept.recursion = sys.getrecursionlimit()


def restore() -> tuple[str, ...]:
    """Put back what was replaced; its names. Calls nothing by a name that may have been replaced."""
    return (*_restored(),)


def _restored() -> Iterator[str]:
    modules = _Kept.modules
    if modules is None:
        return
    loaded = sys.modules
    for name, (module, before) in modules.items():
        if loaded.get(name) is not module:
            loaded[name] = module
            yield f"sys.modules[{name!r}]"
        now = module.__dict__
        for one, value in before.items():
            current = now.get(one, _MISSING)
            if current is not value and (_type(value) in _KINDS or current is _MISSING):
                now[one] = value
                if one[:2] != "__" or name == "builtins":
                    yield f"{name}.{one}"
    for name, hooks, earlier in _Kept.hooks:
        if hooks != earlier:
            hooks[:] = earlier
            yield name
    if sys.getrecursionlimit() < _Kept.recursion:
        sys.setrecursionlimit(_Kept.recursion)
        yield "the recursion limit"
